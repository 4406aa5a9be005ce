use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::effect::{Agent, Fact, Unreported};
use crate::event::{Asked, PodRefusal, PodStage, PodView, StepOutcome, Verdict};
use crate::outcome::{Ending, FailedInit, Report};

mod placing;
mod replacing;
mod settling;
mod starting;
mod stopping;
mod world;

const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    EPOCH + SignedDuration::from_secs(seconds)
}

fn pod(stage: PodStage) -> PodView {
    PodView {
        stage,
        created: EPOCH,
        scheduled: None,
        gone_by: None,
        disruption: None,
        held: true,
        listens: true,
        asked: None,
    }
}

fn succeeded() -> Ending {
    let report = Report::Concluded { result: JobResult::Succeeded, oom_kills: 0 };
    Ending { exit_code: Some(0), report, deletion_requested: false, ..Ending::vanished(at(30)) }
}

/// A job that stands right after these events, all at time zero.
fn after(events: &[Event]) -> Job {
    let mut job = Job::offered(Policy::default(), 7, EPOCH);
    for event in events {
        job.handle(event.clone(), EPOCH);
    }
    job
}

const LOCKED: Event = Event::Acquired { locked_until: Timestamp::UNIX_EPOCH };

fn acquiring() -> Job {
    after(&[Event::Admitted, Event::Recorded])
}

fn starting() -> Job {
    let mut job = acquiring();
    job.handle(Event::Acquired { locked_until: at(600) }, EPOCH);
    job.handle(Event::PayloadStored, EPOCH);
    job.handle(Event::PodCreated, EPOCH);
    job
}

fn running() -> Job {
    let mut job = starting();
    job.handle(Event::PodSeen(pod(PodStage::Running { since: at(5) })), at(5));
    job
}

fn cancelled(timeout: i64) -> Event {
    Event::Cancelled { timeout: SignedDuration::from_secs(timeout) }
}

/// What GitHub is told of the end.
fn told(effects: &[Effect]) -> Option<Unreported> {
    effects.iter().find_map(|it| match it {
        Effect::Call(Call::CompleteJob(what)) => Some(*what),
        _ => None,
    })
}

fn reason(job: &Job) -> Option<FailureReason> {
    job.outcome().and_then(|it| it.reason)
}

#[test]
fn an_ordinary_job_is_written_down_in_the_order_of_the_contract() {
    let mut job = Job::offered(Policy::default(), 7, EPOCH);
    let mut writes = Vec::new();
    let events = [
        (0, Event::Admitted),
        (0, Event::Recorded),
        (1, Event::Acquired { locked_until: at(600) }),
        (1, Event::PayloadStored),
        (1, Event::PodCreated),
        (1, Event::Renewed { locked_until: at(601) }),
        (5, Event::PodSeen(pod(PodStage::Running { since: at(5) }))),
        (15, Event::Due(Timer::MarkRunning)),
        (30, Event::PodSeen(pod(PodStage::Ended(succeeded())))),
        (30, Event::StepTaken(Step::PatchComplete, StepOutcome::Done)),
        (30, Event::StepTaken(Step::DeletePayload, StepOutcome::Done)),
        (30, Event::StepTaken(Step::ReplaceAgent, StepOutcome::Done)),
        (30, Event::StepTaken(Step::ReleasePod, StepOutcome::Done)),
    ];
    for (second, event) in events {
        writes.extend(
            job.handle(event, at(second))
                .into_iter()
                .filter(|it| !matches!(it, Effect::Wake(..) | Effect::Report(_))),
        );
    }
    let expected = [
        Effect::Slot(Slot::Take),
        Effect::Write(Write::CreateRunnerJob),
        Effect::Call(Call::AcquireJob),
        Effect::Write(Write::CreatePayload),
        Effect::Call(Call::RenewJob),
        Effect::Slot(Slot::Unthrottle),
        Effect::Agent(Agent::Keep),
        Effect::Write(Write::CreatePod),
        Effect::Write(Write::PatchAcquired),
        Effect::Write(Write::PatchRunning),
        Effect::Write(Write::PatchComplete),
        Effect::Slot(Slot::GiveBack),
        Effect::Write(Write::DeletePayload),
        Effect::Agent(Agent::Replace),
        Effect::Write(Write::ReleasePod),
    ];
    assert_eq!(writes, expected);
    assert_eq!(
        job.phase(),
        &Phase::Settled(Outcome { result: JobResult::Succeeded, reason: None, exit_code: Some(0) })
    );
}

