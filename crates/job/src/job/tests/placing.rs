//! Between the claim and the pod: refusals, retries, deadlines, and what people are told.

use super::*;
use crate::waiting::Waiting;

/// A job whose claim was answered at time zero.
fn storing() -> Job {
    let mut job = acquiring();
    job.handle(Event::Acquired { locked_until: at(600) }, EPOCH);
    job
}

fn creating() -> Job {
    let mut job = storing();
    job.handle(Event::PayloadStored, EPOCH);
    job
}

const CREATE: Effect = Effect::Write(Write::CreatePod);
const BREAK: Effect = Effect::Slot(Slot::Break);
const INVALID: Event = Event::PodRefused(PodRefusal::Invalid);
const QUOTA: Event = Event::PodRefused(PodRefusal::Quota);

fn tells(waiting: Waiting) -> [Effect; 2] {
    [Effect::Write(Write::PatchWaiting), Effect::Report(Fact::Waiting(waiting))]
}

/// The steps of the settlement that are taken from here on.
fn steps(job: &mut Job, mut effects: Vec<Effect>) -> Vec<Step> {
    let all = [
        Step::CompleteJob(Unreported::NeverStarted),
        Step::DeletePayload,
        Step::RemovePod,
        Step::ReplaceAgent,
        Step::PatchComplete,
    ];
    let mut taken = Vec::new();
    while let Some(step) = all.into_iter().find(|it| effects.contains(&it.effect())) {
        taken.push(step);
        effects = job.handle(Event::StepTaken(step, StepOutcome::Done), at(1000));
    }
    assert!(job.is_over());
    taken
}

#[test]
fn a_payload_that_cannot_be_stored_is_tried_again_while_the_lock_is_renewed() {
    let mut job = acquiring();
    let effects = job.handle(Event::Acquired { locked_until: at(600) }, EPOCH);
    assert_eq!(effects[..2], [Effect::Write(Write::CreatePayload), Effect::Call(Call::RenewJob)]);
    let effects = job.handle(Event::PayloadStoreFailed, EPOCH);
    assert!(matches!(effects[0], Effect::Wake(Timer::StorePayload, _)), "{effects:?}");
    assert!(matches!(
        job.handle(Event::Renewed { locked_until: at(600) }, EPOCH)[..],
        [Effect::Wake(Timer::Renew, _)]
    ));
    assert_eq!(job.handle(Event::Due(Timer::StorePayload), at(1)), [Effect::Write(Write::CreatePayload)]);
    job.handle(Event::LockGone, at(2));
    assert_eq!(reason(&job), Some(FailureReason::PodNotCreated));
}

#[test]
fn two_claims_of_one_job_meet_at_the_pod_and_the_loser_lets_the_winner_run() {
    let mut job = creating();
    let effects = job.handle(Event::PodRefused(PodRefusal::Duplicate), EPOCH);
    assert_eq!(told(&effects), None, "the winner's end is the job's");
    assert_eq!(job.outcome().map(|it| it.result), Some(JobResult::Duplicate));
}

#[test]
fn a_pod_that_quota_refuses_is_tried_as_often_as_the_group_allows() {
    let mut job = creating();
    for _ in 1..=5 {
        let effects = job.handle(QUOTA, EPOCH);
        let expected =
            [Effect::Wake(Timer::CreatePod, at(30)), Effect::Report(Fact::NotPlaced(Waiting::Quota))];
        assert_eq!(effects, expected, "the group's breaker is for other refusals");
        assert_eq!(job.handle(Event::Due(Timer::CreatePod), at(30)), [CREATE]);
    }
    let effects = job.handle(QUOTA, EPOCH);
    assert_eq!(reason(&job), Some(FailureReason::QuotaRejected));
    assert_eq!(told(&effects), Some(Unreported::NeverStarted));
}

#[test]
fn payload_and_pod_have_one_budget_against_quotas() {
    let mut job = storing();
    for _ in 1..=3 {
        let effects = job.handle(Event::PayloadOverQuota, EPOCH);
        assert_eq!(effects[0], Effect::Wake(Timer::StorePayload, at(30)));
        assert_eq!(
            job.handle(Event::Due(Timer::StorePayload), at(30)),
            [Effect::Write(Write::CreatePayload)]
        );
    }
    job.handle(Event::PayloadStored, at(90));
    for _ in 1..=2 {
        job.handle(QUOTA, at(90));
        job.handle(Event::Due(Timer::CreatePod), at(120));
    }
    let effects = job.handle(QUOTA, at(150));
    assert_eq!(reason(&job), Some(FailureReason::QuotaRejected));
    let expected = [
        Step::CompleteJob(Unreported::NeverStarted),
        Step::DeletePayload,
        Step::RemovePod,
        Step::ReplaceAgent,
        Step::PatchComplete,
    ];
    assert_eq!(steps(&mut job, effects), expected);
}

