//! From a destination to a connection. Each address is judged and then dialled as it is: nothing is looked up
//! twice, so a name cannot point elsewhere in between.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use crate::{
    connect::Host,
    policy::{Denial, Policy},
};

/// An address that stays silent for so long makes way for the next one, if there is one.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_secs(2);

/// Looks a name up; `host` and port, as for the system's own resolver.
pub type Resolver = Arc<dyn Fn(String, u16) -> Lookup + Send + Sync>;

/// A lookup under way.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// A connection, and the entry of the policy that allowed it.
#[derive(Debug)]
pub struct Dialled {
    /// To the destination.
    pub stream: TcpStream,
    /// The allowed suffix or range.
    pub entry: String,
}

/// There is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// It may not go there.
    #[error("the destination is not allowed")]
    Denied(Denial),
    /// The name leads nowhere.
    #[error("failed to resolve the destination")]
    Resolve(#[source] io::Error),
    /// None of the allowed addresses answered; the last one's reason.
    #[error("failed to connect to the destination")]
    Connect(#[source] io::Error),
}

/// The system's resolver.
pub fn system_resolver() -> Resolver {
    Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }))
}

/// Connects to the first address that is allowed and answers.
///
/// # Errors
/// [`DialError`]. It waits as long as the kernel does: the caller bounds it.
pub async fn dial(
    policy: &Policy,
    resolver: &Resolver,
    host: &Host,
    port: u16,
) -> Result<Dialled, DialError> {
    let addresses = addresses(policy, resolver, host, port).await?;
    let mut failure = None;
    let mut allowed = Vec::new();
    for address in addresses {
        match policy.judge(host, port, address.ip()) {
            Ok(entry) => allowed.push((address, entry)),
            Err(denial) => failure = Some(DialError::Denied(denial)),
        }
    }
    let last = allowed.len().saturating_sub(1);
    for (index, (address, entry)) in allowed.into_iter().enumerate() {
        match connect(address, index == last).await {
            Ok(stream) => return Ok(Dialled { stream, entry: entry.to_owned() }),
            Err(error) => failure = Some(DialError::Connect(error)),
        }
    }
    Err(failure.unwrap_or_else(|| DialError::Resolve(io::Error::from(io::ErrorKind::NotFound))))
}

async fn connect(address: SocketAddr, last: bool) -> io::Result<TcpStream> {
    if last {
        return TcpStream::connect(address).await;
    }
    timeout(NEXT_ADDRESS_AFTER, TcpStream::connect(address)).await?
}

async fn addresses(
    policy: &Policy,
    resolver: &Resolver,
    host: &Host,
    port: u16,
) -> Result<Vec<SocketAddr>, DialError> {
    match host {
        Host::Address(address) => Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => {
            policy.may_resolve(name, port).map_err(DialError::Denied)?;
            resolver(name.clone(), port).await.map_err(DialError::Resolve)
        }
    }
}