#[test]
fn an_offer_that_was_not_ours_leaves_nothing_behind() {
    let effects = acquiring().handle(Event::AcquireRefused { doubtful: false }, EPOCH);
    assert_eq!(
        effects,
        [
            Effect::Slot(Slot::Throttle),
            Effect::Write(Write::DeleteRunnerJob),
            Effect::Slot(Slot::GiveBack),
            Effect::Agent(Agent::Release),
            Effect::Report(Fact::NotAcquired(NotAcquired::Refused)),
        ]
    );
}

#[test]
fn c3_a_refusal_after_an_unanswered_claim_is_settled_by_asking_for_the_agent() {
    let doubtful = || {
        let mut job = acquiring();
        job.handle(Event::AcquireFailed { sent: true }, EPOCH);
        assert_eq!(job.handle(Event::Due(Timer::Acquire), at(10)), [Effect::Call(Call::AcquireJob)]);
        assert_eq!(
            job.handle(Event::AcquireRefused { doubtful: false }, at(10)),
            [Effect::Call(Call::GetRunner)]
        );
        job
    };
    let mut lost = doubtful();
    lost.handle(Event::AgentSeen(AgentState::Busy), at(11));
    assert_eq!(reason(&lost), Some(FailureReason::ClaimLost));
    let mut never = doubtful();
    never.handle(Event::AgentSeen(AgentState::Free), at(11));
    assert_eq!(never.phase(), &Phase::Dropped);
}

#[test]
fn a_claim_that_never_left_us_gives_the_offer_back() {
    assert!(
        acquiring()
            .handle(Event::AcquireFailed { sent: false }, EPOCH)
            .contains(&Effect::Write(Write::DeleteRunnerJob))
    );
}

#[test]
fn a_claim_without_an_answer_is_repeated_and_then_asked_about() {
    let mut job = acquiring();
    for _ in 0..2 {
        let effects = job.handle(Event::AcquireFailed { sent: true }, EPOCH);
        assert!(matches!(effects[..], [Effect::Wake(Timer::Acquire, _)]));
        job.handle(Event::Due(Timer::Acquire), EPOCH);
    }
    assert_eq!(job.handle(Event::AcquireFailed { sent: true }, EPOCH), [Effect::Call(Call::GetRunner)]);
}

#[test]
fn a_renewal_is_tried_until_five_minutes_past_the_lock() {
    let mut job = running();
    let mut now = at(0);
    let mut tries = 0;
    while !job
        .handle(Event::RenewFailed, now)
        .contains(&Effect::Write(Write::AskToCancel(StopReason::LockLost, 60)))
    {
        now += SignedDuration::from_secs(30);
        assert_eq!(job.handle(Event::Due(Timer::Renew), now), [Effect::Call(Call::RenewJob)]);
        tries += 1;
    }
    assert_eq!(now, at(900));
    assert_eq!(tries, 30);
}

#[test]
fn a_pod_whose_node_is_gone_does_not_hold_its_job_for_ever() {
    let mut job = running();
    let deleting = PodView { gone_by: Some(at(60)), ..pod(PodStage::Running { since: at(5) }) };
    assert_eq!(job.handle(Event::PodSeen(deleting), at(30)), [Effect::Wake(Timer::Vanish, at(90))]);
    job.handle(Event::Due(Timer::Vanish), at(90));
    assert_eq!(reason(&job), Some(FailureReason::NodeLost));
}

/// What a successor finds of a job that was claimed and is not over.
fn found() -> Recovered {
    Recovered {
        times: Times { offered: Some(EPOCH), acquired: Some(EPOCH), ..Times::default() },
        ended: None,
        pod_named: false,
        rejected: false,
        pod_is_rejected: false,
        running_written: false,
        locked_until: Some(at(600)),
        payload_stored: true,
        pod: None,
        waiting: None,
        deletion_requested: false,
    }
}

#[track_caller]
fn check_recovery(found: Recovered, expected: &[Effect]) -> Job {
    let (job, effects) = Job::recover(Policy::default(), 7, found, at(60));
    let effects: Vec<Effect> =
        effects.into_iter().filter(|it| !matches!(it, Effect::Wake(..) | Effect::Report(_))).collect();
    assert_eq!(effects, expected);
    job
}

#[test]
fn c2_an_intent_alone_is_claimed_again() {
    let found = Recovered { payload_stored: false, ..found() };
    check_recovery(found, &[Effect::Slot(Slot::Take), Effect::Call(Call::AcquireJob)]);
}

