//! A request body that tells whether anyone began to send it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Set once the connection takes the body: from then on the server may have seen the request.
#[derive(Clone, Default)]
pub(super) struct Started(Arc<AtomicBool>);

impl Started {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// One chunk of bytes. The connection asks for it right after it wrote the headers. An empty body is
/// never asked for: whether a request without a body was sent cannot be told, and counts as sent.
pub(super) struct Tracked {
    bytes: Option<Bytes>,
    started: Started,
}

impl Tracked {
    pub(super) fn new(bytes: Bytes, started: &Started) -> Self {
        if bytes.is_empty() {
            started.0.store(true, Ordering::Release);
        }
        Self { bytes: Some(bytes).filter(|it| !it.is_empty()), started: started.clone() }
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.started.0.store(true, Ordering::Release);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
