use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn lease(renewed: &str, seconds: i32) -> Lease {
    let spec = json!({ "leaseDurationSeconds": seconds, "renewTime": renewed });
    serde_json::from_value(json!({ "metadata": {}, "spec": spec })).unwrap()
}

fn group(status: &str, reason: &str, message: &str) -> Group {
    let condition = json!({ "type": "Ready", "status": status, "reason": reason, "message": message,
        "observedGeneration": 2, "lastTransitionTime": "2026-01-01T00:00:00Z" });
    Group {
        meta: kube::core::ObjectMeta::default(),
        conditions: Ok(vec![serde_json::from_value(condition).unwrap()]),
    }
}

#[test]
fn a_controller_is_away_when_its_lease_is_older_than_twice_its_duration() {
    let since = |renewed: &str, seconds| away_since(Some(&lease(renewed, seconds)), now());
    assert_eq!(since("2026-01-01T11:59:00.000000Z", 30), None);
    assert!(since("2026-01-01T11:58:59.000000Z", 30).is_some());
    assert_eq!(since("2026-01-01T11:58:59.000000Z", 60), None);
    assert!(since("2026-01-01T11:57:59.000000Z", 60).is_some());
    // However short it lasts, a roll-out takes its time.
    assert_eq!(since("2026-01-01T11:59:01.000000Z", 1), None);
}

#[test]
fn one_that_never_led_is_not_away() {
    assert_eq!(away_since(None, now()), None);
    assert_eq!(away_since(Some(&Lease::default()), now()), None);
}

#[test]
fn a_group_is_told_once_and_one_that_said_nothing_is_left_alone() {
    let since = "2026-01-01T11:00:00Z".parse().unwrap();
    let told = change(&group("True", "ListenerActive", "a session listens for jobs"), since, now()).unwrap();
    assert_eq!((told.status.as_str(), told.reason.as_str()), ("Unknown", "ControllerAway"));
    assert_eq!((told.observed_generation, told.last_transition_time.0), (Some(2), now()));
    assert!(told.message.contains("since 2026-01-01T11:00:00Z"), "{}", told.message);
    assert!(change(&group("False", "NoActiveSessions", ""), since, now()).is_some());
    assert_eq!(change(&group("Unknown", "ControllerAway", &told.message), since, now()), None);
    let silent = Group { meta: kube::core::ObjectMeta::default(), conditions: Ok(Vec::new()) };
    assert_eq!(change(&silent, since, now()), None);
}
