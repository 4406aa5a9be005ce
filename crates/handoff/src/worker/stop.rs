//! The request to stop a running job, as it stands in a pod's annotation.

use std::fmt;
use std::str::FromStr;

/// What the runner is told; the number is the frame's type (protocol §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StopFrame {
    /// A person cancelled the job, or its lock is lost: the job ends as cancelled, after its `always()` steps.
    Cancel = 2,
    /// The runner is taken away: the job ends as failed, and nothing more runs.
    Shutdown = 3,
}

impl StopFrame {
    /// The type of its frame.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// A request to stop, written `<frame>;<seconds>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopRequest {
    /// What the runner is told.
    pub frame: StopFrame,
    /// The runner is killed this long after the wrapper has seen the request.
    pub seconds: u64,
}

impl fmt::Display for StopRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.frame.number(), self.seconds)
    }
}

/// The text is no request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a request to stop is 2 or 3, a semicolon, and a whole number of seconds, as in 2;285")]
pub struct NoStopRequest;

impl FromStr for StopRequest {
    type Err = NoStopRequest;

    fn from_str(text: &str) -> Result<Self, NoStopRequest> {
        let (frame, seconds) = text.trim().split_once(';').ok_or(NoStopRequest)?;
        let frame = match frame {
            "2" => StopFrame::Cancel,
            "3" => StopFrame::Shutdown,
            _ => return Err(NoStopRequest),
        };
        Ok(Self { frame, seconds: seconds.parse().map_err(|_| NoStopRequest)? })
    }
}
