//! Waits for a docker daemon, as `run.sh` does around a listener (protocol §6.8): in a pod of its own a daemon's sidecar
//! starts together with the job.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::environment::{self, Environment};
use crate::milestone::Milestone;
use crate::watch::{self, End, Event, Watch, reap};

/// The variable that asks for the wait: how often, once a second.
pub const VARIABLE: &str = "RUNNER_WAIT_FOR_DOCKER_IN_SECONDS";

/// What came of it. But for the last the job goes on.
#[derive(Debug)]
pub enum Outcome {
    /// The daemon answers.
    Ready,
    /// It did not in all that time.
    NotReady,
    /// There is no client to ask with.
    NoClient(io::Error),
    /// A stop was requested.
    Stopped,
}

/// The variable's value is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}: {0:?} is not a number of seconds; 0 is used")]
pub struct NoNumber(String);

/// How many seconds to wait at most; 0: not at all.
pub fn seconds(environment: &Environment) -> Result<u64, NoNumber> {
    let value = environment::text(environment, VARIABLE).unwrap_or_default();
    match value.trim() {
        "" => Ok(0),
        number => match number.parse::<i64>() {
            Ok(seconds) => Ok(u64::try_from(seconds).unwrap_or(0)),
            Err(_) => Err(NoNumber(value)),
        },
    }
}

/// Asks once a second, at most `seconds` times and for as long.
pub fn wait(
    watch: &mut Watch,
    environment: &Environment,
    seconds: u64,
    observe: &mut impl FnMut(Milestone),
) -> Result<Outcome, watch::Error> {
    let began = watch.now();
    let after = |seconds| began.saturating_add(Duration::from_secs(seconds));
    for attempt in 1..=seconds {
        let child = match ask(environment) {
            Ok(child) => child,
            Err(error) => return Ok(Outcome::NoClient(error)),
        };
        if let Some(outcome) = answer(watch, child, after(seconds), observe)? {
            return Ok(outcome);
        }
        if watch.told_to_stop(after(attempt), observe) {
            return Ok(Outcome::Stopped);
        }
    }
    Ok(Outcome::NotReady)
}

fn ask(environment: &Environment) -> io::Result<Pid> {
    let mut command = Command::new("docker");
    command.arg("ps").env_clear().envs(environment);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Pid::from_child(&command.spawn()?))
}

/// What the client's end means; `None`: ask again.
fn answer(
    watch: &mut Watch,
    child: Pid,
    until: Duration,
    observe: &mut impl FnMut(Milestone),
) -> Result<Option<Outcome>, watch::Error> {
    let outcome = loop {
        let event = watch.next(Some(until));
        match event {
            Event::Child => match reap(child)? {
                Some(End::Code(0)) => return Ok(Some(Outcome::Ready)),
                Some(_) => return Ok(None),
                None => {}
            },
            Event::Time => break Outcome::NotReady,
            event => {
                if watch::asks_to_stop(event, observe) {
                    break Outcome::Stopped;
                }
            }
        }
    };
    let _ = rustix::process::kill_process(child, Signal::KILL); // not yet reaped, so the number is still its own
    Ok(Some(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_a_number_of_seconds_and_nothing_else() {
        let seconds = |value: &str| seconds(&Environment::from([(VARIABLE.into(), value.into())]));
        assert_eq!(super::seconds(&Environment::new()), Ok(0));
        for (value, expected) in [("", 0), ("0", 0), ("-5", 0), ("120", 120), (" 7 ", 7)] {
            assert_eq!(seconds(value), Ok(expected), "{value:?}");
        }
        for value in ["soon", "1.5", "5s", "99999999999999999999"] {
            assert_eq!(seconds(value), Err(NoNumber(value.into())), "{value:?}");
        }
    }
}
