//! The way from a listening socket to a client whose handshake is done, within bounds.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::task::TaskTracker;

use super::{Error, HotCert, server_config};

/// After a failed `accept` (no file descriptors left, mostly): long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes connections and completes their handshakes; what is said over them is a [`Serve`]'s affair.
pub struct Server {
    acceptor: TlsAcceptor,
    handshake: Duration,
    connections: Arc<Semaphore>,
}

/// What a TLS server may be asked to bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From accepting a connection to the end of its handshake.
    pub handshake: Duration,
    /// Connections at once, those in their handshake included; the next is closed.
    pub connections: usize,
}

/// Speaks with one client at a time, with many of them side by side.
pub trait Serve: Send + Sync + 'static {
    /// From the end of the handshake to the end of the connection.
    fn serve(&self, client: TlsStream<TcpStream>, peer: SocketAddr) -> impl Future<Output = ()> + Send;

    /// A connection was closed at once: there were too many.
    fn turned_away(&self) {}
}

impl Server {
    /// Presents `certificate`, whatever that is at the time of a handshake; `alpn` as in `&[b"h2", b"http/1.1"]`.
    ///
    /// # Errors
    /// As [`server_config`].
    pub fn new(certificate: Arc<HotCert>, alpn: &[&[u8]], bounds: Bounds) -> Result<Self, Error> {
        Ok(Server {
            acceptor: TlsAcceptor::from(server_config(certificate, alpn)?),
            handshake: bounds.handshake,
            connections: Arc::new(Semaphore::new(bounds.connections)),
        })
    }

    /// Accepts until the future is dropped, and the socket with it: nobody waits for an answer that does not come. Each
    /// connection is a task of `tasks`, which goes on.
    pub async fn accept(&self, listener: TcpListener, service: &Arc<impl Serve>, tasks: &TaskTracker) {
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => self.admit(socket, peer, service.clone(), tasks),
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// One task for each connection, as long as there are not too many.
    fn admit(&self, socket: TcpStream, peer: SocketAddr, service: Arc<impl Serve>, tasks: &TaskTracker) {
        let Ok(permit) = self.connections.clone().try_acquire_owned() else { return service.turned_away() };
        let (acceptor, handshake) = (self.acceptor.clone(), self.handshake);
        tasks.spawn(async move {
            // Small records should not wait for each other. An error shows at the first read.
            let _ = socket.set_nodelay(true);
            match timeout(handshake, acceptor.accept(socket)).await {
                Ok(Ok(client)) => service.serve(client, peer).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "handshake failed"),
                Err(_) => tracing::debug!(%peer, "handshake took too long"),
            }
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests;