#[test]
fn a_refused_pod_opens_the_breaker_and_its_job_waits_for_a_dry_run_under_its_lock() {
    let mut job = creating();
    for _ in 0..2 {
        let effects = job.handle(INVALID, at(1));
        assert_eq!(effects, [Effect::Report(Fact::NotPlaced(Waiting::Admission)), BREAK]);
        assert!(job.awaits_admission());
        assert_eq!(job.handle(INVALID, at(1)), [], "a repeat");
        assert_eq!(job.handle(Event::Due(Timer::CreatePod), at(40)), [], "nothing is tried meanwhile");
        job.handle(Event::Renewed { locked_until: at(660) }, at(60));
        assert_eq!(job.handle(Event::Due(Timer::Renew), at(120)), [Effect::Call(Call::RenewJob)]);
        assert_eq!(job.handle(Event::PodsAdmitted, at(121)), [CREATE]);
        assert_eq!(job.handle(Event::PodsAdmitted, at(121)), [], "it is being tried");
    }
    job.handle(Event::PodCreated, at(122));
    assert_eq!(job.phase(), &Phase::Starting);
}

#[test]
fn a_pod_that_is_not_created_for_want_of_an_answer_opens_the_breaker_too() {
    let mut job = creating();
    for second in 1..3 {
        let effects = job.handle(Event::PodCreateFailed, at(second));
        assert!(effects.contains(&BREAK), "{effects:?}");
        assert!(
            matches!(effects[0], Effect::Wake(Timer::CreatePod, _)),
            "it has its own backoff: {effects:?}"
        );
        job.handle(Event::Due(Timer::CreatePod), at(second));
    }
}

#[test]
fn what_gets_no_pod_by_its_deadline_ends_for_what_hindered_it() {
    for (event, expected) in [
        (INVALID, FailureReason::PodRefused),
        (QUOTA, FailureReason::QuotaRejected),
        (Event::PodCreateFailed, FailureReason::PodNotCreated),
    ] {
        let mut job = creating();
        job.handle(event, at(1));
        assert_eq!(job.handle(Event::Due(Timer::Placing), at(599)), [], "there is time yet");
        let effects = job.handle(Event::Due(Timer::Placing), at(600));
        assert_eq!(told(&effects), Some(Unreported::NeverStarted));
        assert_eq!(reason(&job), Some(expected));
    }
    let mut unstored = storing();
    unstored.handle(Event::PayloadStoreFailed, at(1));
    unstored.handle(Event::Due(Timer::Placing), at(600));
    assert_eq!(reason(&unstored), Some(FailureReason::PodNotCreated));
}

#[test]
fn a_try_that_is_under_way_at_the_deadline_is_the_last_one() {
    let expired = || {
        let mut job = creating();
        assert_eq!(job.handle(Event::Due(Timer::Placing), at(600)), []);
        job
    };
    let mut refused = expired();
    let effects = refused.handle(INVALID, at(601));
    assert_eq!(reason(&refused), Some(FailureReason::PodRefused));
    assert!(effects.contains(&BREAK), "the next job would fare no better: {effects:?}");
    let mut created = expired();
    created.handle(Event::PodCreated, at(601));
    assert_eq!(created.phase(), &Phase::Starting);
}

#[test]
fn a_lost_lock_ends_a_job_that_waits_at_once_for_what_hindered_it() {
    let cases: [(&[Event], FailureReason, bool); 5] = [
        (&[INVALID], FailureReason::PodRefused, false),
        (&[QUOTA], FailureReason::QuotaRejected, false),
        (&[Event::PodCreateFailed], FailureReason::PodNotCreated, true),
        (&[INVALID, Event::PodsAdmitted], FailureReason::PodRefused, true),
        (&[], FailureReason::LockLost, true),
    ];
    for (events, expected, may_have_pod) in cases {
        let mut job = creating();
        events.iter().for_each(|it| drop(job.handle(it.clone(), at(1))));
        let effects = job.handle(Event::LockGone, at(2));
        assert_eq!(reason(&job), Some(expected), "{events:?}");
        assert!(effects.contains(&Effect::Slot(Slot::GiveBack)), "its slot is free at once: {effects:?}");
        let taken = steps(&mut job, effects);
        assert_eq!(taken.first(), Some(&Step::DeletePayload), "GitHub holds it no longer: {taken:?}");
        assert_eq!(taken.contains(&Step::RemovePod), may_have_pod, "{events:?}");
    }
}

