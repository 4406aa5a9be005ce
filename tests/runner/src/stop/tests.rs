use super::*;

fn after(tell: impl Fn(&Stopper)) -> Stop {
    let (stopper, stop) = Stopper::new();
    tell(&stopper);
    *stop.borrow()
}

#[test]
fn a_cancel_request_is_not_a_shutdown() {
    let stop = after(|it| it.frame(2).unwrap());
    assert_eq!((stop.first, stop.shutdown), (Some(Reason::Cancel), None));
}

#[test]
fn both_shutdown_frames_are_shutdowns_with_messages_of_their_own() {
    for (kind, words) in [(3, "received a shutdown signal"), (4, "Operating system is shutting down")] {
        let stop = after(|it| it.frame(kind).unwrap());
        assert_eq!(stop.first, Some(Reason::Shutdown));
        assert!(stop.shutdown.unwrap().message().contains(words));
    }
}

#[test]
fn a_shutdown_after_a_cancellation_is_heard_and_does_not_change_the_first_reason() {
    let stop = after(|it| {
        it.cancel();
        it.shut_down(Shutdown::Runner);
        it.shut_down(Shutdown::OperatingSystem);
    });
    assert_eq!((stop.first, stop.shutdown), (Some(Reason::Cancel), Some(Shutdown::Runner)));
}

#[test]
fn another_frame_is_an_error() {
    for kind in [-1, 0, 1, 5] {
        assert_eq!(Stopper::new().0.frame(kind), Err(UnknownFrame(kind)));
    }
}
