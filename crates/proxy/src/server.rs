//! Takes each connection from the end of its handshake to the end of its tunnel.

mod exchange;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use runtime::tls::{self, HotCert};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Limits,
    connect::Connect,
    dial::{DialError, Dialled, Resolver, dial},
    metrics::Metrics,
    policy::Policy,
    tunnel::{self, Bounds},
};
use exchange::{Reply, read_request, reply};

/// Tunnels that were cut have nothing left to do but to close.
const CUT_PATIENCE: Duration = Duration::from_secs(1);

/// The proxy itself.
pub struct Server {
    clients: tls::Server,
    policy: Policy,
    resolver: Resolver,
    limits: Limits,
    metrics: Metrics,
    tunnels: Arc<Semaphore>,
    /// Nobody new is served.
    closing: CancellationToken,
    /// Open tunnels end now.
    cut: CancellationToken,
}

impl tls::Serve for Server {
    async fn serve(&self, mut client: TlsStream<TcpStream>, peer: SocketAddr) {
        let (connect, early) = match read_request(&mut client, &self.limits, &self.closing).await {
            Ok(Some(request)) => request,
            // It said nothing.
            Ok(None) => return,
            Err(refusal) => return self.refuse(client, refusal).await,
        };
        match self.open(&connect).await {
            Ok(destination) => self.tunnel(client, peer, &connect, &early, destination).await,
            Err(refusal) => {
                self.note(peer, &connect, &refusal);
                self.refuse(client, refusal).await;
            }
        }
    }

    fn turned_away(&self) {
        self.metrics.outcome("connection_limit");
    }
}

/// The far end of a tunnel.
struct Opened {
    dialled: Dialled,
    /// Given back when the tunnel ends.
    permit: OwnedSemaphorePermit,
}

impl Server {
    /// A server that presents `certificate`, whatever that is at the time of a handshake.
    ///
    /// # Errors
    /// As [`tls::Server::new`].
    pub fn new(
        certificate: Arc<HotCert>,
        policy: Policy,
        resolver: Resolver,
        limits: Limits,
        metrics: Metrics,
    ) -> Result<Self, tls::Error> {
        // CONNECT is spoken in HTTP/1.1.
        let bounds = tls::Bounds { handshake: limits.header, connections: limits.connections };
        Ok(Server {
            clients: tls::Server::new(certificate, &[b"http/1.1"], bounds)?,
            policy,
            resolver,
            limits,
            metrics,
            tunnels: Arc::new(Semaphore::new(limits.tunnels)),
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
        })
    }

    /// Serves until `stop` and lingers; then lets open tunnels end, and cuts those that do not in time.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let server = Arc::new(self);
        let connections = TaskTracker::new();
        let lingered = async {
            stop.cancelled().await;
            sleep(server.limits.linger).await;
        };
        tokio::select! {
            () = server.clients.accept(listener, &server, &connections) => {}
            () = lingered => {}
        }
        server.closing.cancel();
        connections.close();
        let left = server.limits.drain.saturating_sub(server.limits.linger);
        if timeout(left, connections.wait()).await.is_err() {
            tracing::info!(tunnels = server.metrics.active.get(), "closing the tunnels that are still open");
            server.cut.cancel();
            let _ = timeout(CUT_PATIENCE, connections.wait()).await;
        }
    }

    /// A connection to the destination, and the right to a tunnel.
    async fn open(&self, connect: &Connect) -> Result<Opened, Reply> {
        let permit = self.tunnels.clone().try_acquire_owned().map_err(|_| Reply::TunnelLimit)?;
        let dialled = dial(&self.policy, &self.resolver, &connect.host, connect.port);
        match timeout(self.limits.dial, dialled).await {
            Ok(Ok(dialled)) => Ok(Opened { dialled, permit }),
            Ok(Err(DialError::Denied(denial))) => Err(Reply::Denied(denial)),
            Ok(Err(error)) => Err(Reply::Unreachable(error)),
            Err(_) => Err(Reply::DialTimeout),
        }
    }

    async fn tunnel(
        &self,
        mut client: TlsStream<TcpStream>,
        peer: SocketAddr,
        connect: &Connect,
        early: &[u8],
        opened: Opened,
    ) {
        let Opened { dialled: Dialled { mut stream, entry }, permit } = opened;
        let _ = stream.set_nodelay(true);
        let meters = self.metrics.meters(&entry);
        if exchange::establish(&mut client, &mut stream, early, self.limits.header).await.is_err() {
            return self.metrics.outcome("client_gone");
        }
        meters.up.inc_by(early.len() as u64);
        self.metrics.outcome("tunnel");
        self.metrics.opened.inc();
        self.metrics.active.inc();
        let timer = self.metrics.tunnel_seconds.start_timer();
        let bounds =
            Bounds { idle: self.limits.tunnel_idle, life: self.limits.tunnel_life, cut: self.cut.clone() };
        let ended = tunnel::run(client, stream, bounds, meters).await;
        let seconds = timer.stop_and_record();
        drop(permit);
        self.metrics.active.dec();
        tracing::info!(
            %peer, host = %connect.host, port = connect.port, traceparent = connect.traceparent, allowed_by = entry,
            bytes_up = ended.up + early.len() as u64, bytes_down = ended.down, seconds, end = ended.why.as_str(),
            "tunnel closed"
        );
    }

    /// The audit line of a request that named a destination and did not get there.
    fn note(&self, peer: SocketAddr, connect: &Connect, refusal: &Reply) {
        let (host, port, reason) = (&connect.host, connect.port, refusal.outcome());
        let traceparent = connect.traceparent.as_deref();
        match refusal {
            Reply::Denied(_) => {
                tracing::warn!(log_category = "security", %peer, %host, port, reason, traceparent, "tunnel denied");
            }
            Reply::Unreachable(error) => {
                let error = runtime::telemetry::chain(error);
                tracing::warn!(%peer, %host, port, reason, traceparent, %error, "tunnel failed");
            }
            _ => tracing::warn!(%peer, %host, port, reason, traceparent, "tunnel failed"),
        }
    }

    async fn refuse(&self, client: TlsStream<TcpStream>, refusal: Reply) {
        self.metrics.outcome(refusal.outcome());
        if refusal.is_denial() {
            self.metrics.denied.inc();
        }
        if refusal.is_dial_error() {
            self.metrics.dial_errors.inc();
        }
        // Whether the client hears it is its own affair.
        let _ = timeout(self.limits.header, reply(client, &refusal)).await;
    }
}

#[cfg(test)]
mod tests;
