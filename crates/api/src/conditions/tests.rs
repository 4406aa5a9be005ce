use super::*;

const EARLIER: Timestamp = Timestamp::UNIX_EPOCH;

fn now() -> Timestamp {
    "2026-09-01T10:00:00Z".parse().unwrap()
}

fn ready(status: bool, reason: Reason) -> Condition {
    condition(Type::Ready, status, reason, "", Some(1))
}

#[test]
fn the_transition_time_stays_while_the_answer_stays() {
    let old = ready(false, Reason::AGCNotReady);
    let new = settle(&[old], ready(false, Reason::ProvisioningFailed), now());
    assert_eq!((new.last_transition_time.0, new.reason.as_str()), (EARLIER, "ProvisioningFailed"));
}

#[test]
fn the_transition_time_moves_with_the_answer() {
    let old = ready(false, Reason::AGCNotReady);
    assert_eq!(settle(&[old], ready(true, Reason::AllAvailable), now()).last_transition_time.0, now());
    assert_eq!(settle(&[], ready(true, Reason::AllAvailable), now()).last_transition_time.0, now());
}

#[test]
fn an_absent_condition_is_not_true() {
    assert!(!is_true(&[], Type::Ready));
    assert!(is_true(&[ready(true, Reason::AllAvailable)], Type::Ready));
    assert!(!is_true(&[ready(false, Reason::AGCNotReady)], Type::Ready));
}
