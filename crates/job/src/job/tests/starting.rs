//! Pods that do not start.

use super::*;

fn pending(failure: StartFailure) -> Event {
    Event::PodSeen(pod(PodStage::Pending(Some(failure))))
}

/// What the job comes to once its pod is gone, and what GitHub is told.
fn given_up(job: &mut Job, second: i64) -> (Option<FailureReason>, Option<Unreported>) {
    let effects = job.handle(Event::PodSeen(pod(PodStage::Ended(Ending::vanished(at(second))))), at(second));
    (reason(job), told(&effects))
}

#[test]
fn a_container_that_never_will_start_ends_the_job_within_a_minute_and_github_is_told() {
    for (failure, patience, expected) in [
        (StartFailure::ImageName, 0, FailureReason::ImagePull),
        (StartFailure::ImagePull, 40, FailureReason::ImagePull),
        (StartFailure::ContainerConfig, 30, FailureReason::ContainerConfig),
        (StartFailure::Install, 40, FailureReason::WrapperError),
    ] {
        let mut job = starting();
        let mut effects = job.handle(Event::PodSeen(pod(PodStage::Pending(Some(failure)))), EPOCH);
        if patience > 0 {
            assert!(effects.contains(&Effect::Wake(Timer::StartFailure, at(patience))));
            assert_eq!(job.handle(Event::Due(Timer::StartFailure), at(patience - 1)), []);
            effects = job.handle(Event::Due(Timer::StartFailure), at(patience));
        }
        assert!(
            matches!(effects[..], [Effect::Write(Write::DeletePod(_, None)), _]),
            "{failure:?}: {effects:?}"
        );
        assert_eq!(given_up(&mut job, 60), (Some(expected), Some(Unreported::NeverStarted)));
    }
}

#[test]
fn a_container_that_starts_after_all_is_left_alone() {
    let mut job = starting();
    job.handle(Event::PodSeen(pod(PodStage::Pending(Some(StartFailure::ContainerConfig)))), EPOCH);
    job.handle(Event::PodSeen(pod(PodStage::Pending(None))), at(10));
    assert_eq!(job.handle(Event::Due(Timer::StartFailure), at(30)), []);
    job.handle(Event::PodSeen(pod(PodStage::Running { since: at(31) })), at(31));
    assert_eq!(job.handle(Event::Due(Timer::Pending), at(600)), []);
}

#[test]
fn what_may_pass_waits_for_the_pending_deadline() {
    for (failure, expected) in [
        (StartFailure::Passing, FailureReason::PendingDeadline),
        (StartFailure::PullBackOff, FailureReason::PendingDeadline),
        (StartFailure::Unschedulable, FailureReason::Unschedulable),
    ] {
        let mut job = starting();
        job.handle(pending(failure), at(1));
        assert_eq!(job.handle(Event::Due(Timer::StartFailure), at(599)), [], "{failure:?}");
        let effects = job.handle(Event::Due(Timer::Pending), at(600));
        assert!(matches!(effects[..], [Effect::Write(Write::DeletePod(_, None)), _]), "{failure:?}");
        assert_eq!(given_up(&mut job, 601), (Some(expected), Some(Unreported::NeverStarted)), "{failure:?}");
    }
}

#[test]
fn a_pod_that_was_placed_in_the_end_is_not_unschedulable() {
    let mut job = starting();
    job.handle(pending(StartFailure::Unschedulable), at(1));
    job.handle(Event::PodSeen(pod(PodStage::Pending(None))), at(500));
    job.handle(Event::Due(Timer::Pending), at(600));
    assert_eq!(given_up(&mut job, 601).0, Some(FailureReason::PendingDeadline));
}

#[test]
fn a_back_off_says_nothing_new_about_a_pull() {
    let mut refused = starting();
    refused.handle(pending(StartFailure::ImagePull), at(0));
    assert_eq!(refused.handle(pending(StartFailure::PullBackOff), at(10)), []);
    let effects = refused.handle(Event::Due(Timer::StartFailure), at(40));
    assert!(effects.contains(&Effect::Write(Write::DeletePod(StopReason::ImagePull, None))), "{effects:?}");
    let mut unplaced = starting();
    unplaced.handle(pending(StartFailure::Unschedulable), at(0));
    unplaced.handle(pending(StartFailure::PullBackOff), at(10));
    unplaced.handle(Event::Due(Timer::Pending), at(600));
    assert_eq!(given_up(&mut unplaced, 601).0, Some(FailureReason::PendingDeadline), "a node was found");
}

#[test]
fn an_init_container_that_fails_ends_a_job_that_never_started() {
    for (failed, expected) in [
        (FailedInit::Template, FailureReason::InitContainerFailed),
        (FailedInit::Install, FailureReason::WrapperError),
    ] {
        let mut job = starting();
        let ending =
            Ending { failed_init: Some(failed), deletion_requested: false, ..Ending::vanished(at(9)) };
        let effects = job.handle(Event::PodSeen(pod(PodStage::Ended(ending))), at(9));
        assert_eq!((reason(&job), told(&effects)), (Some(expected), Some(Unreported::NeverStarted)));
    }
}

#[test]
fn a_program_that_cannot_be_executed_never_started() {
    let mut job = starting();
    let ending = Ending {
        exit_code: Some(128),
        cannot_run: true,
        deletion_requested: false,
        ..Ending::vanished(at(9))
    };
    let effects = job.handle(Event::PodSeen(pod(PodStage::Ended(ending))), at(9));
    assert_eq!(reason(&job), Some(FailureReason::ContainerConfig));
    assert_eq!(told(&effects), Some(Unreported::NeverStarted));
}

#[test]
fn what_hinders_a_start_is_said_once_it_has_lasted() {
    let mut job = starting();
    let effects = job.handle(pending(StartFailure::Passing), at(1));
    assert_eq!(effects, [Effect::Wake(Timer::TellHindrance, at(6))]);
    assert_eq!(job.handle(Event::Due(Timer::TellHindrance), at(5)), [], "another one's time");
    assert!(!job.is_hindered());
    let told = [Effect::Write(Write::PatchHindrance), Effect::Report(Fact::Hindered)];
    assert_eq!(job.handle(Event::Due(Timer::TellHindrance), at(6)), told);
    assert!(job.is_hindered());
    assert_eq!(job.handle(pending(StartFailure::PullBackOff), at(7)), [], "the same");
    assert_eq!(job.handle(Event::Due(Timer::TellHindrance), at(20)), []);
    let effects = job.handle(Event::PodSeen(pod(PodStage::Pending(None))), at(30));
    assert_eq!(effects, [Effect::Write(Write::PatchHindrance)], "nothing hinders it any more");
    assert!(!job.is_hindered());
    job.handle(pending(StartFailure::Passing), at(40));
    let again = job.handle(Event::Due(Timer::TellHindrance), at(45));
    assert_eq!(again, [Effect::Write(Write::PatchHindrance)], "an Event has said it");
    job.handle(pending(StartFailure::ImagePull), at(50));
    assert_eq!(job.handle(Event::Due(Timer::TellHindrance), at(55)), told, "that is news");
}

#[test]
fn what_passes_at_once_is_not_said() {
    let mut job = starting();
    job.handle(pending(StartFailure::Unschedulable), at(1));
    assert_eq!(job.handle(Event::PodSeen(pod(PodStage::Pending(None))), at(3)), []);
    assert_eq!(job.handle(Event::Due(Timer::TellHindrance), at(6)), []);
}
