use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn group() -> RunnerGroup {
    serde_yaml::from_str(
        "{ apiVersion: actions-gateway.github.com/v1alpha1, kind: RunnerGroup, metadata: { name: blue, generation: 3 },
           spec: { runnerLabels: [self-hosted] } }",
    )
    .unwrap()
}

fn of(facts: &Facts) -> RunnerGroupStatus {
    status(&group(), None, facts, None, NOW)
}

#[track_caller]
fn check(status: &RunnerGroupStatus, type_: Type, expected: &str, reason: Reason) {
    let found = api::conditions::find(&status.conditions, type_).unwrap();
    assert_eq!((found.status.as_str(), found.reason.as_str()), (expected, reason.as_str()));
    assert_eq!(found.observed_generation, Some(3));
}

#[test]
fn a_group_is_ready_while_a_session_listens() {
    check(&of(&Facts::default()), Type::Ready, "False", Reason::NoActiveSessions);
    check(&of(&Facts { listening: 1, ..Facts::default() }), Type::Ready, "True", Reason::ListenerActive);
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
        check(&of(&Facts { trouble: Some(trouble), ..Facts::default() }), Type::Ready, "False", reason);
    }
}

#[test]
fn the_moment_between_a_claim_and_the_next_listener_is_no_trouble() {
    let mut was_ready = group();
    was_ready.status = Some(of(&Facts { listening: 1, ..Facts::default() }));
    let between = Facts { opening: 1, ..Facts::default() };
    check(&status(&was_ready, None, &between, None, NOW), Type::Ready, "True", Reason::ListenerActive);
    check(&of(&between), Type::Ready, "False", Reason::NoActiveSessions);
}

#[test]
fn every_other_condition_is_set_and_cleared() {
    let well = of(&Facts::default());
    check(&well, Type::Degraded, "False", Reason::ReconcileSucceeded);
    check(&well, Type::RateLimited, "False", Reason::PollingHealthy);
    check(&well, Type::RunnerVersionTooOld, "False", Reason::VersionAccepted);
    check(&well, Type::WorkersUnschedulable, "False", Reason::WorkersSchedulable);
    let facts = Facts { rate_limited: true, version_too_old: Some("old".into()), ..Facts::default() };
    let ill = status(&group(), Some(&validate::Error::NoLabels), &facts, Some("pod: no node".into()), NOW);
    check(&ill, Type::Degraded, "True", Reason::InvalidSpec);
    check(&ill, Type::RateLimited, "True", Reason::SustainedRateLimit);
    check(&ill, Type::RunnerVersionTooOld, "True", Reason::VersionTooOld);
    check(&ill, Type::WorkersUnschedulable, "True", Reason::PodsUnschedulable);
}