#[test]
fn c4_a_stored_payload_gets_its_pod_and_its_lock_is_renewed() {
    check_recovery(
        found(),
        &[Effect::Slot(Slot::Take), Effect::Write(Write::CreatePod), Effect::Call(Call::RenewJob)],
    );
}

#[test]
fn c6_a_pod_that_no_status_names_is_named() {
    let found = Recovered { pod: Some(pod(PodStage::Pending(None))), ..found() };
    let job = check_recovery(
        found,
        &[Effect::Slot(Slot::Take), Effect::Call(Call::RenewJob), Effect::Write(Write::PatchAcquired)],
    );
    assert_eq!(job.phase(), &Phase::Starting);
}

#[test]
fn c7_a_running_job_is_renewed_at_once_and_goes_on() {
    let running = Some(pod(PodStage::Running { since: at(5) }));
    let job = check_recovery(
        Recovered { pod: running, pod_named: true, ..found() },
        &[Effect::Slot(Slot::Take), Effect::Call(Call::RenewJob)],
    );
    assert_eq!(job.phase(), &Phase::Running);
}

#[test]
fn c9_a_job_that_is_over_is_tidied_up_and_holds_no_slot() {
    let complete = Some(Ended::Complete(Outcome::failed(FailureReason::OomKilled)));
    let ended = Some(pod(PodStage::Ended(succeeded())));
    check_recovery(
        Recovered { ended: complete, pod: ended, ..found() },
        &[Effect::Write(Write::DeletePayload)],
    );
}

#[test]
fn c12_a_pod_that_was_named_and_is_not_there_has_vanished() {
    let tell = Effect::Call(Call::CompleteJob(Unreported::Died));
    let expected = [Effect::Slot(Slot::Take), tell, Effect::Slot(Slot::GiveBack)];
    let job = check_recovery(Recovered { pod_named: true, ..found() }, &expected);
    assert_eq!(reason(&job), Some(FailureReason::PodDeleted));
}

fn any_event() -> impl Strategy<Value = Event> {
    let timers = prop_oneof![
        Just(Timer::Acquire),
        Just(Timer::CheckAgent),
        Just(Timer::StorePayload),
        Just(Timer::CreatePod),
        Just(Timer::TellWaiting),
        Just(Timer::Placing),
        Just(Timer::Renew),
        Just(Timer::MarkRunning),
        Just(Timer::Pending),
        Just(Timer::StartFailure),
        Just(Timer::TellHindrance),
        Just(Timer::Lifetime),
        Just(Timer::Cancel),
        Just(Timer::Vanish),
        Just(Timer::Step)
    ];
    let steps = prop_oneof![
        Just(Step::CompleteJob(Unreported::Died)),
        Just(Step::CompleteJob(Unreported::NeverStarted)),
        Just(Step::PatchAwaitingRerun),
        Just(Step::RerunFailedJobs),
        Just(Step::PatchComplete),
        Just(Step::DeletePayload),
        Just(Step::RemovePod),
        Just(Step::ReplaceAgent),
        Just(Step::ReleasePod)
    ];
    let stages = prop_oneof![
        Just(PodStage::Pending(None)),
        Just(PodStage::Pending(Some(StartFailure::ImageName))),
        Just(PodStage::Pending(Some(StartFailure::ImagePull))),
        Just(PodStage::Pending(Some(StartFailure::PullBackOff))),
        Just(PodStage::Pending(Some(StartFailure::Passing))),
        Just(PodStage::Running { since: at(5) }),
        Just(PodStage::Ended(succeeded())),
        Just(PodStage::Ended(Ending {
            rejected: true,
            deletion_requested: false,
            ..Ending::vanished(at(9))
        })),
        Just(PodStage::Ended(Ending::vanished(at(9))))
    ];
    let refusals =
        prop_oneof![Just(PodRefusal::Duplicate), Just(PodRefusal::Quota), Just(PodRefusal::Invalid)];
    prop_oneof![
        4 => Just(Event::Admitted),
        4 => Just(Event::Recorded),
        4 => Just(Event::Acquired { locked_until: at(600) }),
        4 => Just(Event::PayloadStored),
        4 => Just(Event::PodCreated),
        1 => Just(Event::RecordFailed),
        1 => any::<bool>().prop_map(|doubtful| Event::AcquireRefused { doubtful }),
        1 => any::<bool>().prop_map(|sent| Event::AcquireFailed { sent }),
        1 => Just(Event::AgentSeen(AgentState::Busy)),
        1 => Just(Event::AgentSeen(AgentState::Free)),
        1 => Just(Event::AgentUnseen),
        1 => Just(Event::PayloadStoreFailed),
        1 => Just(Event::PayloadOverQuota),
        1 => Just(Event::PodsAdmitted),
        1 => Just(Event::PayloadTooLarge),
        1 => refusals.prop_map(Event::PodRefused),
        1 => Just(Event::PodCreateFailed),
        2 => Just(Event::Renewed { locked_until: at(1200) }),
        1 => Just(Event::RenewFailed),
        1 => Just(Event::LockGone),
        6 => (stages, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(stage, deleting, held, listens)| {
            Event::PodSeen(PodView { gone_by: deleting.then(|| at(60)), held, listens, ..pod(stage) })
        }),
        1 => Just(Event::PodGone),
        1 => (0i64..400).prop_map(cancelled),
        1 => Just(Event::DeletionRequested),
        8 => (steps, any_step_outcome()).prop_map(|(step, came)| Event::StepTaken(step, came)),
        1 => Just(Event::Decided(Verdict::Retry)),
        1 => Just(Event::Decided(Verdict::Discard)),
        8 => timers.prop_map(Event::Due),
    ]
}

