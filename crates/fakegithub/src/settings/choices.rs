//! What the protocol leaves open, or what GitHub was seen to change: each can be turned for one account.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::scoped::Scoped;

/// How the files of a JIT configuration are written (protocol §2.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JitDialect {
    /// As live ones are: every value a string or null.
    #[default]
    Strings,
    /// Strings; keys and flags in other cases.
    MixedCase,
    /// Numbers and booleans.
    Typed,
    /// As a runner rewrites them: camelCase keys, numbers and booleans.
    CamelCase,
    /// Only what no runner can do without.
    MissingKeys,
    /// Each file begins with a byte order mark.
    ByteOrderMark,
    /// No configuration at all.
    Garbage,
}

/// What becomes of an offer that is acknowledged and then not claimed (protocol §4.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcknowledgedEffect {
    /// The same as of one that was not acknowledged.
    #[default]
    Again,
    /// It is for other sessions only.
    NotToSession,
    /// It is for nobody until the delivery window is over.
    NotAtAll,
}

/// To whom a declined offer goes next (protocol §11.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclinedTo {
    /// To the same session, until the delivery window is over.
    #[default]
    Same,
    /// To another one.
    Next,
    /// To nobody any more.
    Never,
}

/// How a declined offer comes again.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Declined {
    /// After how long; the redelivery of the timers when none.
    pub(crate) after: Option<SignedDuration>,
    /// How often at most.
    pub(crate) times: Option<u32>,
    pub(crate) to: DeclinedTo,
}

/// What a notification says of `should_acknowledge` (protocol §4.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShouldAcknowledge {
    /// That it should be acknowledged.
    #[default]
    True,
    /// That it need not.
    False,
    /// Nothing.
    Absent,
}

/// Who is told of a cancellation (protocol §5.6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancellationTo {
    /// The session of the job's owner.
    #[default]
    Owner,
    /// The same session, but the message names another job.
    UnknownJob,
    /// Nobody.
    Never,
}

/// How running jobs are cancelled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Cancellation {
    /// The message's `timeout`, and how long the job may take to end before the time factor; GitHub's when none.
    pub(crate) timeout: Option<(String, SignedDuration)>,
    pub(crate) times: u32,
    pub(crate) send: CancellationTo,
}

impl Default for Cancellation {
    fn default() -> Self {
        Self { timeout: None, times: 1, send: CancellationTo::Owner }
    }
}

/// What comes of `completejob` for a job that never started (protocol §5.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnstartedCompletion {
    /// The job concludes with what was sent.
    #[default]
    Accepted,
    /// 401.
    Refused,
    /// 204, and the job stays in progress.
    NoEffect,
    /// 204, the run is a success, and its job stays in progress for ever.
    FalseGreen,
}

/// The choices, as they are now.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Choices {
    pub(crate) jit_dialect: Scoped<JitDialect>,
    /// Whether only `authorizationUrlV2` issues tokens (protocol §3.3).
    pub(crate) token_service_migrated: Scoped<bool>,
    /// Whether B1 refuses old versions too (protocol §4.10).
    pub(crate) session_refuses_versions: Scoped<bool>,
    pub(crate) job_cancellation: Scoped<Cancellation>,
    pub(crate) unstarted_completion: Scoped<UnstartedCompletion>,
    pub(crate) acknowledged: Scoped<AcknowledgedEffect>,
    pub(crate) declined: Scoped<Declined>,
    /// Whether busy sessions are shown jobs.
    pub(crate) busy_offers: Scoped<bool>,
    pub(crate) should_acknowledge: Scoped<ShouldAcknowledge>,
    /// Whether notifications name no run service.
    pub(crate) empty_run_service: Scoped<bool>,
    /// Variables of job messages: other values, and by none those that are left out.
    pub(crate) message_variables: Scoped<BTreeMap<String, Option<String>>>,
}
