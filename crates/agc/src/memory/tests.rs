use std::sync::Arc;

use api::runner_job::Phase;
use github_proto::RequestId;
use github_proto::message::RunnerJobRequest;
use job::naming::RunnerJobName;

use super::*;
use crate::executor::PodFacts;
use crate::offer::{BrokerOffer, Offer, Source};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn offer() -> Offer {
    let group = serde_yaml::from_str(
        "{ apiVersion: v, kind: RunnerGroup, metadata: { name: blue, uid: u }, spec: { runnerLabels: [a] } }",
    );
    Offer {
        name: RunnerJobName::existing("blue-0123456789"),
        group: Arc::new(crate::runner_group::validate::identity(&group.unwrap())),
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

pub(in crate::executor) fn view(phase: Phase, outcome: Option<Outcome>) -> View {
    View {
        offer: Arc::new(offer()),
        claim: None,
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
        pod: Some(PodFacts { name: "pod".into(), uid: "pod-uid".into(), node: None, deleting: false }),
        span: tracing::Span::none(),
    }
}

#[test]
fn no_template_may_mount_the_payload_of_a_job() {
    let name = RunnerJobName::of_offer("blue", "uid", "request").payload_secret();
    assert!(api::names::is_controllers_secret(&name), "{name}");
}

#[test]
fn a_claimed_job_and_its_end_are_said_whole() {
    let starting = status(&view(Phase::Starting, None), &RunnerJobStatus::default(), Some(1), NOW);
    insta::assert_yaml_snapshot!("starting", starting);
    let outcome = Outcome { exit_code: Some(137), ..Outcome::failed(FailureReason::OomKilled) };
    let failed = status(&view(Phase::Failed, Some(outcome)), &starting, Some(1), NOW);
    insta::assert_yaml_snapshot!("failed", failed);
}

#[test]
fn a_claim_that_was_lost_is_not_acquired() {
    let lost = View {
        identity: None,
        pod: None,
        ..view(Phase::Failed, Some(Outcome::failed(FailureReason::ClaimLost)))
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
    let first = status(&view(Phase::Running, None), &RunnerJobStatus::default(), Some(1), NOW);
    let forgetful = View {
        identity: None,
        pod: None,
        ..view(Phase::Failed, Some(Outcome::failed(FailureReason::PodDeleted)))
    };
    let second = status(&forgetful, &first, Some(1), NOW);
    assert_eq!((&second.job, &second.pod), (&first.job, &first.pod));
}

#[test]
fn a_duplicate_has_no_result_of_its_own() {
    let duplicate =
        status(&view(Phase::Cancelled, Some(Outcome::duplicate())), &RunnerJobStatus::default(), None, NOW);
    assert_eq!(duplicate.result, None);
    assert_eq!(Outcome::duplicate().result, JobResult::Duplicate);
    assert_eq!(api::conditions::find(&duplicate.conditions, Type::Complete).unwrap().reason, "Duplicate");
}
