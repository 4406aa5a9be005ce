//! J1: having GitHub run the failed jobs of a run once more.

use std::sync::Arc;

use github::app::AppError;
use github_proto::rest::Rerun;
use job::{Event, Step, StepOutcome};
use operator::describe;

use super::Shared;
use crate::jobs::acquired::run_of;
use crate::jobs::snapshot::JobSnapshot;
use crate::report::job_line;

/// J1. GitHub takes it only once the whole run is over.
pub(super) async fn rerun_failed_jobs(shared: Arc<Shared>, snapshot: JobSnapshot) {
    let Ok(_permit) = shared.github_calls.acquire().await else { return };
    let came = match snapshot.identity.as_ref().and_then(run_of) {
        // Its message named no run: there is nothing to ask for.
        None => StepOutcome::Refused,
        Some((repository, run)) => {
            let answer = shared.github.app.rerun_failed_jobs(&repository, run).await;
            if let Err(error) = &answer {
                job_line!(warn, snapshot.line(), error = %describe(error), "failed to re-run the failed jobs of the run");
            }
            came_of(&answer)
        }
    };
    shared.event(&snapshot.offer.name, Event::StepTaken(Step::RerunFailedJobs, came)).await;
}

fn came_of(answer: &Result<Rerun, AppError>) -> StepOutcome {
    match answer {
        Ok(Rerun::Accepted) => StepOutcome::Done,
        Ok(Rerun::StillRunning) => StepOutcome::PutOff,
        Ok(Rerun::CannotBeRetried) => StepOutcome::Refused,
        Err(error) if error.is_transient() => StepOutcome::PutOff,
        Err(_) => StepOutcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use github_proto::rest::{RestError, RestErrorKind};

    use super::*;

    #[test]
    fn only_what_may_yet_be_granted_is_asked_for_again() {
        let refused = |status, kind| {
            let status = http::StatusCode::from_u16(status).unwrap();
            let error = RestError { status, kind, message: "synthetic".into(), request_id: None };
            came_of(&Err(AppError::Refused(error)))
        };
        assert_eq!(came_of(&Ok(Rerun::Accepted)), StepOutcome::Done);
        assert_eq!(came_of(&Ok(Rerun::StillRunning)), StepOutcome::PutOff);
        assert_eq!(came_of(&Ok(Rerun::CannotBeRetried)), StepOutcome::Refused);
        assert_eq!(refused(503, RestErrorKind::Transient), StepOutcome::PutOff);
        assert_eq!(refused(403, RestErrorKind::Forbidden), StepOutcome::Refused);
        assert_eq!(refused(404, RestErrorKind::NotFound), StepOutcome::Refused);
    }
}
