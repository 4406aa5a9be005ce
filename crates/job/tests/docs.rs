//! The operators' page knows every failure reason, and no other; and each of them is set by something.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fs;

use api::FailureReason;
use api::runner_job::JobResult;
use jiff::{SignedDuration, Timestamp};
use job::outcome::{Disruption, FailedInit, Report};
use job::{AgentState, Ending, Event, Job, PodRefusal, PodStage, PodView, Policy, StartFailure, Timer};
use strum::IntoEnumIterator as _;

fn root() -> String {
    format!("{}/../..", env!("CARGO_MANIFEST_DIR"))
}

/// The first words of the rows of the section's table.
fn rows() -> BTreeSet<String> {
    let page = fs::read_to_string(format!("{}/docs/operating/troubleshooting.md", root())).unwrap();
    let (_, section) = page.split_once("\n## By failure reason\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let word = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    section.lines().filter_map(word).collect()
}

#[test]
fn every_failure_reason_has_an_entry_and_every_entry_is_a_failure_reason() {
    assert_eq!(rows(), FailureReason::iter().map(|it| it.as_str().to_owned()).collect());
}

#[test]
fn every_failure_reason_is_set_by_something() {
    let reached = judged_by_endings().chain(decided_by_the_machine()).chain(stopped_by_the_machine());
    let reached: BTreeSet<FailureReason> = reached.collect();
    assert_eq!(reached, FailureReason::iter().collect());
}

/// The reasons in the outcome of every pod's end that can be told from another.
fn judged_by_endings() -> impl Iterator<Item = FailureReason> {
    let reports = [
        Report::Concluded { result: JobResult::Failed, oom_kills: 0 },
        Report::Concluded { result: JobResult::Failed, oom_kills: 1 },
        Report::Concluded { result: JobResult::Cancelled, oom_kills: 0 },
        Report::ShutDown { oom_kills: 0 },
        Report::RunnerDied { oom_kills: 0 },
        Report::WrapperFailed,
        Report::Missing,
    ];
    let plain = Ending { deletion_requested: false, ..Ending::vanished(Timestamp::UNIX_EPOCH) };
    let mut endings = Vec::new();
    for report in reports {
        let ending = Ending { report, ..plain.clone() };
        endings.push(Ending { exit_code: Some(1), ..ending.clone() });
        endings.push(Ending { rejected: true, ..ending.clone() });
        endings.extend(FailedInit::iter().map(|it| Ending { failed_init: Some(it), ..ending.clone() }));
        endings.push(Ending { oom_killed: true, ..ending.clone() });
        endings.push(Ending { deadline_exceeded: true, ..ending.clone() });
        endings.push(Ending { deletion_requested: true, ..ending.clone() });
        endings.extend(Disruption::iter().map(|it| Ending { disruption: Some(it), ..ending.clone() }));
        endings.push(ending);
    }
    endings.into_iter().filter_map(|it| it.conclude().reason)
}

/// The reasons of jobs that end without a pod, by the answer that ends them.
fn decided_by_the_machine() -> impl Iterator<Item = FailureReason> {
    let claimed = [Event::Admitted, Event::Recorded, Event::Acquired { locked_until: Timestamp::MAX }];
    let stored = [&claimed[..], &[Event::PayloadStored]].concat();
    let lost = Event::LockGone;
    let stories = [
        vec![
            Event::Admitted,
            Event::Recorded,
            Event::AcquireRefused { doubtful: true },
            Event::AgentSeen(AgentState::Busy),
        ],
        [&claimed[..], &[Event::PayloadTooLarge]].concat(),
        [&stored[..], &[Event::PodRefused(PodRefusal::Invalid), lost.clone()]].concat(),
        [&stored[..], &[Event::PodCreateFailed, lost]].concat(),
        [&stored[..], &[Event::PodRefused(PodRefusal::Quota)]].concat(),
    ];
    let policy = Policy { quota_retries: 0, ..Policy::default() };
    stories.into_iter().filter_map(move |events| {
        let mut job = Job::offered(policy.clone(), 7, Timestamp::UNIX_EPOCH);
        events.into_iter().for_each(|it| drop(job.handle(it, Timestamp::UNIX_EPOCH)));
        job.outcome()?.reason
    })
}

/// The reasons of jobs whose pod the machine gives up: what it shows, what is due, and that it is gone.
fn stopped_by_the_machine() -> impl Iterator<Item = FailureReason> {
    const DAY: SignedDuration = SignedDuration::from_hours(24);
    let pending = |it: StartFailure| Event::PodSeen(view(PodStage::Pending(Some(it))));
    let mut stories: Vec<[Event; 2]> = StartFailure::iter()
        .flat_map(|it| {
            [[pending(it), Event::Due(Timer::StartFailure)], [pending(it), Event::Due(Timer::Pending)]]
        })
        .collect();
    let running = Event::PodSeen(view(PodStage::Running { since: Timestamp::UNIX_EPOCH }));
    stories.extend([Event::Due(Timer::Lifetime), Event::LockGone].map(|it| [running.clone(), it]));
    stories.into_iter().filter_map(|story| {
        let mut job = Job::offered(Policy::default(), 7, Timestamp::UNIX_EPOCH);
        let made = [
            Event::Admitted,
            Event::Recorded,
            Event::Acquired { locked_until: Timestamp::MAX },
            Event::PayloadStored,
            Event::PodCreated,
        ];
        let [seen, then] = story;
        made.into_iter().chain([seen]).for_each(|it| drop(job.handle(it, Timestamp::UNIX_EPOCH)));
        let later = Timestamp::UNIX_EPOCH + DAY;
        job.handle(then, later);
        job.handle(Event::PodSeen(view(PodStage::Ended(Ending::vanished(later)))), later);
        job.outcome()?.reason
    })
}

fn view(stage: PodStage) -> PodView {
    PodView {
        stage,
        created: Timestamp::UNIX_EPOCH,
        scheduled: None,
        gone_by: None,
        disruption: None,
        held: true,
        listens: true,
        asked: None,
    }
}
