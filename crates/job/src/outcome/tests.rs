use super::*;

fn ended() -> Ending {
    Ending { exit_code: Some(1), deletion_requested: false, ..Ending::vanished(Timestamp::UNIX_EPOCH) }
}

#[track_caller]
fn check(ending: Ending, result: JobResult, reason: Option<FailureReason>) {
    let outcome = ending.conclude();
    assert_eq!((outcome.result, outcome.reason), (result, reason), "{ending:?}");
}

fn concluded(result: JobResult) -> Report {
    Report::Concluded { result, oom_kills: 0 }
}

#[test]
fn a_plain_failure_carries_no_reason() {
    check(Ending { report: concluded(JobResult::Failed), ..ended() }, JobResult::Failed, None);
    check(
        Ending { report: concluded(JobResult::Succeeded), exit_code: Some(0), ..ended() },
        JobResult::Succeeded,
        None,
    );
    check(Ending { report: concluded(JobResult::Skipped), ..ended() }, JobResult::Skipped, None);
}

#[test]
fn memory_is_named_whether_it_hit_the_container_or_a_child() {
    check(
        Ending { oom_killed: true, exit_code: Some(137), ..ended() },
        JobResult::Failed,
        Some(FailureReason::OomKilled),
    );
    let child = Report::Concluded { result: JobResult::Failed, oom_kills: 1 };
    check(Ending { report: child, ..ended() }, JobResult::Failed, Some(FailureReason::OomSubprocess));
    check(
        Ending { report: Report::RunnerDied { oom_kills: 2 }, ..ended() },
        JobResult::Failed,
        Some(FailureReason::OomSubprocess),
    );
    let survived = Report::Concluded { result: JobResult::Succeeded, oom_kills: 3 };
    check(Ending { report: survived, ..ended() }, JobResult::Succeeded, None);
}

#[test]
fn a_job_that_finished_inside_its_grace_has_its_result() {
    for result in [JobResult::Succeeded, JobResult::Failed] {
        let ending = Ending {
            report: concluded(result),
            disruption: Some(Disruption::Drained),
            deletion_requested: true,
            ..ended()
        };
        check(ending, result, None);
        let lost = Ending { report: concluded(result), stamp: Some(StopReason::LockLost), ..ended() };
        check(lost, result, None);
    }
}

#[test]
fn what_stopped_the_worker_names_the_failure() {
    let cases = [
        (Disruption::Preempted, FailureReason::Preempted),
        (Disruption::Drained, FailureReason::Drained),
        (Disruption::NodeLost, FailureReason::NodeLost),
        (Disruption::EvictedMemory, FailureReason::EvictedMemory),
        (Disruption::EvictedDisk, FailureReason::EvictedDisk),
        (Disruption::EvictedOther, FailureReason::EvictedOther),
    ];
    for (disruption, reason) in cases {
        let shut_down = Report::ShutDown { oom_kills: 0 };
        let died = Report::RunnerDied { oom_kills: 0 };
        for report in [Report::Missing, concluded(JobResult::Cancelled), died, shut_down] {
            let ending = Ending { disruption: Some(disruption), deletion_requested: true, report, ..ended() };
            check(ending, JobResult::Failed, Some(reason));
        }
        assert_eq!(reason.class(), FailureClass::Infra);
    }
    check(Ending { deletion_requested: true, ..ended() }, JobResult::Failed, Some(FailureReason::PodDeleted));
    let unexplained = Ending { report: Report::ShutDown { oom_kills: 0 }, ..ended() };
    check(unexplained, JobResult::Failed, Some(FailureReason::EvictedOther));
}

#[test]
fn our_own_stop_is_told_from_somebody_elses() {
    let stopped = |stamp| Ending { stamp: Some(stamp), deletion_requested: true, ..ended() };
    check(stopped(StopReason::Cancelled), JobResult::Cancelled, Some(FailureReason::Cancelled));
    check(stopped(StopReason::LockLost), JobResult::Failed, Some(FailureReason::LockLost));
    check(stopped(StopReason::ImagePull), JobResult::Failed, Some(FailureReason::ImagePull));
    check(stopped(StopReason::PendingDeadline), JobResult::Failed, Some(FailureReason::PendingDeadline));
    check(stopped(StopReason::LifetimeExceeded), JobResult::Failed, Some(FailureReason::LifetimeExceeded));
    check(
        Ending { deadline_exceeded: true, ..ended() },
        JobResult::Failed,
        Some(FailureReason::LifetimeExceeded),
    );
}

#[test]
fn github_cancelling_the_runner_directly_is_a_cancellation() {
    check(
        Ending { report: concluded(JobResult::Cancelled), ..ended() },
        JobResult::Cancelled,
        Some(FailureReason::Cancelled),
    );
}

#[test]
fn without_a_report_the_remains_speak() {
    check(ended(), JobResult::Failed, Some(FailureReason::WrapperError));
    check(
        Ending { failed_init: Some(FailedInit::Install), exit_code: None, ..ended() },
        JobResult::Failed,
        Some(FailureReason::WrapperError),
    );
    check(
        Ending { failed_init: Some(FailedInit::Template), exit_code: None, ..ended() },
        JobResult::Failed,
        Some(FailureReason::InitContainerFailed),
    );
    check(
        Ending { failed_init: Some(FailedInit::Template), ..ended() },
        JobResult::Failed,
        Some(FailureReason::WrapperError),
    );
    check(
        Ending { rejected: true, exit_code: None, ..ended() },
        JobResult::Failed,
        Some(FailureReason::NodeRejected),
    );
    check(
        Ending { report: Report::WrapperFailed, exit_code: None, ..ended() },
        JobResult::Failed,
        Some(FailureReason::WrapperError),
    );
    check(
        Ending { report: Report::RunnerDied { oom_kills: 0 }, ..ended() },
        JobResult::Failed,
        Some(FailureReason::RunnerError),
    );
    check(Ending { exit_code: None, ..ended() }, JobResult::Failed, Some(FailureReason::Unknown));
}

#[test]
fn a_condition_names_the_reason_in_its_own_form() {
    assert_eq!(Outcome::failed(FailureReason::OomKilled).condition_reason(), "OomKilled");
    assert_eq!(Outcome::cancelled().condition_reason(), "Cancelled");
    assert_eq!(Outcome::duplicate().condition_reason(), "Duplicate");
    assert_eq!(
        Ending { report: concluded(JobResult::Failed), ..ended() }.conclude().condition_reason(),
        "Failed"
    );
}
