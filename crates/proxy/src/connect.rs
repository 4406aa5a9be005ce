//! The head of a request, and the few answers there are. Pure: parses bytes, reads none.

use std::net::IpAddr;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Where to.
    pub host: Host,
    /// Which port, never 0.
    pub port: u16,
    /// The client's trace context, for the audit line.
    pub traceparent: Option<String>,
    /// Bytes of the head; what follows them belongs to the tunnel.
    pub length: usize,
}

/// A destination as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Lower case, without a dot at the end.
    Name(String),
    /// An address needs no lookup.
    Address(IpAddr),
}

/// Why a request is not one that this proxy serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Any method but CONNECT.
    #[error("only CONNECT is supported")]
    Method,
    /// It does not end within the limit.
    #[error("the request's head is too long")]
    TooLong,
    /// It is not HTTP/1.1.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(address) => address.fmt(f),
        }
    }
}

/// The request at the start of `bytes`, or nothing if its head has not arrived in whole.
///
/// # Errors
/// [`Invalid`]; nothing that follows can make the request right.
pub fn parse(bytes: &[u8], limit: usize) -> Result<Option<Connect>, Invalid> {
    const END: &[u8] = b"\r\n\r\n";
    let within = &bytes[..bytes.len().min(limit)];
    let Some(end) = within.windows(END.len()).position(|it| it == END) else {
        return if bytes.len() >= limit { Err(Invalid::TooLong) } else { Ok(None) };
    };
    let head = within.get(..end).and_then(text).ok_or(Invalid::Malformed("not ASCII"))?;
    let (request_line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let (host, port) = request(request_line)?;
    let traceparent = check_headers(headers)?;
    Ok(Some(Connect { host, port, traceparent, length: end + END.len() }))
}

/// Visible ASCII, blanks and line ends.
fn text(bytes: &[u8]) -> Option<&str> {
    let plain = bytes.iter().all(|it| matches!(it, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    std::str::from_utf8(bytes).ok().filter(|_| plain)
}

fn request(line: &str) -> Result<(Host, u16), Invalid> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Invalid::Malformed("request line"));
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(Invalid::Malformed("version"));
    }
    if method.is_empty() || !method.bytes().all(|it| it.is_ascii_alphabetic()) {
        return Err(Invalid::Malformed("method"));
    }
    if method != "CONNECT" {
        return Err(Invalid::Method);
    }
    authority(target).ok_or(Invalid::Malformed("destination"))
}

/// `host:port`, with the port given.
fn authority(target: &str) -> Option<(Host, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    let digits = !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
    let port = port.parse().ok().filter(|it| digits && *it != 0)?;
    Some((parse_host(host)?, port))
}

fn parse_host(host: &str) -> Option<Host> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']')?.parse().ok()?;
        return Some(Host::Address(IpAddr::V6(address)));
    }
    if let Ok(address) = host.parse() {
        return Some(Host::Address(IpAddr::V4(address)));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let labelled = name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    });
    (name.len() <= 253 && labelled).then_some(Host::Name(name))
}

/// Headers mean nothing to a tunnel, but for a body: two parties that disagree about one can be played against
/// each other.
fn check_headers(headers: &str) -> Result<Option<String>, Invalid> {
    let mut traceparent = None;
    for line in headers.split("\r\n").filter(|it| !it.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(Invalid::Malformed("header"))?;
        let value = value.trim();
        if name.is_empty()
            || !name.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it))
        {
            return Err(Invalid::Malformed("header name"));
        }
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" => return Err(Invalid::Malformed("a body")),
            "content-length" if value != "0" => return Err(Invalid::Malformed("a body")),
            "traceparent" => traceparent = Some(value.to_owned()),
            _ => {}
        }
    }
    if headers.contains(['\r', '\n']) && headers.split("\r\n").any(|it| it.contains(['\r', '\n'])) {
        return Err(Invalid::Malformed("line end"));
    }
    Ok(traceparent)
}

#[cfg(test)]
mod tests;
