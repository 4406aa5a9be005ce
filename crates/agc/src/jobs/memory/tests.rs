use std::sync::Arc;

use github_proto::RequestId;
use github_proto::message::RunnerJobRequest;
use job::naming::RunnerJobName;
use job::{DeadLetter, Event, Job, Policy, StepOutcome};
use proptest::prelude::*;
use strum::IntoEnumIterator as _;

use super::*;
use crate::jobs::offer::{BrokerOffer, Offer, Source};
use crate::jobs::snapshot::PodFacts;
use crate::runner_group::group::GroupId;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn offer() -> Offer {
    let group = serde_yaml::from_str(
        "{ apiVersion: v, kind: RunnerGroup, metadata: { name: blue, uid: u }, spec: { runnerLabels: [a] } }",
    );
    Offer {
        name: RunnerJobName::existing("blue-0123456789"),
        group: Arc::new(GroupId::of(&group.unwrap())),
        spec: None,
        source: Source::Broker(BrokerOffer {
            agent: api::runner_job::AgentRef { name: "blue-0-1".into(), runner_id: 7 },
            credentials: None,
            request: RunnerJobRequest {
                request_id: RequestId::parse("request").unwrap(),
                should_acknowledge: false,
                run_service_url: "https://run.test/".parse().unwrap(),
                billing_owner_id: None,
            },
            session: None,
        }),
    }
}

pub(crate) fn snapshot(phase: Phase, outcome: Option<Outcome>) -> JobSnapshot {
    JobSnapshot {
        offer: Arc::new(offer()),
        acquired: None,
        identity: Some(api::runner_job::JobIdentity {
            plan_id: "plan".into(),
            job_id: "job".into(),
            name: "build".into(),
            repository: "synthetic-org/demo".into(),
            workflow: "ci".into(),
            run_id: "1".into(),
            run_attempt: 1,
        }),
        priority_class: None,
        times: job::Times { offered: Some(NOW), acquired: Some(NOW), ..job::Times::default() },
        phase,
        outcome,
        dead_letter: None,
        locked_until: Some(NOW),
        cluster_words: None,
        waiting: None,
        payload_stored: true,
        is_hindered: false,
        rejected_pod: None,
        pod: Some(PodFacts { name: "pod".into(), uid: "pod-uid".into(), node: None, deleting: false }),
        span: tracing::Span::none(),
    }
}

/// What a controller writes of a job.
fn status(
    snapshot: &JobSnapshot,
    old: &RunnerJobStatus,
    generation: Option<i64>,
    now: Timestamp,
) -> RunnerJobStatus {
    Memory::of(snapshot).write(snapshot.phase, old, generation, now)
}

#[test]
fn no_template_may_mount_the_payload_of_a_job() {
    let name = RunnerJobName::of_offer("blue", "uid", "request").payload_secret();
    assert!(api::names::is_gateways_secret(&name), "{name}");
}

#[test]
fn a_claimed_job_and_its_end_are_said_whole() {
    let starting = status(&snapshot(Phase::Starting, None), &RunnerJobStatus::default(), Some(1), NOW);
    insta::assert_yaml_snapshot!("starting", starting);
    let outcome = Outcome { exit_code: Some(137), ..Outcome::failed(FailureReason::OomKilled) };
    let failed = status(&snapshot(Phase::Failed, Some(outcome)), &starting, Some(1), NOW);
    insta::assert_yaml_snapshot!("failed", failed);
}

#[test]
fn a_claim_that_was_lost_is_not_acquired() {
    let lost = JobSnapshot {
        identity: None,
        pod: None,
        ..snapshot(Phase::Failed, Some(Outcome::failed(FailureReason::ClaimLost)))
    };
    let lost = status(&lost, &RunnerJobStatus::default(), Some(1), NOW);
    let said = |type_| {
        let found = api::conditions::find(&lost.conditions, type_).unwrap();
        (found.status.as_str(), found.reason.as_str())
    };
    assert_eq!(said(Type::Acquired), ("False", "ClaimLost"));
    assert_eq!(said(Type::Complete), ("True", "ClaimLost"));
}

#[test]
fn what_a_restart_does_not_know_again_stays() {
    let first = status(&snapshot(Phase::Running, None), &RunnerJobStatus::default(), Some(1), NOW);
    let forgetful = JobSnapshot {
        identity: None,
        pod: None,
        ..snapshot(Phase::Failed, Some(Outcome::failed(FailureReason::PodDeleted)))
    };
    let second = status(&forgetful, &first, Some(1), NOW);
    assert_eq!((&second.job, &second.pod), (&first.job, &first.pod));
}

