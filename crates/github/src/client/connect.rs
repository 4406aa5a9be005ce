//! Connections: direct or through a CONNECT proxy, each hop with a trust store of its own.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{self, Error};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::Lane;
use super::body::Tracked;

/// TCP only; the TLS handshake and the CONNECT are bounded by the request's own deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Below the minute after which middleboxes forget idle connections (protocol §10.1).
const IDLE: Duration = Duration::from_secs(45);

/// HTTP/1.1 never gives its read buffer back, so it is kept from growing. Holds the headers of any answer.
const CALL_BUFFER: usize = 32 * 1024;

/// A poll's answer is small, and there is a connection for every session.
const POLL_BUFFER: usize = 16 * 1024;

/// A window for job messages without one round trip per 64 KiB, and no more memory than that.
const STREAM_WINDOW: u32 = 256 * 1024;

/// How to reach GitHub.
#[derive(Clone)]
pub struct ClientConfig {
    /// Whom to trust as GitHub. Without ALPN: that is set here.
    pub tls: Arc<rustls::ClientConfig>,
    /// The way out; `None` connects directly.
    pub proxy: Option<Proxy>,
    /// Hosts and CIDRs reached without the proxy, as in `NO_PROXY`.
    pub no_proxy: String,
    /// Sent with every request; GitHub refuses requests without one.
    pub user_agent: String,
}

/// An HTTP CONNECT proxy.
#[derive(Clone)]
pub struct Proxy {
    /// `http` or `https`; may hold credentials, so it is never shown.
    pub uri: String,
    /// Whom to trust as the proxy.
    pub tls: Arc<rustls::ClientConfig>,
}

/// The configuration makes no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Not a header value.
    #[error("the user agent has characters that no header can carry")]
    UserAgent,
    /// Not an address of a proxy. Not quoted: it may hold credentials.
    #[error("the proxy's address is not a URL of the form http(s)://host:port")]
    Proxy,
}

type Direct = HttpsConnector<HttpConnector>;
type Proxied = HttpsConnector<Tunnel<Direct>>;

/// The pools of both lanes, and who goes around the proxy.
pub(super) struct Pools {
    direct: Lanes<Direct>,
    proxied: Option<(Matcher, Lanes<Proxied>)>,
}

struct Lanes<C> {
    calls: legacy::Client<C, Tracked>,
    polls: legacy::Client<C, Tracked>,
}

impl Pools {
    pub(super) fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let proxied = match &config.proxy {
            None => None,
            Some(proxy) => Some(proxied(proxy, &config)?),
        };
        let over = |lane| origin(&config.tls, lane, tcp());
        let direct = Lanes {
            calls: pool(over(Lane::Calls), Lane::Calls),
            polls: pool(over(Lane::Polls), Lane::Polls),
        };
        Ok(Self { direct, proxied })
    }

    pub(super) async fn request(
        &self,
        request: Request<Tracked>,
        lane: Lane,
    ) -> Result<Response<Incoming>, Error> {
        match &self.proxied {
            Some((matcher, lanes)) if matcher.intercept(request.uri()).is_some() => {
                lanes.over(lane).request(request).await
            }
            _ => self.direct.over(lane).request(request).await,
        }
    }
}

impl<C> Lanes<C> {
    fn over(&self, lane: Lane) -> &legacy::Client<C, Tracked> {
        match lane {
            Lane::Calls => &self.calls,
            Lane::Polls => &self.polls,
        }
    }
}

fn proxied(proxy: &Proxy, config: &ClientConfig) -> Result<(Matcher, Lanes<Proxied>), ClientError> {
    let matcher = Matcher::builder().all(proxy.uri.as_str()).no(config.no_proxy.as_str()).build();
    // The matcher takes the credentials out of the address; any host that no rule exempts shows them.
    let everything = Matcher::builder().all(proxy.uri.as_str()).build();
    let way = everything
        .intercept(&Uri::from_static("https://api.github.com"))
        .filter(|way| matches!(way.uri().scheme_str(), Some("http" | "https")))
        .ok_or(ClientError::Proxy)?;

    // CONNECT is spoken in HTTP/1.1: no h2 in ALPN towards the proxy.
    let hop = HttpsConnectorBuilder::new()
        .with_tls_config((*proxy.tls).clone())
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp());
    let mut tunnel = Tunnel::new(way.uri().clone(), hop);
    if let Some(credentials) = way.basic_auth() {
        tunnel = tunnel.with_auth(credentials.clone());
    }
    let over = |lane| origin(&config.tls, lane, tunnel.clone());
    let lanes =
        Lanes { calls: pool(over(Lane::Calls), Lane::Calls), polls: pool(over(Lane::Polls), Lane::Polls) };
    Ok((matcher, lanes))
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    tcp
}

/// TLS to GitHub over a connection that `inner` makes. Plain HTTP stays possible for addresses that
/// say so: in-cluster test servers, and run services that are handed out as such.
fn origin<C>(tls: &Arc<rustls::ClientConfig>, lane: Lane, inner: C) -> HttpsConnector<C> {
    let builder =
        HttpsConnectorBuilder::new().with_tls_config((**tls).clone()).https_or_http().enable_http1();
    match lane {
        Lane::Calls => builder.enable_http2().wrap_connector(inner),
        Lane::Polls => builder.wrap_connector(inner),
    }
}

fn pool<C>(connector: C, lane: Lane) -> legacy::Client<C, Tracked>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    let buffer = match lane {
        Lane::Calls => CALL_BUFFER,
        Lane::Polls => POLL_BUFFER,
    };
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .http1_max_buf_size(buffer)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(4 * STREAM_WINDOW)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .build(connector)
}