fn any_step_outcome() -> impl Strategy<Value = StepOutcome> {
    prop_oneof![
        4 => Just(StepOutcome::Done),
        1 => Just(StepOutcome::PutOff),
        1 => Just(StepOutcome::Refused)
    ]
}

fn count(effects: &[Effect], matches: impl Fn(&Effect) -> bool) -> usize {
    effects.iter().filter(|it| matches(it)).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order(reruns: bool, events in vec((any_event(), 0i64..2000), 0..60)) {
        let mut job = Job::offered(Policy { reruns, ..Policy::default() }, 3, EPOCH);
        let mut effects = Vec::new();
        let mut over = None;
        let mut pod_exists = false;
        for (event, second) in events {
            // A pod that a node rejected is gone, and never ran.
            let replaced = *job.phase() == Phase::Replacing && event == Event::PodGone;
            pod_exists = !replaced && (pod_exists || matches!(job.phase(), Phase::Starting | Phase::Running | Phase::Replacing));
            let new = job.handle(event, at(second));
            prop_assert!(!pod_exists || !new.contains(&Effect::Write(Write::CreatePod)), "a second pod");
            let tries = count(&new, |it| *it == Effect::Write(Write::CreatePod));
            prop_assert!(tries == 0 || over.is_none(), "a job that is over gets no pod");
            let told = new.contains(&Effect::Write(Write::PatchWaiting));
            prop_assert!(!told || job.is_being_placed(), "nobody waits any more");
            effects.extend(new);
            match &over {
                Some(outcome) => prop_assert_eq!(job.outcome(), Some(outcome), "what is over stays as it is"),
                None => over = job.outcome().cloned(),
            }
        }
        let taken = count(&effects, |it| *it == Effect::Slot(Slot::Take));
        let given = count(&effects, |it| *it == Effect::Slot(Slot::GiveBack));
        let ended = job.outcome().is_some() || *job.phase() == Phase::Dropped;
        prop_assert!(if ended { taken == given } else { given == 0 }, "{taken} slots taken, {given} given back");
        prop_assert!(taken <= 1);
        let agent = |wanted| count(&effects, |it| *it == Effect::Agent(wanted));
        prop_assert!(agent(Agent::Keep) + agent(Agent::Release) <= 1, "an agent is kept for its job, or released");
        prop_assert_eq!(agent(Agent::Release), usize::from(*job.phase() == Phase::Dropped));
        prop_assert!(count(&effects, |it| *it == Effect::Write(Write::PatchRunning)) <= 1);
        let asked_again = count(&effects, |it| matches!(it, Effect::Wake(Timer::Step, _)));
        let told = count(&effects, |it| matches!(it, Effect::Call(Call::CompleteJob(_))));
        prop_assert!(told <= 1 + asked_again, "told {told} times, put off {asked_again} times");
        prop_assert!(count(&effects, |it| *it == Effect::Write(Write::RemoveRejectedPod)) <= 1);
        prop_assert!(count(&effects, |it| matches!(it, Effect::Write(Write::AskToCancel(..)))) <= 1);
        prop_assert!(count(&effects, |it| matches!(it, Effect::Write(Write::DeletePod(_, None)))) <= 1);
        prop_assert!(count(&effects, |it| matches!(it, Effect::Write(Write::DeletePod(_, Some(_))))) <= 1);
        prop_assert!(count(&effects, |it| matches!(it, Effect::Report(Fact::Finished(..)))) <= 1);
    }
}
