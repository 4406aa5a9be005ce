//! A request that brought no answer.

use std::error::Error as StdError;
use std::time::Duration;

use github_proto::request::BuildError;
use hyper_util::client::legacy;
use runtime::telemetry::chain;

/// Which step failed. The texts hold the whole chain of causes: the outermost says little.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request could not be put together.
    #[error("failed to build the request")]
    Build(#[source] BuildError),
    /// No connection: refused, no such host, no TLS, no tunnel.
    #[error("failed to connect: {chain}")]
    Connect {
        /// All causes, outermost first.
        chain: String,
    },
    /// The connection failed.
    #[error("failed to send the request or to read its response: {chain}")]
    Transport {
        /// All causes, outermost first.
        chain: String,
        /// The server may have seen the request.
        sent: bool,
    },
    /// No headers in time.
    #[error("no response within {after:?}")]
    NoAnswer {
        /// How long we waited.
        after: Duration,
        /// The server may have seen the request.
        sent: bool,
    },
    /// Headers, but the body did not end in time.
    #[error("the response was not complete within {after:?}")]
    SlowBody {
        /// How long we waited.
        after: Duration,
    },
    /// The body broke off.
    #[error("failed to read the response: {chain}")]
    Body {
        /// All causes, outermost first.
        chain: String,
    },
    /// More bytes than the caller reads.
    #[error("the response is longer than {limit} bytes")]
    TooLong {
        /// How many are read.
        limit: usize,
    },
    /// A redirect that cannot be followed.
    #[error("failed to follow a redirect: {0}")]
    Redirect(&'static str),
}

impl Error {
    pub(super) fn transport(error: &legacy::Error, sent: bool) -> Self {
        let chain = chain(error).to_string();
        if error.is_connect() { Self::Connect { chain } } else { Self::Transport { chain, sent } }
    }

    pub(super) fn body(error: &(dyn StdError + 'static)) -> Self {
        Self::Body { chain: chain(error).to_string() }
    }

    /// Whether the server may have acted on the request. `false` is certain.
    pub fn sent(&self) -> bool {
        match self {
            Self::Build(_) | Self::Connect { .. } => false,
            Self::Transport { sent, .. } | Self::NoAnswer { sent, .. } => *sent,
            Self::SlowBody { .. } | Self::Body { .. } | Self::TooLong { .. } | Self::Redirect(_) => true,
        }
    }

    /// Whether nothing came, as from a black hole.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::SlowBody { .. })
    }
}