/// A job that nobody finds a pod of.
fn waiting(waiting: Waiting, words: Option<&str>) -> JobSnapshot {
    JobSnapshot {
        pod: None,
        waiting: Some(waiting),
        payload_stored: waiting != Waiting::Secret,
        cluster_words: words.map(str::to_owned),
        ..snapshot(Phase::Acquired, None)
    }
}

#[test]
fn a_job_that_waits_for_its_pod_says_which_it_is_and_what_for() {
    let refused = "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\"";
    let empty = RunnerJobStatus::default();
    let status = status(&waiting(Waiting::Admission, Some(refused)), &empty, Some(1), NOW);
    insta::assert_yaml_snapshot!("waiting", status);
}

#[test]
fn acquired_does_not_claim_that_a_payload_is_stored_that_is_not() {
    let early = status(&waiting(Waiting::Secret, None), &RunnerJobStatus::default(), Some(1), NOW);
    let said = |status: &RunnerJobStatus, type_| {
        let found = api::conditions::find(&status.conditions, type_).unwrap();
        (found.status.clone(), found.message.clone())
    };
    assert_eq!(said(&early, Type::Acquired), ("True".into(), "the job's payload is not stored".into()));
    assert!(said(&early, Type::PodCreated).1.contains("payload Secret"));
    let later = status(&snapshot(Phase::Starting, None), &early, Some(1), NOW);
    assert_eq!(said(&later, Type::Acquired), ("True".into(), "the job's payload is stored".into()));
    assert_eq!(said(&later, Type::PodCreated), ("True".into(), "created pod pod".into()));
    assert_eq!(later.reason, None);
}

#[test]
fn a_job_that_never_got_its_pod_ends_with_the_api_servers_words() {
    let refused = "exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4";
    let outcome = Some(Outcome::failed(FailureReason::QuotaRejected));
    let ended = JobSnapshot { outcome, phase: Phase::Failed, ..waiting(Waiting::Quota, Some(refused)) };
    let ended = status(&ended, &RunnerJobStatus::default(), Some(1), NOW);
    let complete = api::conditions::find(&ended.conditions, Type::Complete).unwrap();
    assert!(complete.message.contains(refused), "{}", complete.message);
    assert_eq!(ended.reason.as_deref(), Some("quota_rejected"));
    let created = api::conditions::find(&ended.conditions, Type::PodCreated).unwrap();
    assert_eq!((created.status.as_str(), created.reason.as_str()), ("False", "WaitingForQuota"));
}