#[test]
fn a_lost_lock_ends_a_job_whose_pod_was_to_be_stopped_when_it_comes() {
    let mut job = creating();
    assert_eq!(job.handle(Event::DeletionRequested, at(1)), [], "its answer comes first");
    let effects = job.handle(Event::LockGone, at(2));
    assert_eq!(job.outcome().map(|it| it.result), Some(JobResult::Cancelled));
    assert!(steps(&mut job, effects).contains(&Step::RemovePod));
}

#[test]
fn a_pod_that_comes_after_the_end_changes_nothing() {
    let mut job = creating();
    job.handle(Event::LockGone, at(1));
    let before = job.clone();
    for event in [Event::PodCreated, Event::PodSeen(pod(PodStage::Pending(None))), Event::PodsAdmitted] {
        assert_eq!(job.handle(event, at(2)), []);
    }
    assert_eq!(job, before);
}

#[test]
fn a_job_that_is_cancelled_while_its_pod_is_posted_tries_no_more() {
    for answer in [Event::PodCreateFailed, INVALID, QUOTA] {
        let mut job = creating();
        job.handle(Event::DeletionRequested, at(1));
        let effects = job.handle(answer.clone(), at(2));
        assert_eq!(job.outcome().map(|it| it.result), Some(JobResult::Cancelled), "{answer:?}");
        assert!(!effects.iter().any(|it| matches!(it, Effect::Wake(..))), "{effects:?}");
    }
}

#[test]
fn who_waits_is_told_once_it_has_lasted_and_again_only_of_something_else() {
    let mut job = acquiring();
    let effects = job.handle(Event::Acquired { locked_until: at(600) }, EPOCH);
    assert!(effects.contains(&Effect::Wake(Timer::TellWaiting, at(2))), "{effects:?}");
    job.handle(Event::PayloadStored, EPOCH);
    job.handle(QUOTA, at(1));
    assert_eq!(job.handle(Event::Due(Timer::TellWaiting), at(2)), tells(Waiting::Quota));
    assert_eq!(job.handle(Event::Due(Timer::TellWaiting), at(3)), []);
    job.handle(Event::Due(Timer::CreatePod), at(31));
    let same = job.handle(QUOTA, at(31));
    assert!(!same.contains(&Effect::Write(Write::PatchWaiting)), "{same:?}");
    job.handle(Event::Due(Timer::CreatePod), at(61));
    let other = job.handle(INVALID, at(61));
    assert!(tells(Waiting::Admission).iter().all(|it| other.contains(it)), "{other:?}");
}

#[test]
fn who_waits_for_an_answer_is_told_what_for() {
    let mut job = storing();
    assert_eq!(job.handle(Event::Due(Timer::TellWaiting), at(2)), tells(Waiting::Secret));
    let effects = job.handle(Event::PayloadStored, at(3));
    assert_eq!(effects, [CREATE, Effect::Wake(Timer::TellWaiting, at(5))], "the pod may come in a moment");
    assert_eq!(job.handle(Event::Due(Timer::TellWaiting), at(5)), tells(Waiting::Pod));
}

#[test]
fn a_job_that_has_its_pod_waits_for_nothing() {
    let mut job = creating();
    job.handle(Event::PodCreated, at(1));
    assert_eq!(job.handle(Event::Due(Timer::TellWaiting), at(2)), []);
    assert_eq!(job.handle(Event::Due(Timer::Placing), at(600)), []);
    assert_eq!(job.waiting(), None);
}

#[test]
fn c4_a_successor_knows_what_was_waited_for_and_since_when() {
    let found = Recovered { waiting: Some(Waiting::Admission), ..found() };
    let (mut job, effects) = Job::recover(Policy::default(), 7, found, at(60));
    assert!(effects.contains(&CREATE), "{effects:?}");
    assert!(effects.contains(&Effect::Wake(Timer::Placing, at(600))), "counted from the claim: {effects:?}");
    let again = job.handle(INVALID, at(61));
    assert!(again.contains(&BREAK) && !again.contains(&Effect::Write(Write::PatchWaiting)), "{again:?}");
    job.handle(Event::Due(Timer::TellWaiting), at(62));
    job.handle(Event::LockGone, at(63));
    assert_eq!(reason(&job), Some(FailureReason::PodRefused));
}

#[test]
fn c3_an_acquired_job_that_github_holds_no_longer_ends_with_a_word() {
    let found = Recovered { payload_stored: false, waiting: Some(Waiting::Quota), ..found() };
    let (mut job, _) = Job::recover(Policy::default(), 7, found, at(60));
    job.handle(Event::AcquireRefused { doubtful: false }, at(61));
    let effects = job.handle(Event::AgentSeen(AgentState::Free), at(62));
    assert_eq!(reason(&job), Some(FailureReason::QuotaRejected));
    assert_eq!(told(&effects), None, "there is no lock to tell it under");
}
