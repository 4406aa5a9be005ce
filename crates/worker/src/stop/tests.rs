use proptest::collection::vec;
use proptest::prelude::*;

use super::Action::{Kill, Write};
use super::StopFrame::{Cancel, Shutdown};
use super::*;

#[derive(Clone, Copy, Debug)]
enum Input {
    Request(StopFrame, u64),
    Sigterm,
}

use Input::{Request, Sigterm};

/// Inputs and what is done, each at its second.
type Case = (&'static [(u64, Input)], &'static [(u64, Action)]);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Plays inputs at their seconds, then lets time pass: what is done, and at which second.
fn play(limits: Limits, inputs: &[(u64, Input)]) -> Vec<(u64, Action)> {
    let mut stop = Stop::new(limits);
    let mut done = Vec::new();
    for (at, input) in inputs {
        run_until(&mut stop, seconds(*at), &mut done);
        match input {
            Request(frame, within) => {
                stop.request(StopRequest { frame: *frame, seconds: *within }, seconds(*at))
            }
            Sigterm => _ = stop.terminate(seconds(*at)),
        }
    }
    run_until(&mut stop, Duration::MAX, &mut done);
    done
}

fn run_until(stop: &mut Stop, end: Duration, done: &mut Vec<(u64, Action)>) {
    while let Some(at) = stop.wake().filter(|it| *it <= end) {
        done.push((at.as_secs(), stop.due(at).expect("what is due at its time is done")));
    }
}

/// Jobs §9, protocol §5.6: a pod of 30 s.
#[test]
fn each_way_to_stop_has_its_frame_and_its_time() {
    let short = Limits::new(seconds(30), None);
    let cases: &[Case] = &[
        (&[], &[]),
        // A cancellation, and the request to shut down.
        (&[(10, Request(Cancel, 285))], &[(10, Write(Cancel)), (295, Kill)]),
        (&[(10, Request(Shutdown, 45))], &[(10, Write(Shutdown)), (55, Kill)]),
        (&[(10, Request(Cancel, 0))], &[(10, Write(Cancel)), (10, Kill)]),
        // SIGTERM alone, and repeated.
        (&[(10, Sigterm)], &[(10, Write(Shutdown)), (35, Kill)]),
        (&[(10, Sigterm), (12, Sigterm), (34, Sigterm)], &[(10, Write(Shutdown)), (35, Kill)]),
        // After a frame nothing is written; the earlier kill counts.
        (&[(10, Request(Cancel, 285)), (20, Sigterm)], &[(10, Write(Cancel)), (45, Kill)]),
        (&[(10, Request(Cancel, 30)), (20, Sigterm)], &[(10, Write(Cancel)), (40, Kill)]),
        (&[(10, Sigterm), (11, Request(Cancel, 285))], &[(10, Write(Shutdown)), (35, Kill)]),
        // The file is looked at before a SIGTERM is judged: the same instant.
        (&[(10, Request(Cancel, 285)), (10, Sigterm)], &[(10, Write(Cancel)), (35, Kill)]),
        // A second request changes nothing.
        (&[(10, Request(Cancel, 60)), (20, Request(Cancel, 5))], &[(10, Write(Cancel)), (70, Kill)]),
        (&[(10, Request(Shutdown, 60)), (20, Request(Cancel, 5))], &[(10, Write(Shutdown)), (70, Kill)]),
    ];
    for (inputs, expected) in cases {
        assert_eq!(play(short, inputs), *expected, "{inputs:?}");
    }
}

