use api::Kind;
use api::conditions::table::is_listed;

use super::*;
use crate::versions::VersionFacts;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn group() -> RunnerGroup {
    serde_yaml::from_str(
        "{ apiVersion: actions-gateway.github.com/v1alpha1, kind: RunnerGroup, metadata: { name: blue, generation: 3 },
           spec: { runnerLabels: [self-hosted] } }",
    )
    .unwrap()
}

fn of(facts: &GroupState) -> RunnerGroupStatus {
    status(&group(), None, facts, None, NOW)
}

#[track_caller]
fn check(status: &RunnerGroupStatus, type_: Type, expected: &str, reason: Reason) {
    let unlisted = status.conditions.iter().find(|it| !is_listed(Kind::RunnerGroup, it));
    assert_eq!(unlisted, None, "the table of conditions has no such line");
    let found = api::conditions::find(&status.conditions, type_).unwrap();
    assert_eq!((found.status.as_str(), found.reason.as_str()), (expected, reason.as_str()));
    assert_eq!(found.observed_generation, Some(3));
}

#[test]
fn a_group_is_ready_while_a_session_listens() {
    check(&of(&GroupState::default()), Type::Ready, "False", Reason::NoActiveSessions);
    check(
        &of(&GroupState { listening: 1, ..GroupState::default() }),
        Type::Ready,
        "True",
        Reason::ListenerActive,
    );
}

#[test]
fn a_group_that_cannot_register_says_why() {
    let troubles = [
        (Trouble::LabelsRefused("x".into()), Reason::LabelsRefused),
        (Trouble::RunnerGroupNotFound("x".into()), Reason::RunnerGroupNotFound),
        (Trouble::TokenUnavailable("x".into()), Reason::TokenUnavailable),
        (Trouble::Other("x".into()), Reason::NoActiveSessions),
    ];
    for (trouble, reason) in troubles {
        check(
            &of(&GroupState { trouble: Some(trouble), ..GroupState::default() }),
            Type::Ready,
            "False",
            reason,
        );
    }
}

#[test]
fn the_moment_between_a_claim_and_the_next_listener_is_no_trouble() {
    let mut was_ready = group();
    was_ready.status = Some(of(&GroupState { listening: 1, ..GroupState::default() }));
    let between = GroupState { opening: 1, is_between: true, ..GroupState::default() };
    check(&status(&was_ready, None, &between, None, NOW), Type::Ready, "True", Reason::ListenerActive);
    check(&of(&between), Type::Ready, "False", Reason::NoActiveSessions);
    let longer = GroupState { opening: 1, ..GroupState::default() };
    check(&status(&was_ready, None, &longer, None, NOW), Type::Ready, "False", Reason::NoActiveSessions);
}

#[test]
fn a_group_that_nobody_listens_for_says_why_its_polls_fail() {
    let words = "invalid peer certificate: UnknownIssuer";
    let status = of(&GroupState { opening: 1, poll_error: Some(words.into()), ..GroupState::default() });
    check(&status, Type::Ready, "False", Reason::NoActiveSessions);
    assert!(message(&status, Type::Ready).contains(words));
}

#[test]
fn every_other_condition_is_set_and_cleared() {
    let well = of(&GroupState::default());
    check(&well, Type::Degraded, "False", Reason::ReconcileSucceeded);
    check(&well, Type::RateLimited, "False", Reason::PollingHealthy);
    check(&well, Type::RunnerVersionTooOld, "False", Reason::VersionAccepted);
    check(&well, Type::WorkersUnschedulable, "False", Reason::WorkersSchedulable);
    check(&well, Type::PossibleReapBlockingSidecar, "False", Reason::NoReapBlockingSidecar);
    let facts = GroupState {
        rate_limited: true,
        version_too_old: Some("old".into()),
        outlived_pod: Some("pod: mesh".into()),
        ..GroupState::default()
    };
    let ill = status(&group(), Some(&validate::Error(Vec::new())), &facts, Some("pod: no node".into()), NOW);
    check(&ill, Type::Degraded, "True", Reason::InvalidSpec);
    check(&ill, Type::RateLimited, "True", Reason::SustainedRateLimit);
    check(&ill, Type::RunnerVersionTooOld, "True", Reason::VersionTooOld);
    check(&ill, Type::WorkersUnschedulable, "True", Reason::PodsUnschedulable);
    check(&ill, Type::PossibleReapBlockingSidecar, "True", Reason::ReapBlockingSidecar);
}

