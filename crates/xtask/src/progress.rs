//! Saying what goes on: each step with how long it usually takes, and how long it took.

#![expect(clippy::print_stdout, reason = "talking to the person at the terminal is what this module is for")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// A step that is silent for longer than this says that it goes on.
const STILL: Duration = Duration::from_secs(30);

/// Prints a line.
pub(crate) fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
}

/// Prints a heading.
pub(crate) fn heading(line: &str) {
    println!("\n== {line}");
}

/// Does `work`, saying that it began, that it goes on, and how it ended. `usually` is an honest expectation.
pub(crate) fn step<T>(what: &str, usually: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("-- {what} (usually {usually})");
    let start = Instant::now();
    let (done, waiting) = mpsc::channel::<()>();
    let name = what.to_owned();
    let ticker = thread::spawn(move || {
        while waiting.recv_timeout(STILL) == Err(mpsc::RecvTimeoutError::Timeout) {
            println!("   … {name}: {}", spoken(start.elapsed()));
        }
    });
    let result = work();
    drop(done);
    // The ticker has nothing left to say, so how it ended does not matter.
    let _ = ticker.join();
    let word = if result.is_ok() { "done" } else { "FAILED" };
    println!("   {word}: {what}, {}", spoken(start.elapsed()));
    result
}

/// A duration as people say it.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}
