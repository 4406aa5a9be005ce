//! The worker's own log: on stdout where it is asked for, and kept for the diagnostic log of a job that is debugged.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::zip;

/// What is kept at most.
const KEPT: usize = 1 << 20;

/// Where it goes.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    print: bool,
    kept: Arc<Mutex<String>>,
}

impl Diagnostics {
    /// A log that is printed if `value`, that of `ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT`, says so (protocol §6.6).
    pub fn new(value: Option<&str>) -> Diagnostics {
        let print = value.is_some_and(|it| it == "1" || it.eq_ignore_ascii_case("true"));
        Diagnostics { print, kept: Arc::default() }
    }

    /// Says something. On stdout each line begins so that nobody takes it for the text of a crash.
    pub fn info(&self, source: &str, text: impl Display) {
        let head = format!("{} INFO {source}] ", Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ"));
        for line in text.to_string().lines() {
            if self.print {
                let _ = writeln!(std::io::stdout(), "[WORKER {head}{line}"); // a full container log stops no job
            }
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT {
                kept.push_str(&format!("[{head}{line}\n"));
            }
        }
    }

    /// What was said, as it is uploaded.
    pub fn archive(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        zip::pack(&[("Worker.log", kept.as_bytes())])
    }
}
