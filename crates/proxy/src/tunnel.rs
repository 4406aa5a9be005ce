//! Bytes both ways until one side ends, nothing moves any more, or time is up.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use prometheus::IntCounter;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// One read and write, to begin with: most tunnels are long polls that say little, and two of these are much of
/// what they cost in memory.
const BUFFER: usize = 2 * 1024;

/// A direction that fills its buffer gets a larger one, up to two TLS records.
const LARGEST_BUFFER: usize = 32 * 1024;

/// When a tunnel has to end.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// When nothing has moved for so long.
    pub idle: Duration,
    /// When it is so old.
    pub life: Duration,
    /// When this is cancelled.
    pub cut: CancellationToken,
}

/// Counts bytes as they pass.
#[derive(Debug, Clone)]
pub struct Meters {
    /// From the client to the destination.
    pub up: IntCounter,
    /// From the destination to the client.
    pub down: IntCounter,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub why: Why,
    /// Bytes from the client to the destination.
    pub up: u64,
    /// Bytes from the destination to the client.
    pub down: u64,
}

/// Why a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Both sides had said all.
    Closed,
    /// A side broke off.
    Broken,
    /// Nothing moved.
    Idle,
    /// It was too old.
    Life,
    /// The drain was over.
    Drained,
}

impl Why {
    /// The word in log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Closed => "closed",
            Why::Broken => "broken",
            Why::Idle => "idle",
            Why::Life => "life",
            Why::Drained => "drained",
        }
    }
}

/// Copies between the two until one of `bounds` is reached.
pub async fn run<C, D>(client: C, destination: D, bounds: Bounds, meters: Meters) -> Ended
where
    C: AsyncRead + AsyncWrite,
    D: AsyncRead + AsyncWrite,
{
    let moves = Moves::new();
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_destination, mut to_destination) = tokio::io::split(destination);
    let (up, down) = (Way::new(&moves, meters.up), Way::new(&moves, meters.down));
    let why = tokio::select! {
        both = async {
            tokio::try_join!(
                up.copy(&mut from_client, &mut to_destination),
                down.copy(&mut from_destination, &mut to_client),
            )
        } => if both.is_ok() { Why::Closed } else { Why::Broken },
        () = moves.none_for(bounds.idle) => Why::Idle,
        () = sleep_until(moves.started + bounds.life) => Why::Life,
        () = bounds.cut.cancelled() => Why::Drained,
    };
    Ended { why, up: up.bytes.load(Relaxed), down: down.bytes.load(Relaxed) }
}

/// When something moved last, in either direction.
struct Moves {
    started: Instant,
    /// Milliseconds after the start.
    last: AtomicU64,
}

impl Moves {
    fn new() -> Self {
        Moves { started: Instant::now(), last: AtomicU64::new(0) }
    }

    fn note(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Relaxed);
    }

    /// Completes when nothing has moved for `limit`. Each move puts the moment off without waking anybody.
    async fn none_for(&self, limit: Duration) {
        loop {
            let moment = self.started + Duration::from_millis(self.last.load(Relaxed)) + limit;
            if moment <= Instant::now() {
                return;
            }
            sleep_until(moment).await;
        }
    }
}

/// One direction.
struct Way<'a> {
    moves: &'a Moves,
    meter: IntCounter,
    bytes: AtomicU64,
}

impl<'a> Way<'a> {
    fn new(moves: &'a Moves, meter: IntCounter) -> Self {
        Way { moves, meter, bytes: AtomicU64::new(0) }
    }

    /// To the end of `from`, which is passed on: the other direction may still have something to say.
    async fn copy(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = from.read(&mut buffer).await?;
            self.moves.note();
            if count == 0 {
                return to.shutdown().await;
            }
            to.write_all(&buffer[..count]).await?;
            // A TLS stream keeps back what does not fill a record.
            to.flush().await?;
            self.moves.note();
            self.bytes.fetch_add(count as u64, Relaxed);
            self.meter.inc_by(count as u64);
            if count == buffer.len() && count < LARGEST_BUFFER {
                buffer = vec![0; count * 2];
            }
        }
    }
}

#[cfg(test)]
mod tests;
