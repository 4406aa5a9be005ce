//! The pipe protocol of `Runner.Worker` (protocol §6.2): the frames the wrapper writes.
//!
//! A frame is a type (`i32`), a body length in bytes (`i32`), both little endian, and a UTF-16LE body.

use handoff::worker::StopFrame;

/// The longest body that `Runner.Worker` reads, in bytes of UTF-16.
pub const MAX_BODY: usize = 50_000_000;

/// What the wrapper says to the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The job message: the first frame, due within 30 s of the runner's start.
    NewJobRequest = 1,
    /// A person cancelled the job: the second and last frame, with an empty body.
    CancelRequest = 2,
    /// The runner is being stopped: the second and last frame too.
    RunnerShutdown = 3,
}

/// The body would be refused by the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job message takes {bytes} bytes in UTF-16, the runner reads at most {MAX_BODY}")]
pub struct TooLong {
    /// Length of the body in UTF-16, in bytes.
    pub bytes: usize,
}

/// The bytes of one frame.
pub fn encode(kind: Kind, body: &str) -> Result<Vec<u8>, TooLong> {
    let bytes = 2 * body.encode_utf16().count();
    let length = i32::try_from(bytes).ok().filter(|_| bytes <= MAX_BODY).ok_or(TooLong { bytes })?;
    let mut frame = Vec::with_capacity(8 + bytes);
    frame.extend((kind as i32).to_le_bytes());
    frame.extend(length.to_le_bytes());
    frame.extend(body.encode_utf16().flat_map(u16::to_le_bytes));
    Ok(frame)
}

/// The frame that stops the job.
pub fn stop(frame: StopFrame) -> [u8; 8] {
    let kind = match frame {
        StopFrame::Cancel => Kind::CancelRequest,
        StopFrame::Shutdown => Kind::RunnerShutdown,
    };
    [kind as u8, 0, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests;
