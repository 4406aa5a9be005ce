//! The listener's side of the pipe (protocol §6.2): frames of type, length and UTF-16LE text.

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

/// The longest body, in bytes.
const MAX_BODY: i32 = 50_000_000;

/// How long the job message may take after the start.
const FIRST_FRAME: Duration = Duration::from_secs(30);

/// After the job message one more frame is read; the third place is for the end of the pipe.
const FRAME_QUEUE: usize = 3;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: i32,
    /// Its text.
    pub body: String,
}

/// Frame types.
pub const NEW_JOB_REQUEST: i32 = 1;
/// The job is cancelled by a user.
pub const CANCEL_REQUEST: i32 = 2;
/// The runner is being stopped.
pub const RUNNER_SHUTDOWN: i32 = 3;
/// The machine is being stopped.
pub const OPERATING_SYSTEM_SHUTDOWN: i32 = 4;

/// What the other side did wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The descriptor is not ours to read.
    #[error("cannot open descriptor {fd}")]
    Open {
        /// Its number.
        fd: i32,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The pipe ended or broke before a whole frame.
    #[error("the pipe ended before a whole frame")]
    Cut(#[source] io::Error),
    /// The length is negative, odd or too long.
    #[error("a frame of {0} bytes is not allowed")]
    Length(i32),
    /// The body is no UTF-16.
    #[error("the body of a frame is not UTF-16")]
    Text,
    /// Nothing came.
    #[error("no job message within {FIRST_FRAME:?}")]
    Late,
    /// The first frame was something else.
    #[error("the first frame has type {0}, not {NEW_JOB_REQUEST}")]
    NotAJob(i32),
}

/// Reads one frame.
pub fn read_frame(pipe: &mut impl Read) -> Result<Frame, Error> {
    let mut header = [0; 8];
    pipe.read_exact(&mut header).map_err(Error::Cut)?;
    let [a, b, c, d, e, f, g, h] = header;
    let kind = i32::from_le_bytes([a, b, c, d]);
    let length = i32::from_le_bytes([e, f, g, h]);
    if !(0..=MAX_BODY).contains(&length) || length % 2 != 0 {
        return Err(Error::Length(length));
    }
    let mut body = vec![0; length.unsigned_abs() as usize];
    pipe.read_exact(&mut body).map_err(Error::Cut)?;
    let units: Vec<u16> = body.chunks_exact(2).map(|it| u16::from_le_bytes([it[0], it[1]])).collect();
    Ok(Frame { kind, body: String::from_utf16(&units).map_err(|_| Error::Text)? })
}

/// The frames that arrive on a descriptor. A thread reads them, because a read of a pipe cannot be abandoned.
pub struct Frames(mpsc::Receiver<Result<Frame, Error>>);

impl Frames {
    /// Opens an inherited descriptor again by its name, which spares us the `unsafe` of taking over the number.
    pub fn open(fd: i32) -> Result<Frames, Error> {
        let opened = |source| Error::Open { fd, source };
        let pipe = File::open(format!("/proc/self/fd/{fd}")).map_err(opened)?;
        let (sender, receiver) = mpsc::channel(FRAME_QUEUE);
        thread::Builder::new().name("frames".into()).spawn(move || forward(pipe, &sender)).map_err(opened)?;
        Ok(Frames(receiver))
    }

    /// The job message: the first frame.
    pub async fn job(&mut self) -> Result<String, Error> {
        let frame = timeout(FIRST_FRAME, self.next()).await.map_err(|_| Error::Late)??;
        if frame.kind == NEW_JOB_REQUEST { Ok(frame.body) } else { Err(Error::NotAJob(frame.kind)) }
    }

    /// The next frame, if one ever comes. The end of the pipe is neither message nor error: the official worker goes
    /// on looking.
    pub async fn next(&mut self) -> Result<Frame, Error> {
        match self.0.recv().await {
            Some(Err(Error::Cut(_))) | None => std::future::pending().await,
            Some(frame) => frame,
        }
    }
}

fn forward(mut pipe: File, frames: &mpsc::Sender<Result<Frame, Error>>) {
    for _ in 0..2 {
        let frame = read_frame(&mut pipe);
        let failed = frame.is_err();
        if frames.blocking_send(frame).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
