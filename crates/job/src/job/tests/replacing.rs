//! Pods that a node rejects before anything of them ran.

use super::*;

fn rejected() -> Event {
    let ending = Ending { rejected: true, deletion_requested: false, ..Ending::vanished(at(9)) };
    Event::PodSeen(pod(PodStage::Ended(ending)))
}

/// A job whose first pod was rejected, and is being removed.
fn replacing() -> Job {
    let mut job = starting();
    let effects = job.handle(rejected(), at(9));
    let expected = [
        Effect::Write(Write::PatchRejected),
        Effect::Report(Fact::PodRejected),
        Effect::Write(Write::RemoveRejectedPod),
    ];
    assert_eq!(effects, expected, "written down before it is removed");
    assert_eq!(job.phase(), &Phase::Replacing);
    job
}

fn replaced() -> Job {
    let mut job = replacing();
    assert!(job.handle(Event::PodGone, at(10)).contains(&Effect::Write(Write::CreatePod)));
    job.handle(Event::PodCreated, at(11));
    job
}

#[test]
fn a_job_whose_pod_a_node_rejects_gets_one_other_and_runs_once() {
    let mut job = replaced();
    job.handle(Event::PodSeen(pod(PodStage::Running { since: at(15) })), at(15));
    let effects = job.handle(Event::PodSeen(pod(PodStage::Ended(succeeded()))), at(30));
    assert_eq!((reason(&job), told(&effects)), (None, None));
}

#[test]
fn a_second_rejection_ends_the_job_that_never_started() {
    let mut job = replaced();
    let effects = job.handle(rejected(), at(20));
    assert_eq!(reason(&job), Some(FailureReason::NodeRejected));
    assert_eq!(told(&effects), Some(Unreported::NeverStarted));
}

#[test]
fn what_the_watch_shows_of_a_rejected_pod_on_its_way_out_changes_nothing() {
    let mut job = replacing();
    assert_eq!(job.handle(rejected(), at(9)), []);
    let going = PodView { gone_by: Some(at(9)), ..pod(PodStage::Ended(Ending::vanished(at(9)))) };
    assert_eq!(job.handle(Event::PodSeen(going), at(10)), []);
    assert_eq!(job.phase(), &Phase::Replacing);
}

#[test]
fn the_time_for_the_second_pod_counts_from_the_claim() {
    let mut job = starting();
    job.handle(rejected(), at(400));
    job.handle(Event::PodGone, at(401));
    let effects = job.handle(Event::PodCreated, at(402));
    assert!(effects.contains(&Effect::Wake(Timer::Pending, at(600))), "{effects:?}");
    let mut late = starting();
    let effects = late.handle(rejected(), at(600));
    assert_eq!(reason(&late), Some(FailureReason::NodeRejected), "no time is left");
    assert_eq!(told(&effects), Some(Unreported::NeverStarted));
    let mut stays = replacing();
    let effects = stays.handle(Event::Due(Timer::Pending), at(600));
    assert_eq!(reason(&stays), Some(FailureReason::NodeRejected), "somebody else's finalizer holds it");
    assert_eq!(told(&effects), Some(Unreported::NeverStarted));
}

#[test]
fn a_job_that_is_cancelled_meanwhile_gets_no_other_pod() {
    let mut asked = starting();
    asked.handle(cancelled(300), at(5));
    asked.handle(rejected(), at(9));
    assert_eq!(reason(&asked), Some(FailureReason::Cancelled));
    let mut replaced = replacing();
    let effects = replaced.handle(cancelled(300), at(10));
    assert!(!effects.contains(&Effect::Write(Write::CreatePod)));
    assert_eq!(reason(&replaced), Some(FailureReason::Cancelled));
    assert_eq!(replaced.handle(Event::PodGone, at(11)), []);
}

#[test]
fn a_pod_that_ran_is_never_replaced() {
    let mut job = running();
    let effects = job.handle(rejected(), at(9));
    assert_eq!((reason(&job), told(&effects)), (Some(FailureReason::Unknown), Some(Unreported::Died)));
}

#[test]
fn c13_a_rejected_pod_that_the_status_names_is_removed_and_replaced() {
    let seen = match rejected() {
        Event::PodSeen(view) => Some(view),
        _ => None,
    };
    let found = Recovered { rejected: true, pod_is_rejected: true, pod: seen, ..found() };
    let renew = Effect::Call(Call::RenewJob);
    let mut job =
        check_recovery(found, &[Effect::Slot(Slot::Take), renew, Effect::Write(Write::RemoveRejectedPod)]);
    assert!(job.handle(Event::PodGone, at(61)).contains(&Effect::Write(Write::CreatePod)));
    job.handle(Event::PodCreated, at(62));
    job.handle(rejected(), at(63));
    assert_eq!(reason(&job), Some(FailureReason::NodeRejected), "the first rejection is remembered");
}

#[test]
fn c13_a_rejected_pod_that_is_gone_is_replaced() {
    let found = Recovered { rejected: true, ..found() };
    check_recovery(
        found,
        &[Effect::Slot(Slot::Take), Effect::Write(Write::CreatePod), Effect::Call(Call::RenewJob)],
    );
}

#[test]
fn c13_a_second_pod_that_vanished_was_deleted() {
    let found = Recovered { rejected: true, pod_named: true, ..found() };
    let tell = Effect::Call(Call::CompleteJob(Unreported::Died));
    let job = check_recovery(found, &[Effect::Slot(Slot::Take), tell, Effect::Slot(Slot::GiveBack)]);
    assert_eq!(reason(&job), Some(FailureReason::PodDeleted));
}