#[test]
fn in_a_long_grace_the_job_may_end_by_itself_until_twenty_seconds_before_the_kill() {
    let long = Limits::new(seconds(3600), None);
    let cases: &[Case] = &[
        (&[(10, Sigterm)], &[(3585, Write(Shutdown)), (3605, Kill)]),
        // A cancellation that comes while it waits goes instead, and has its own time within the pod's.
        (&[(10, Sigterm), (100, Request(Cancel, 285))], &[(100, Write(Cancel)), (385, Kill)]),
        (&[(10, Sigterm), (3500, Request(Cancel, 285))], &[(3500, Write(Cancel)), (3605, Kill)]),
        (&[(10, Sigterm), (3590, Request(Cancel, 285))], &[(3585, Write(Shutdown)), (3605, Kill)]),
        (&[(10, Sigterm), (100, Request(Shutdown, 45))], &[(100, Write(Shutdown)), (145, Kill)]),
        (&[(10, Request(Cancel, 285)), (20, Sigterm)], &[(10, Write(Cancel)), (295, Kill)]),
    ];
    for (inputs, expected) in cases {
        assert_eq!(play(long, inputs), *expected, "{inputs:?}");
    }
}

#[test]
fn the_kill_leaves_five_seconds_of_the_pods_grace_and_less_may_be_wanted() {
    let limits = |pod, wanted: Option<u64>| {
        let limits = Limits::new(seconds(pod), wanted.map(seconds));
        (limits.total.as_secs(), limits.patience.as_secs())
    };
    assert_eq!(limits(30, None), (25, 0));
    assert_eq!(limits(30, Some(10)), (10, 0));
    assert_eq!(limits(30, Some(90)), (25, 0));
    assert_eq!(limits(60, None), (55, 0));
    assert_eq!(limits(61, None), (56, 36));
    assert_eq!(limits(3600, Some(25)), (25, 5));
    assert_eq!(limits(3600, Some(20)), (20, 0));
    assert_eq!(limits(3600, Some(0)), (0, 0));
    assert_eq!(limits(3, None), (0, 0));
    assert_eq!(limits(0, Some(7)), (0, 0));
}

fn any_input() -> impl Strategy<Value = (u64, Input)> {
    let within = prop_oneof![0..400_u64, Just(u64::MAX)];
    let input = prop_oneof![
        1 => Just(Sigterm),
        1 => (any::<bool>(), within).prop_map(|(cancel, within)| {
            Request(if cancel { Cancel } else { Shutdown }, within)
        }),
    ];
    (0..500_u64, input)
}

proptest! {
    #[test]
    fn one_frame_then_one_kill_in_time(
        pod in 0..4000_u64,
        wanted in proptest::option::of(0..5000_u64),
        mut inputs in vec(any_input(), 0..8),
    ) {
        inputs.sort_by_key(|(at, _)| *at);
        let limits = Limits::new(seconds(pod), wanted.map(seconds));
        let done = play(limits, &inputs);
        match done[..] {
            [] => prop_assert!(inputs.is_empty()),
            [(written, Write(_)), (killed, Kill)] => {
                prop_assert!(written >= inputs[0].0 && killed >= written);
                let sigterm = inputs.iter().find(|(_, it)| matches!(it, Sigterm));
                if let Some((at, _)) = sigterm {
                    prop_assert!(killed <= at + limits.total.as_secs() && killed <= at + pod.saturating_sub(5));
                }
            }
            _ => prop_assert!(false, "{done:?}"),
        }
    }

    #[test]
    fn a_cancellation_that_comes_before_any_frame_is_what_the_runner_reads(
        pod in 0..4000_u64,
        sigterm in 0..500_u64,
        cancel in 0..500_u64,
        within in 0..400_u64,
    ) {
        let limits = Limits::new(seconds(pod), None);
        let mut inputs = vec![(cancel, Request(Cancel, within)), (sigterm, Sigterm)];
        inputs.sort_by_key(|(at, _)| *at); // a stable sort: at the same second the request comes first
        let first = play(limits, &inputs)[0];
        let in_time = cancel <= sigterm || cancel < sigterm + limits.patience.as_secs();
        let expected = if in_time { (cancel, Write(Cancel)) } else { (sigterm + limits.patience.as_secs(), Write(Shutdown)) };
        prop_assert_eq!(first, expected);
    }
}