/// C4: a status that names no pod leaves the pod to be created.
#[test]
fn c4_an_early_status_names_no_pod() {
    let mut object = RunnerJob::new(
        "blue-0123456789",
        serde_json::from_str(r#"{"runnerGroup":{"name":"blue"}}"#).unwrap(),
    );
    let early = status(&waiting(Waiting::Quota, None), &RunnerJobStatus::default(), None, NOW);
    object.status = Some(early);
    let found = recovered(&object);
    assert_eq!((found.pod_named, found.waiting), (false, Some(Waiting::Quota)));
    assert_eq!(found.times.acquired, Some(NOW));
}

#[test]
fn a_duplicate_has_no_result_of_its_own() {
    let duplicate = status(
        &snapshot(Phase::Cancelled, Some(Outcome::duplicate())),
        &RunnerJobStatus::default(),
        None,
        NOW,
    );
    assert_eq!(duplicate.result, None);
    assert_eq!(Outcome::duplicate().result, JobResult::Duplicate);
    assert_eq!(api::conditions::find(&duplicate.conditions, Type::Complete).unwrap().reason, "Duplicate");
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let results: Vec<JobResult> = JobResult::iter().collect();
    let reasons: Vec<FailureReason> = FailureReason::iter().collect();
    let reason = prop::option::of(prop::sample::select(reasons));
    (prop::sample::select(results), reason, any::<Option<i32>>())
        .prop_map(|(result, reason, exit_code)| Outcome { result, reason, exit_code })
}

fn any_time() -> impl Strategy<Value = Option<Timestamp>> {
    // Objects have whole seconds.
    prop::option::of((0i64..4_000_000_000).prop_map(|it| Timestamp::from_second(it).unwrap()))
}

fn any_ended() -> impl Strategy<Value = Option<Ended>> {
    let ended = (any_outcome(), 0..3).prop_map(|(outcome, sort)| match sort {
        0 => Ended::Complete(outcome),
        1 => Ended::AwaitingRerun(outcome),
        _ => Ended::DeadLetter(outcome, Kept::RerunFailedJobs),
    });
    prop::option::of(ended)
}

/// A memory that is whole: what was decided about a call belongs to a job that is complete.
fn any_memory() -> impl Strategy<Value = Memory> {
    let verdict = prop_oneof![Just(Verdict::Retry), Just(Verdict::Discard)];
    let times = (any_time(), any_time(), any_time(), any_time(), any_time(), any_time());
    let named = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let waiting = prop::sample::select(Waiting::iter().collect::<Vec<_>>());
    let waiting = prop::option::of((waiting, "[a-z: ]{1,40}"));
    let start = (any::<bool>(), any::<bool>(), any::<bool>());
    let memory = (any_ended(), prop::option::of(verdict), times, named, waiting, start);
    memory.prop_map(|(ended, decided, times, named, waiting, start)| {
        let whole = snapshot(Phase::Running, None);
        let example =
            Memory { trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()), ..Memory::of(&whole) };
        let (offered, acquired, pod_created, started, finished, locked_until) = times;
        let complete = matches!(ended, Some(Ended::Complete(_)));
        let pod = example.pod.filter(|_| named.1);
        let is_rejected = pod.is_some() && start.0;
        let waiting = waiting.filter(|_| pod.is_none() || is_rejected);
        let is_hindered = pod.is_some() && !is_rejected && start.1;
        let memory = Memory {
            identity: example.identity.filter(|_| named.0),
            payload_stored: named.0 && named.3,
            rejected_pod: pod.clone().filter(|_| is_rejected),
            pod,
            waiting,
            is_hindered,
            trace_id: example.trace_id.filter(|_| named.2),
            times: Times { offered, acquired, pod_created, scheduled: None, started, finished },
            locked_until,
            decided: decided.filter(|_| complete),
            ended,
            words: None,
        };
        let has_failed =
            memory.outcome().is_some_and(|it| it.result == JobResult::Failed && it.reason.is_some());
        let is_explained = has_failed || is_hindered || (is_rejected && memory.waiting.is_none());
        let words = "container runner: ErrImagePull: no such host".to_owned();
        Memory { words: (is_explained && start.2).then_some(words), ..memory }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_recovered(memory in any_memory(), phase in prop::sample::select(Phase::iter().collect::<Vec<_>>())) {
        let status = memory.clone().write(phase, &RunnerJobStatus::default(), Some(1), NOW);
        for it in &status.conditions {
            prop_assert!(api::conditions::table::is_listed(api::Kind::RunnerJob, it), "{it:?}");
        }
        let stored: RunnerJobStatus = serde_json::from_str(&serde_json::to_string(&status).unwrap()).unwrap();
        prop_assert_eq!(Memory::read(Some(&stored)), memory);
    }

    #[test]
    fn nothing_reads_the_phase_back(memory in any_memory(), one in prop::sample::select(Phase::iter().collect::<Vec<_>>()), other in prop::sample::select(Phase::iter().collect::<Vec<_>>())) {
        let write = |phase| memory.clone().write(phase, &RunnerJobStatus::default(), None, NOW);
        prop_assert_eq!(Memory::read(Some(&write(one))), Memory::read(Some(&write(other))));
    }
}

/// A job that was told all this, at times of whole seconds.
fn told(events: &[Event]) -> Job {
    let mut job = Job::offered(Policy { reruns: true, ..Policy::default() }, 7, NOW);
    events.iter().for_each(|it| drop(job.handle(it.clone(), NOW)));
    job
}

fn remembered(job: &Job) -> JobSnapshot {
    JobSnapshot {
        times: *job.times(),
        locked_until: job.locked_until(),
        dead_letter: job.dead_letter(),
        ..snapshot(job.summary(), job.outcome().cloned())
    }
}

/// The machine as it was, from nothing but what was written: in every phase that a write leaves behind.
#[test]
fn a_successor_takes_a_job_up_in_the_phase_in_which_its_status_was_written() {
    let claimed = [Event::Admitted, Event::Recorded, Event::Acquired { locked_until: NOW }];
    let started = [&claimed[..], &[Event::PayloadStored, Event::PodCreated]].concat();
    let taken = |step: job::Step| Event::StepTaken(step, StepOutcome::Done);
    let vanished = [&started[..], &[Event::PodGone]].concat();
    let cleaned_up = [
        &vanished[..],
        &[
            taken(job::Step::CompleteJob(job::Unreported::Died)),
            taken(job::Step::DeletePayload),
            taken(job::Step::ReplaceAgent),
            taken(job::Step::PatchAwaitingRerun),
        ],
    ]
    .concat();
    let refused = Event::StepTaken(job::Step::RerunFailedJobs, StepOutcome::Refused);
    let kept = [&cleaned_up[..], &[refused, taken(job::Step::PatchComplete)]].concat();
    let settled = [&kept[..], &[Event::Decided(Verdict::Discard), taken(job::Step::PatchComplete)]].concat();
    for (events, phase) in
        [(&cleaned_up, Phase::AwaitingRerun), (&kept, Phase::Failed), (&settled, Phase::Failed)]
    {
        let job = told(events);
        assert_eq!(job.summary(), phase);
        let mut object = RunnerJob::new(
            "blue-0123456789",
            serde_json::from_str(r#"{"runnerGroup":{"name":"blue"}}"#).unwrap(),
        );
        object.status = Some(status(&remembered(&job), &RunnerJobStatus::default(), None, NOW));
        let policy = Policy { reruns: true, ..Policy::default() };
        let (successor, _) = Job::recover(policy, 7, recovered(&object), NOW);
        assert_eq!(successor.summary(), job.summary());
        assert_eq!(successor.outcome(), job.outcome());
        assert_eq!(successor.is_over(), job.is_over());
        let undecided = |it: DeadLetter| it.verdict.is_none();
        assert_eq!(
            successor.dead_letter().filter(|it| undecided(*it)),
            job.dead_letter().filter(|it| undecided(*it))
        );
    }
}

/// What the status says of the pod: status, reason and message of `PodCreated`.
fn pod_created(snapshot: &JobSnapshot) -> (String, String, String) {
    let status = status(snapshot, &RunnerJobStatus::default(), None, NOW);
    let found = api::conditions::find(&status.conditions, Type::PodCreated).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

#[test]
fn a_pod_that_waits_to_start_says_for_what() {
    let said = |it: (&str, &str, &str)| (it.0.to_owned(), it.1.to_owned(), it.2.to_owned());
    let words = "container runner: ErrImagePull: no such host";
    let seen = JobSnapshot { cluster_words: Some(words.into()), ..snapshot(Phase::Starting, None) };
    let hindered = JobSnapshot { is_hindered: true, ..seen.clone() };
    assert_eq!(pod_created(&seen), said(("True", "PodCreated", "created pod pod")), "it may be a moment's");
    assert_eq!(pod_created(&hindered), said(("True", "WaitingToStart", words)));
    let rejected = JobSnapshot { rejected_pod: seen.pod.clone(), ..seen };
    assert_eq!(pod_created(&rejected), said(("False", "NodeRejected", words)));
    let next = PodFacts { uid: "next".into(), ..rejected.pod.clone().unwrap() };
    assert_eq!(pod_created(&JobSnapshot { pod: Some(next), ..rejected }).1, "PodCreated");
}

#[test]
fn a_job_that_failed_says_what_the_cluster_said() {
    let words = "OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu";
    let outcome = Some(Outcome::failed(FailureReason::NodeRejected));
    let failed = JobSnapshot { cluster_words: Some(words.into()), ..snapshot(Phase::Failed, outcome) };
    let first = status(&failed, &RunnerJobStatus::default(), None, NOW);
    let said =
        |it: &RunnerJobStatus| api::conditions::find(&it.conditions, Type::Complete).unwrap().message.clone();
    assert!(said(&first).starts_with("node_rejected: ") && said(&first).ends_with(words), "{}", said(&first));
    let forgetful = JobSnapshot { cluster_words: None, ..failed };
    assert_eq!(said(&status(&forgetful, &first, None, NOW)), said(&first), "after a restart, too");
}

#[test]
fn c13_a_pod_that_was_rejected_is_not_one_that_vanished() {
    let starting = snapshot(Phase::Starting, None);
    let rejected = JobSnapshot { rejected_pod: starting.pod.clone(), ..starting.clone() };
    let next = PodFacts { uid: "next".into(), ..starting.pod.clone().unwrap() };
    let second = JobSnapshot { pod: Some(next), ..rejected.clone() };
    for (written, named, was_rejected) in
        [(starting, true, false), (rejected, false, true), (second, true, true)]
    {
        let mut object =
            RunnerJob::new("blue-0", serde_json::from_str(r#"{"runnerGroup":{"name":"blue"}}"#).unwrap());
        object.status = Some(status(&written, &RunnerJobStatus::default(), None, NOW));
        let found = recovered(&object);
        assert_eq!((found.pod_named, found.rejected), (named, was_rejected));
    }
}