#[test]
fn what_the_api_server_says_of_the_pods_is_a_condition_and_a_refusal_is_not_ready() {
    let listening = |answer: Answer| {
        of(&GroupState { listening: 1, workers_admitted: Some(answer), ..GroupState::default() })
    };
    let type_ = Type::WorkersAdmitted;
    let words = || "words".to_owned();
    let taken = [
        (Answer::Accepted, "True", Reason::DryRunAccepted),
        (Answer::Unsupported(words()), "Unknown", Reason::DryRunUnsupported),
        (Answer::Unknown(words()), "Unknown", Reason::Unknown),
        (Answer::QuotaExceeded(words()), "False", Reason::QuotaExceeded),
    ];
    for (answer, status, reason) in taken {
        let written = listening(answer);
        check(&written, type_, status, reason);
        check(&written, Type::Ready, "True", Reason::ListenerActive);
    }
    let refused = listening(Answer::Refused(words()));
    check(&refused, type_, "False", Reason::PodRefused);
    check(&refused, Type::Ready, "False", Reason::PodRefused);
    assert_eq!(message(&refused, Type::Ready), "words");
    assert!(api::conditions::find(&of(&GroupState::default()).conditions, type_).is_none());
}

#[test]
fn why_no_job_is_taken_stands_in_the_status_with_its_numbers() {
    let why = Withheld { reason: "ceiling", detail: "20 of 20 workers".into(), count: 3, since: NOW };
    let intake = of(&GroupState { withheld: Some(why), ..GroupState::default() }).intake.unwrap();
    let [withheld] = intake.withheld.as_slice() else { panic!("{intake:?}") };
    assert_eq!((withheld.reason.as_str(), withheld.detail.as_str()), ("ceiling", "20 of 20 workers"));
    assert_eq!((withheld.count, withheld.since.clone()), (3, Time(NOW)));
    assert_eq!(of(&GroupState::default()).intake, None);
}

/// GroupState of a group whose last worker ran this version, and whose version ends so many days from now.
fn running(worker: Option<&str>, days_left: Option<i64>) -> GroupState {
    let version = VersionFacts {
        reported: worker.unwrap_or("2.337.0").into(),
        configured: "2.337.0".into(),
        image: "runner:1".into(),
        configured_at: NOW,
        worker: worker.map(str::to_owned),
        ends_at: days_left.map(|it| NOW + jiff::SignedDuration::from_hours(24 * it)),
        days_left,
        newest: "2.338.0".into(),
    };
    GroupState { runner_version: Some(version), ..GroupState::default() }
}

fn message(status: &RunnerGroupStatus, type_: Type) -> &str {
    &api::conditions::find(&status.conditions, type_).unwrap().message
}

#[test]
fn a_version_is_accepted_until_it_ends_soon_and_ends_until_it_is_refused() {
    let type_ = Type::RunnerVersionTooOld;
    check(&of(&running(None, None)), type_, "False", Reason::VersionAccepted);
    check(&of(&running(None, Some(15))), type_, "False", Reason::VersionAccepted);
    let ending = of(&running(None, Some(14)));
    check(&ending, type_, "True", Reason::VersionEnding);
    assert!(message(&ending, type_).contains("2.337.0 until 1970-01-15T00:00:00Z"), "{ending:?}");
    let refused = GroupState { version_too_old: Some("their words".into()), ..running(None, Some(3)) };
    let refused = of(&refused);
    check(&refused, type_, "True", Reason::VersionTooOld);
    let words = message(&refused, type_);
    let parts = ["their words", "2.338.0", "runner.version", "runnerVersion"];
    assert!(parts.iter().all(|it| words.contains(it)), "{words}");
}

#[test]
fn a_workers_version_differs_or_agrees_and_before_it_is_known_nothing_is_said() {
    let type_ = Type::RunnerVersionMismatch;
    assert!(api::conditions::find(&of(&running(None, None)).conditions, type_).is_none());
    check(&of(&running(Some("2.337.0"), None)), type_, "False", Reason::VersionAccepted);
    let differs = of(&running(Some("2.336.0"), None));
    check(&differs, type_, "True", Reason::VersionDiffers);
    let words = message(&differs, type_);
    assert!(words.contains("2.336.0") && words.contains("2.337.0"), "{words}");
}

#[test]
fn what_is_known_of_the_version_stands_in_the_status() {
    assert_eq!(of(&GroupState::default()).runner_version, None);
    let written = of(&running(Some("2.336.0"), Some(20))).runner_version.unwrap();
    insta::assert_json_snapshot!(written, @r#"
    {
      "reported": "2.336.0",
      "configured": "2.337.0",
      "image": "runner:1",
      "configuredAt": "1970-01-01T00:00:00Z",
      "worker": "2.336.0",
      "endsAt": "1970-01-21T00:00:00Z"
    }
    "#);
}
