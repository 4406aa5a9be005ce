//! Connections to the API server: kube's parts, put together with a socket and a pool of our own.
//!
//! kube's builder leaves Nagle's algorithm on, so that the first request on a new connection waits 40 ms for the
//! acknowledgement of the TLS handshake's last bytes; and its pool has no timer, so that what a burst opened stays open.

use std::time::Duration;

use http::Response;
use http_body_util::BodyExt as _;
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Config,
    client::{Body, ConfigExt as _, DynBody},
};
use tower::{BoxError, Service, ServiceBuilder};

use super::Answer;

/// A TCP connection and its TLS handshake. A healthy API server takes milliseconds.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long a connection without a call is kept: many renewals of a lease, and half of what the API server allows, so
/// that no call meets it closing the connection.
pub(super) const IDLE: Duration = Duration::from_secs(45);

/// What sends a request as `config` says, once and without a deadline for the answer.
///
/// # Errors
/// The configuration cannot be used, for instance because of its certificates.
pub(super) fn service(
    config: &Config,
) -> Result<
    impl Service<http::Request<Body>, Response = Answer, Error = BoxError, Future: Send + 'static> + use<>,
    kube::Error,
> {
    runtime::tls::install_provider();
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp())?);
    connector.set_connect_timeout(Some(CONNECT_DEADLINE));
    connector.set_write_timeout(config.write_timeout);
    let pool = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build::<_, Body>(connector);
    Ok(ServiceBuilder::new()
        .map_response(boxed)
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(pool))
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

fn boxed(answer: Response<hyper::body::Incoming>) -> Answer {
    answer.map(|body| Box::new(body.map_err(BoxError::from)) as Box<DynBody>)
}

#[cfg(test)]
mod tests;
