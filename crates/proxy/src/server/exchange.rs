//! The words exchanged before a tunnel: one request in, one answer out.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Limits,
    connect::{Connect, Invalid, parse},
    dial::DialError,
    policy::Denial,
};

/// Every answer but "200 Connection established". The connection ends with it.
#[derive(Debug)]
pub(super) enum Reply {
    /// The request is not one that this proxy serves.
    Invalid(Invalid),
    /// The request did not arrive in time.
    HeaderTimeout,
    /// Policy says no.
    Denied(Denial),
    /// There are as many tunnels as there may be.
    TunnelLimit,
    /// The destination could not be reached.
    Unreachable(DialError),
    /// The destination did not answer in time.
    DialTimeout,
}

impl Reply {
    /// The `outcome` label.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Reply::Invalid(Invalid::Method) => "method",
            Reply::Invalid(Invalid::TooLong | Invalid::Malformed(_)) => "malformed",
            Reply::HeaderTimeout => "header_timeout",
            Reply::Denied(denial) => denial.as_str(),
            Reply::TunnelLimit => "tunnel_limit",
            Reply::Unreachable(DialError::Resolve(_)) => "resolve_failed",
            Reply::Unreachable(_) => "dial_failed",
            Reply::DialTimeout => "dial_timeout",
        }
    }

    /// Policy refused.
    pub(super) fn is_denial(&self) -> bool {
        matches!(self, Reply::Denied(_))
    }

    /// The destination was tried, or would have been at an address that is blocked.
    pub(super) fn is_dial_error(&self) -> bool {
        matches!(self, Reply::Unreachable(_) | Reply::DialTimeout | Reply::Denied(Denial::Address))
    }

    fn status(&self) -> &'static str {
        match self {
            Reply::Invalid(Invalid::Method) => "405 Method Not Allowed\r\nAllow: CONNECT",
            Reply::Invalid(Invalid::TooLong) => "431 Request Header Fields Too Large",
            Reply::Invalid(Invalid::Malformed(_)) => "400 Bad Request",
            Reply::HeaderTimeout => "408 Request Timeout",
            Reply::Denied(_) => "403 Forbidden",
            Reply::TunnelLimit => "503 Service Unavailable\r\nRetry-After: 5",
            Reply::Unreachable(_) => "502 Bad Gateway",
            Reply::DialTimeout => "504 Gateway Timeout",
        }
    }

    /// For whoever reads the client's log. Names no address: what a name resolves to here is nobody's business.
    fn text(&self) -> String {
        match self {
            Reply::Invalid(invalid) => invalid.to_string(),
            Reply::HeaderTimeout => "the request did not arrive in time".to_owned(),
            Reply::Denied(Denial::Host) => "this host is not on the proxy's allow list".to_owned(),
            Reply::Denied(Denial::Port) => "only port 443 of this host may be reached".to_owned(),
            Reply::Denied(Denial::Address) => "this destination's address may not be reached".to_owned(),
            Reply::TunnelLimit => "the proxy has as many tunnels as it may have".to_owned(),
            Reply::Unreachable(error) => error.to_string(),
            Reply::DialTimeout => "the destination did not answer in time".to_owned(),
        }
    }
}

/// The request and the bytes that came after it; nothing if the client said nothing and left, or stayed silent
/// for too long, or we are closing.
pub(super) async fn read_request(
    client: &mut (impl AsyncRead + Unpin),
    limits: &Limits,
    closing: &CancellationToken,
) -> Result<Option<(Connect, Vec<u8>)>, Reply> {
    let mut bytes = Vec::with_capacity(1024);
    let first = tokio::select! {
        first = timeout(limits.idle, read_more(client, &mut bytes, limits.head_bytes)) => first,
        () = closing.cancelled() => return Ok(None),
    };
    if !matches!(first, Ok(Ok(true))) {
        return Ok(None);
    }
    let rest = async {
        loop {
            if let Some(connect) = parse(&bytes, limits.head_bytes).map_err(Reply::Invalid)? {
                let early = bytes.split_off(connect.length);
                return Ok(Some((connect, early)));
            }
            if !matches!(read_more(client, &mut bytes, limits.head_bytes).await, Ok(true)) {
                return Ok(None);
            }
        }
    };
    timeout(limits.header, rest).await.unwrap_or(Err(Reply::HeaderTimeout))
}

/// False at the end. Never holds more than `limit` bytes.
async fn read_more(
    client: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
    limit: usize,
) -> io::Result<bool> {
    let room = limit.saturating_sub(bytes.len()) as u64;
    Ok(client.take(room).read_buf(bytes).await? > 0)
}

/// Tells the client that it is connected, and the destination what the client had said already.
pub(super) async fn establish(
    client: &mut (impl AsyncWrite + Unpin),
    destination: &mut (impl AsyncWrite + Unpin),
    early: &[u8],
    patience: Duration,
) -> io::Result<()> {
    let words = async {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        client.flush().await?;
        destination.write_all(early).await
    };
    timeout(patience, words).await?
}

/// Says no, and why, and closes.
pub(super) async fn reply(mut client: impl AsyncWrite + Unpin, refusal: &Reply) -> io::Result<()> {
    let (status, text) = (refusal.status(), refusal.text() + "\n");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    client.write_all((head + &text).as_bytes()).await?;
    client.shutdown().await
}
