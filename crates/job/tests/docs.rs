//! The operators' page knows every failure reason, and no other; and it knows which of them nothing sets.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fs;

use api::runner_job::JobResult;
use api::{FailureReason, StopReason};
use jiff::Timestamp;
use job::outcome::{Disruption, Report};
use job::{AgentState, Ending, Event, Job, PodRefusal, Policy};
use strum::IntoEnumIterator as _;

fn root() -> String {
    format!("{}/../..", env!("CARGO_MANIFEST_DIR"))
}

/// The first words of the rows in each table of the section, table by table.
fn tables() -> Vec<BTreeSet<String>> {
    let page = fs::read_to_string(format!("{}/docs/operating/troubleshooting.md", root())).unwrap();
    let (_, section) = page.split_once("\n## By failure reason\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let word = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let table = |text: &str| text.lines().filter_map(word).collect::<BTreeSet<String>>();
    section.split("\n\n").map(table).filter(|it| !it.is_empty()).collect()
}

#[test]
fn every_failure_reason_has_an_entry_and_every_entry_is_a_failure_reason() {
    let [set, unset] = tables().try_into().unwrap();
    let named: BTreeSet<String> = set.union(&unset).cloned().collect();
    assert_eq!(named, FailureReason::iter().map(|it| it.as_str().to_owned()).collect());
    assert!(set.is_disjoint(&unset), "named twice: {:?}", set.intersection(&unset));
}

/// Whoever begins to set a reason moves its row, and whoever stops doing so, too.
#[test]
fn the_page_tells_which_reasons_are_set_and_which_are_not_yet() {
    let [said_to_be_set, _] = tables().try_into().unwrap();
    let reached: BTreeSet<FailureReason> = judged_by_endings().chain(decided_by_the_machine()).collect();
    assert_eq!(said_to_be_set, reached.into_iter().map(|it| it.as_str().to_owned()).collect());
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
        endings.push(Ending { oom_killed: true, ..ending.clone() });
        endings.push(Ending { deadline_exceeded: true, ..ending.clone() });
        endings.push(Ending { deletion_requested: true, ..ending.clone() });
        endings.extend(StopReason::iter().map(|it| Ending { stamp: Some(it), ..ending.clone() }));
        endings.extend(Disruption::iter().map(|it| Ending { disruption: Some(it), ..ending.clone() }));
        endings.push(ending);
    }
    endings.into_iter().filter_map(|it| it.conclude().reason)
}

/// The reasons of jobs that end without a pod, by the answer that ends them.
fn decided_by_the_machine() -> impl Iterator<Item = FailureReason> {
    let claimed = [Event::Admitted, Event::Recorded, Event::Acquired { locked_until: Timestamp::MAX }];
    let stored = [&claimed[..], &[Event::PayloadStored]].concat();
    let stories = [
        vec![
            Event::Admitted,
            Event::Recorded,
            Event::AcquireRefused { doubtful: true },
            Event::AgentSeen(AgentState::Busy),
        ],
        [&claimed[..], &[Event::PayloadTooLarge]].concat(),
        [&stored[..], &[Event::PodRefused(PodRefusal::Invalid)]].concat(),
        [&stored[..], &[Event::PodRefused(PodRefusal::Quota)]].concat(),
    ];
    let policy = Policy { quota_retries: 0, ..Policy::default() };
    stories.into_iter().filter_map(move |events| {
        let mut job = Job::offered(policy.clone(), 7, Timestamp::UNIX_EPOCH);
        events.into_iter().for_each(|it| drop(job.handle(it, Timestamp::UNIX_EPOCH)));
        job.outcome()?.reason
    })
}
