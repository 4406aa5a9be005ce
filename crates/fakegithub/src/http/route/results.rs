//! The methods of the results service (protocol §5.7).

/// A method of the results service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultsMethod {
    WorkflowStepsUpdate,
    /// Hands out where a log is to be put.
    SignedUrl(LogKind),
    /// Says that a log is whole.
    Metadata(LogKind),
    /// Not GitHub's: the stand-in runner says that it begins.
    Begin,
}

/// What can be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    Step,
    Job,
    Summary,
    Diagnostics,
}

impl ResultsMethod {
    const ALL: [Self; 9] = [
        Self::WorkflowStepsUpdate,
        Self::SignedUrl(LogKind::Step),
        Self::SignedUrl(LogKind::Job),
        Self::SignedUrl(LogKind::Summary),
        Self::SignedUrl(LogKind::Diagnostics),
        Self::Metadata(LogKind::Step),
        Self::Metadata(LogKind::Job),
        Self::Metadata(LogKind::Summary),
        Self::Begin,
    ];

    /// The method of that name.
    pub(super) fn named(service: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name && method.service() == service)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WorkflowStepsUpdate => "WorkflowStepsUpdate",
            Self::SignedUrl(LogKind::Step) => "GetStepLogsSignedBlobURL",
            Self::SignedUrl(LogKind::Job) => "GetJobLogsSignedBlobURL",
            Self::SignedUrl(LogKind::Summary) => "GetStepSummarySignedBlobURL",
            Self::SignedUrl(LogKind::Diagnostics) => "GetJobDiagLogsSignedBlobURL",
            Self::Metadata(LogKind::Step) => "CreateStepLogsMetadata",
            Self::Metadata(LogKind::Job) => "CreateJobLogsMetadata",
            Self::Metadata(LogKind::Summary) => "CreateStepSummaryMetadata",
            // The diagnostic log has no such call.
            Self::Metadata(LogKind::Diagnostics) => "",
            Self::Begin => "Begin",
        }
    }

    fn service(self) -> &'static str {
        match self {
            Self::WorkflowStepsUpdate => "github.actions.results.api.v1.WorkflowStepUpdateService",
            Self::Begin => "fakegithub.Ledger",
            _ => "results.services.receiver.Receiver",
        }
    }
}
