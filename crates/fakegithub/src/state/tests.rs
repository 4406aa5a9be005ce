mod walk;

use std::sync::{Arc, LazyLock};

use jiff::SignedDuration;

use super::agents::Scope;
use super::life::Conclusion;
use super::runs::{Rerun, RerunError};
use super::sessions::{Poll, SessionError, Status};
use super::*;
use crate::rsa::RsaKey;
use crate::workflow;

const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;
const ONE_JOB: &str = "repository: acme/demo\njobs: {build: {runs-on: linux}}\n";

/// One key for all: making one takes longer than any of these tests.
static KEY: LazyLock<Arc<RsaKey>> = LazyLock::new(|| Arc::new(RsaKey::generate().unwrap()));

fn state() -> State {
    let settings = Settings::new(1.0, SignedDuration::from_secs(50));
    State::new("https://github.test".into(), settings, Some(1))
}

fn after(time: SignedDuration) -> Timestamp {
    EPOCH + time
}

fn submit(state: &mut State) -> u64 {
    state.submit(workflow::parse(ONE_JOB).unwrap(), EPOCH).unwrap()
}

fn register(state: &mut State, name: &str) -> u64 {
    let scope = Scope::Organization("acme".into());
    state.register_agent(scope, name, 1, vec!["linux".into()], Arc::clone(&KEY), EPOCH).unwrap().id
}

fn conclusion(state: &State, run: u64) -> Option<Conclusion> {
    state.run(run).unwrap().latest().unwrap().conclusion
}

#[test]
fn a_job_that_nobody_takes_fails_after_a_day() {
    let mut state = state();
    let run = submit(&mut state);
    state.tick(after(SignedDuration::from_hours(24) - SignedDuration::from_secs(1)));
    assert_eq!(conclusion(&state, run), None);
    state.tick(after(SignedDuration::from_hours(24)));
    assert_eq!(conclusion(&state, run), Some(Conclusion::Failure));
}

#[test]
fn a_record_that_never_connects_vanishes_after_a_day() {
    let mut state = state();
    let (never, once) = (register(&mut state, "never"), register(&mut state, "once"));
    state.create_session(once, "owner", None, "2.337.0", EPOCH).unwrap();
    state.tick(after(SignedDuration::from_hours(24)));
    assert!(state.agent(never).is_none() && state.agent(once).is_some());
}

#[test]
fn a_run_is_run_again_fifty_times_and_for_thirty_days() {
    let mut state = state();
    let run = submit(&mut state);
    for _ in 0..50 {
        state.force(run, Conclusion::Failure, EPOCH).unwrap();
        state.rerun(run, Rerun::Failed, EPOCH).unwrap();
    }
    state.force(run, Conclusion::Failure, EPOCH).unwrap();
    assert_eq!(state.rerun(run, Rerun::Failed, EPOCH), Err(RerunError::Refused));

    let old = submit(&mut state);
    state.force(old, Conclusion::Failure, EPOCH).unwrap();
    let month = after(SignedDuration::from_hours(24 * 30));
    assert_eq!(state.rerun(old, Rerun::Failed, month), Err(RerunError::Refused));
}

#[test]
fn an_outage_of_many_hours_leaves_nothing_of_a_session() {
    let mut state = state();
    let agent = register(&mut state, "one");
    let (session, _) = state.create_session(agent, "owner", None, "2.337.0", EPOCH).unwrap();
    let run = submit(&mut state);
    let turn = state.begin_poll(agent, session, EPOCH);
    let Ok(Poll::Message(_)) = state.poll(agent, session, turn, Status::Online, EPOCH) else {
        panic!("no offer")
    };
    state.end_poll(session, turn, EPOCH);
    let job = state.run(run).unwrap().latest().unwrap().jobs[0];
    let later = after(SignedDuration::from_hours(16));
    state.tick(later);
    assert_eq!(state.poll(agent, session, turn, Status::Online, later), Err(SessionError::Invalid));
    assert_eq!(state.job(job).unwrap().life.open_offers(), 0, "the job is on offer to others");
}

#[test]
fn one_session_is_shown_one_job_at_a_time() {
    let mut state = state();
    let agent = register(&mut state, "one");
    let (session, _) = state.create_session(agent, "owner", None, "2.337.0", EPOCH).unwrap();
    submit(&mut state);
    submit(&mut state);
    let turn = state.begin_poll(agent, session, EPOCH);
    assert!(matches!(state.poll(agent, session, turn, Status::Online, EPOCH), Ok(Poll::Message(_))));
    let second = state.poll(agent, session, turn, Status::Online, EPOCH);
    assert_eq!(second, Ok(Poll::Wait(Some(after(SignedDuration::from_secs(1))))));
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let ids = |seed| {
        let mut state = State::new(String::new(), Settings::new(1.0, SignedDuration::from_secs(1)), seed);
        let run = submit(&mut state);
        state.run(run).unwrap().latest().unwrap().plan
    };
    assert_eq!(ids(Some(7)), ids(Some(7)));
    assert_ne!(ids(Some(7)), ids(Some(8)));
    assert_ne!(ids(None), ids(None));
}
