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

#[test]
fn every_type_and_every_reason_stands_in_the_table_and_says_what_it_means() {
    use strum::IntoEnumIterator as _;
    for type_ in Type::iter() {
        assert!(table::TABLE.iter().any(|it| it.type_ == type_), "{type_:?}");
        assert!(type_.meaning().ends_with('.'), "{type_:?}: {}", type_.meaning());
    }
    let reasons =
        || table::TABLE.iter().flat_map(|it| it.when_true.iter().chain(it.when_false).chain(it.when_unknown));
    for reason in Reason::iter() {
        assert!(reasons().any(|it| *it == reason), "{reason:?}");
        assert!(reason.meaning().ends_with('.'), "{reason:?}: {}", reason.meaning());
    }
}

#[test]
fn a_reason_is_listed_for_its_status_and_kind_only() {
    let listed = |kind, status, reason| table::is_listed(kind, &ready(status, reason));
    assert!(listed(crate::Kind::RunnerGroup, true, Reason::ListenerActive));
    assert!(!listed(crate::Kind::RunnerGroup, false, Reason::ListenerActive));
    assert!(!listed(crate::Kind::ActionsGateway, true, Reason::ListenerActive));
    assert!(!listed(crate::Kind::RunnerJob, true, Reason::ListenerActive));
    let away = condition(Type::Ready, Status::Unknown, Reason::ControllerAway, "", None);
    assert!(table::is_listed(crate::Kind::RunnerGroup, &away) && !is_true(&[away], Type::Ready));
    assert!(!listed(crate::Kind::RunnerGroup, true, Reason::ControllerAway));
}
