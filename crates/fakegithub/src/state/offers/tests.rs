use super::*;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn policy() -> Policy {
    Policy {
        window: SignedDuration::from_mins(2),
        patience: SECOND,
        times: None,
        to: DeclinedTo::Same,
        acknowledged: AcknowledgedEffect::Again,
    }
}

fn offered() -> Offer {
    let mut offer = Offer::new(Uuid::nil(), 1, at(0));
    offer.deliver(at(0));
    offer
}

#[test]
fn a_declined_offer_comes_again_each_second_until_its_window_is_over() {
    let mut offer = offered();
    for second in 1..120 {
        assert_eq!(offer.next_delivery(&policy()), Delivery::At(at(second)));
        assert!(!offer.judge(&policy(), at(second)));
        assert_eq!(offer.next_delivery(&policy()), Delivery::Now);
        offer.deliver(at(second));
    }
    assert!(offer.judge(&policy(), at(120)), "the job goes back to the queue");
    assert_eq!((offer.standing, offer.declined(), offer.deliveries), (Standing::Lapsed, 120, 120));
    assert_eq!(offer.again(), Again::At(at(121)), "others come first");
    assert!(
        offer.can_be_claimed(policy().window, at(238)) && !offer.can_be_claimed(policy().window, at(239))
    );
}

#[test]
fn an_offer_that_comes_so_often_and_no_more_is_kept_until_its_window_is_over() {
    let policy = Policy { times: Some(1), ..policy() };
    let mut offer = offered();
    offer.judge(&policy, at(1));
    assert_eq!(offer.next_delivery(&policy), Delivery::Now);
    offer.deliver(at(1));
    assert!(!offer.judge(&policy, at(2)));
    assert_eq!((offer.next_delivery(&policy), offer.again()), (Delivery::Not, Again::Never));
    assert!(!offer.judge(&policy, at(119)) && offer.judge(&policy, at(120)));
}

#[test]
fn a_declined_offer_can_be_for_the_next_session() {
    let policy = Policy { to: DeclinedTo::Next, ..policy() };
    let mut offer = offered();
    assert!(offer.judge(&policy, at(1)));
    assert_eq!((offer.standing, offer.again()), (Standing::Lapsed, Again::At(at(120))));
}

#[test]
fn a_declined_offer_can_be_the_last() {
    let policy = Policy { to: DeclinedTo::Never, ..policy() };
    let mut offer = offered();
    assert!(!offer.judge(&policy, at(100_000)));
    assert_eq!((offer.next_delivery(&policy), offer.is_open()), (Delivery::Not, true));
}

#[test]
fn an_acknowledged_offer_can_be_for_others_only() {
    let policy = Policy { acknowledged: AcknowledgedEffect::NotToSession, ..policy() };
    let mut offer = offered();
    offer.acknowledged = Some(at(0));
    assert!(offer.judge(&policy, at(1)));
    assert_eq!((offer.standing, offer.again()), (Standing::Lapsed, Again::Never));
}

#[test]
fn an_acknowledged_offer_can_be_for_nobody_while_its_window_lasts() {
    let policy = Policy { acknowledged: AcknowledgedEffect::NotAtAll, ..policy() };
    let mut offer = offered();
    offer.acknowledged = Some(at(0));
    assert!(!offer.judge(&policy, at(119)));
    assert_eq!(offer.next_delivery(&policy), Delivery::Not);
    assert!(offer.judge(&policy, at(120)));
    // The next window is another one.
    offer.deliver(at(121));
    offer.judge(&policy, at(122));
    assert_eq!(offer.next_delivery(&policy), Delivery::Now);
}

#[test]
fn who_tries_to_claim_declines_nothing() {
    let mut offer = offered();
    offer.tried = Some(at(0));
    offer.judge(&policy(), at(1));
    assert_eq!((offer.declined(), offer.declined_at()), (0, None));
}

#[test]
fn a_delivery_that_is_claimed_late_is_not_declined() {
    let mut offer = offered();
    offer.judge(&policy(), at(1));
    assert_eq!((offer.declined(), offer.declined_at()), (1, Some(at(1))), "nobody has tried yet");
    offer.tried = Some(at(3));
    assert_eq!((offer.declined(), offer.declined_at()), (0, None));
}

#[test]
fn a_delivery_that_came_again_before_the_claim_stays_declined() {
    let mut offer = offered();
    offer.judge(&policy(), at(1));
    offer.deliver(at(2));
    offer.judge(&policy(), at(3));
    offer.tried = Some(at(3));
    assert_eq!((offer.declined(), offer.declined_at()), (1, Some(at(1))));
}
