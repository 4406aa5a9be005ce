//! Starting and stopping: listeners, TLS, connections, the ticker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use jiff::SignedDuration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Host;

use crate::config::Config;
use crate::control::{self, Control};
use crate::keys::Keys;
use crate::pki::{self, Ca};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;

/// A client that does not finish its handshake by then is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that does not finish its headers by then is dropped; hyper counts idle time too, so it is long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// How long open connections may take to end at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How often time acts at factor 1; a higher factor shortens it.
const TICK: Duration = Duration::from_millis(50);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener.
    #[error("failed to listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificate.
    #[error("failed to prepare TLS")]
    Pki(#[source] pki::Error),
    /// The public URL.
    #[error("the public URL must be https, with a host and nothing behind it")]
    PublicUrl,
    /// The time factor.
    #[error("the time factor must be a positive number")]
    TimeFactor,
}

/// The server.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts a server on the current runtime.
    pub async fn start(config: Config) -> Result<Handle, Error> {
        if !config.time_factor.is_finite() || config.time_factor <= 0.0 {
            return Err(Error::TimeFactor);
        }
        let listener = bind(config.listen).await?;
        let address = local(&listener, config.listen)?;
        let base = base_url(&config, address)?;
        let ca = match &config.ca_dir {
            Some(directory) => Ca::load_or_generate(directory),
            None => Ca::generate(),
        };
        let ca = ca.map_err(Error::Pki)?;
        let tls = ca.server_config(names(&config, &base)).map_err(Error::Pki)?;
        let hold = SignedDuration::try_from(config.poll_hold).unwrap_or(SignedDuration::from_secs(50));
        let state = State::new(base.clone(), Settings::new(config.time_factor, hold), config.seed);
        let stop = CancellationToken::new();
        let keys = config.keys.unwrap_or_else(|| Keys::distinct(config.distinct_keys));
        let shared = Arc::new(Shared::new(state, keys, ca.pem, stop.clone()));
        let control = Control::new(Arc::clone(&shared));
        let tasks = TaskTracker::new();

        let control_address = match config.control_listen {
            Some(wanted) => Some(serve_control(wanted, control.clone(), &stop, &tasks).await?),
            None => None,
        };
        tasks.spawn(tick(Arc::clone(&shared), config.time_factor));
        tasks.spawn(accept(listener, TlsAcceptor::from(tls), shared, tasks.clone()));
        tasks.close();
        Ok(Handle { base, address, control_address, control, stop, tasks })
    }
}

/// A running server. Dropping it stops the server without waiting.
#[derive(Debug)]
pub struct Handle {
    base: String,
    address: SocketAddr,
    control_address: Option<SocketAddr>,
    control: Control,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Handle {
    /// The URL that clients use, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The CA that clients must trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        self.control.ca_pem()
    }

    /// The control API, in process.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Where GitHub's face listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the control API listens.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control_address
    }

    /// Tells the server to stop, and does not wait for it.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops the server: parked requests are answered, connections end, at most five seconds pass.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("connections were still open at the end");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

fn local(listener: &TcpListener, wanted: SocketAddr) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|source| Error::Listen { address: wanted, source })
}

fn base_url(config: &Config, address: SocketAddr) -> Result<String, Error> {
    let Some(url) = &config.public_url else { return Ok(format!("https://{address}")) };
    let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
    match url.scheme() == "https" && url.has_host() && bare {
        true => Ok(url.as_str().trim_end_matches('/').to_owned()),
        false => Err(Error::PublicUrl),
    }
}

/// The names in the certificate: the public host, what was asked for, and loopback.
fn names(config: &Config, base: &str) -> Vec<String> {
    let host = url::Url::parse(base).ok().and_then(|url| {
        url.host().map(|host| match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        })
    });
    let mut names: Vec<String> = host.into_iter().chain(config.sans.iter().cloned()).collect();
    for loopback in ["localhost", "127.0.0.1", "::1"] {
        if !names.iter().any(|name| name == loopback) {
            names.push(loopback.to_owned());
        }
    }
    names
}

async fn serve_control(
    wanted: SocketAddr,
    control: Control,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<SocketAddr, Error> {
    let listener = bind(wanted).await?;
    let address = local(&listener, wanted)?;
    let stopped = stop.clone().cancelled_owned();
    let server = axum::serve(listener, control::http::router(control)).with_graceful_shutdown(stopped);
    tasks.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the control API ended");
        }
    });
    Ok(address)
}

/// Lets time act until the server stops.
async fn tick(shared: Arc<Shared>, factor: f64) {
    let period = TICK.div_f64(factor.clamp(1.0, 10.0));
    let mut ticks = tokio::time::interval(period);
    loop {
        tokio::select! {
            _ = ticks.tick() => shared.with(|state, now| state.tick(now)),
            () = shared.stop.cancelled() => return,
        }
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, tls.clone(), Arc::clone(&shared)));
            }
            // Out of descriptors, most likely: spinning would not free one.
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await else { return };
    let stop = shared.stop.clone();
    let service = service_fn(move |request| crate::http::serve(Arc::clone(&shared), request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection that ends with an error is a client's business, or a fault that was asked for.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
