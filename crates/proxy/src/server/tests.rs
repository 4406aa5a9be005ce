use std::sync::Mutex;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client, rustls::pki_types::ServerName};

use super::*;
use crate::{connect::Invalid, policy::Denial};

/// A certificate for `proxy` under a CA of its own, in PEM.
struct Pair {
    ca: String,
    certificate: String,
    key: String,
}

fn pair(name: &str) -> Pair {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.distinguished_name.push(DnType::CommonName, name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["proxy".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    Pair { ca: ca_pem, certificate: leaf.pem(), key: key.serialize_pem() }
}

/// A proxy on loopback, which may reach loopback.
struct Proxy {
    address: SocketAddr,
    ca: Pair,
    certificate: Arc<HotCert>,
    metrics: Metrics,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Proxy {
    async fn start(limits: Limits) -> Proxy {
        Proxy::with(
            limits,
            Policy::new(&[], vec!["127.0.0.0/8".parse().unwrap()]),
            crate::dial::system_resolver(),
        )
        .await
    }

    async fn with(limits: Limits, policy: Policy, resolver: Resolver) -> Proxy {
        let ca = pair("first");
        let certificate = Arc::new(HotCert::default());
        certificate.set(ca.certificate.as_bytes(), ca.key.as_bytes()).unwrap();
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let server = Server::new(certificate.clone(), policy, resolver, limits, metrics.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(listener, stop.clone()));
        Proxy { address, ca, certificate, metrics, stop, running }
    }

    async fn connect(&self) -> std::io::Result<client::TlsStream<TcpStream>> {
        handshake(self.address, &self.ca.ca).await
    }

    /// What the proxy answers to these bytes, to the end.
    async fn answer(&self, request: &str) -> String {
        let mut client = self.connect().await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// An open tunnel to `destination`.
    async fn tunnel(&self, destination: SocketAddr) -> client::TlsStream<TcpStream> {
        let mut client = self.connect().await.unwrap();
        client.write_all(format!("CONNECT {destination} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = [0; 39];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 Connection established\r\n\r\n");
        client
    }

    fn outcome(&self, outcome: &str) -> u64 {
        self.metrics.decided(outcome)
    }
}

async fn handshake(address: SocketAddr, ca: &str) -> std::io::Result<client::TlsStream<TcpStream>> {
    let connector = TlsConnector::from(runtime::tls::client_config_only(&[ca.as_bytes()]).unwrap());
    connector.connect(ServerName::try_from("proxy").unwrap(), TcpStream::connect(address).await?).await
}

/// Sends back what it is sent, and tells of each connection.
async fn echo() -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = sender.send(()).await;
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    (address, receiver)
}

fn limits() -> Limits {
    Limits { linger: Duration::ZERO, ..Limits::default() }
}

async fn said(client: &mut client::TlsStream<TcpStream>, text: &str) -> String {
    client.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_tunnel_carries_bytes_and_is_counted() {
    let proxy = Proxy::start(limits()).await;
    let (echo, _) = echo().await;
    let mut client = proxy.tunnel(echo).await;
    assert_eq!(said(&mut client, "hello").await, "hello");
    assert_eq!(proxy.metrics.active.get(), 1);

    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    proxy.stop.cancel();
    proxy.running.await.unwrap();
    assert_eq!((proxy.metrics.active.get(), proxy.metrics.opened.get()), (0, 1));
    assert_eq!(proxy.metrics.tunnel_seconds.get_sample_count(), 1);
    let meters = proxy.metrics.meters("127.0.0.0/8");
    assert_eq!((meters.up.get(), meters.down.get()), (5, 5));
}

#[tokio::test]
async fn what_comes_with_the_request_reaches_the_destination() {
    let proxy = Proxy::start(limits()).await;
    let (echo, _) = echo().await;
    let mut client = proxy.connect().await.unwrap();
    client.write_all(format!("CONNECT {echo} HTTP/1.1\r\nHost: x\r\n\r\nearly").as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\nearly");
}

#[tokio::test]
async fn any_other_method_is_answered_with_405() {
    let proxy = Proxy::start(limits()).await;
    for request in ["GET / HTTP/1.1\r\n\r\n", "POST http://github.com/ HTTP/1.1\r\nContent-Length: 1\r\n\r\n"]
    {
        let answer = proxy.answer(request).await;
        assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\n"), "{answer}");
    }
    assert_eq!(proxy.outcome("method"), 2);
    assert_eq!(proxy.metrics.denied.get(), 0);
}

#[tokio::test]
async fn a_name_that_is_not_allowed_is_not_even_looked_up() {
    let resolver: Resolver = Arc::new(|host, _| panic!("looked up {host}"));
    let proxy = Proxy::with(limits(), Policy::new(&["github.com".to_owned()], vec![]), resolver).await;
    let answer = proxy.answer("CONNECT secret.evil.net:443 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert_eq!((proxy.metrics.denied.get(), proxy.metrics.dial_errors.get()), (1, 0));
    assert_eq!(proxy.outcome("host_denied"), 1);
}

#[tokio::test]
async fn an_allowed_name_that_leads_to_a_private_address_is_denied_and_not_dialled() {
    let (echo, mut dialled) = echo().await;
    let resolver: Resolver = Arc::new(move |_, _| Box::pin(async move { Ok(vec![echo]) }));
    let proxy = Proxy::with(limits(), Policy::new(&["github.com".to_owned()], vec![]), resolver).await;
    let answer = proxy.answer("CONNECT github.com:443 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(!answer.contains("127.0.0.1"), "{answer}");
    assert_eq!((proxy.metrics.denied.get(), proxy.metrics.dial_errors.get()), (1, 1));
    assert!(dialled.try_recv().is_err());
}

#[tokio::test]
async fn a_name_is_looked_up_once_so_that_it_cannot_point_elsewhere_afterwards() {
    let (allowed, mut dialled) = echo().await;
    let lookups = Arc::new(Mutex::new(0));
    let counted = lookups.clone();
    let resolver: Resolver = Arc::new(move |_, _| {
        let mut lookups = counted.lock().unwrap();
        *lookups += 1;
        // A second lookup would be answered with an address that nothing may reach.
        let answer = if *lookups == 1 { allowed } else { "169.254.169.254:80".parse().unwrap() };
        Box::pin(async move { Ok(vec!["10.0.0.1:443".parse().unwrap(), answer]) })
    });
    let range = format!("{}/32", allowed.ip()).parse().unwrap();
    let proxy = Proxy::with(limits(), Policy::new(&[], vec![range]), resolver).await;
    let mut client = proxy.connect().await.unwrap();
    client.write_all(b"CONNECT rebinding.test:443 HTTP/1.1\r\n\r\n").await.unwrap();
    dialled.recv().await.unwrap();
    assert_eq!(*lookups.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_destination_that_refuses_is_a_502() {
    let proxy = Proxy::start(limits()).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let answer = proxy.answer(&format!("CONNECT {closed} HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
    assert_eq!((proxy.metrics.denied.get(), proxy.metrics.dial_errors.get()), (0, 1));
}

#[tokio::test]
async fn an_address_that_refuses_makes_way_for_the_next() {
    let (echo, mut dialled) = echo().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let resolver: Resolver = Arc::new(move |_, _| Box::pin(async move { Ok(vec![closed, echo]) }));
    let policy = Policy::new(&[], vec!["127.0.0.0/8".parse().unwrap()]);
    let proxy = Proxy::with(limits(), policy, resolver).await;
    let mut client = proxy.connect().await.unwrap();
    client.write_all(b"CONNECT two-addresses.test:443 HTTP/1.1\r\n\r\n").await.unwrap();
    dialled.recv().await.unwrap();
}

#[tokio::test]
async fn a_lookup_that_does_not_end_is_a_504() {
    let resolver: Resolver = Arc::new(|_, _| Box::pin(std::future::pending()));
    let limits = Limits { dial: Duration::from_millis(50), ..limits() };
    let proxy = Proxy::with(limits, Policy::new(&[], vec![]), resolver).await;
    let answer = proxy.answer("CONNECT github.com:443 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{answer}");
    assert_eq!(proxy.metrics.dial_errors.get(), 1);
}

#[tokio::test]
async fn one_tunnel_too_many_is_a_503_and_a_closed_one_makes_room() {
    let proxy = Proxy::start(Limits { tunnels: 1, ..limits() }).await;
    let (echo, _) = echo().await;
    let mut first = proxy.tunnel(echo).await;
    let answer = proxy.answer(&format!("CONNECT {echo} HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"), "{answer}");

    first.shutdown().await.unwrap();
    while first.read(&mut [0; 1]).await.unwrap_or(0) > 0 {}
    while proxy.metrics.active.get() > 0 {
        tokio::task::yield_now().await;
    }
    proxy.tunnel(echo).await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed() {
    let proxy = Proxy::start(Limits { connections: 1, ..limits() }).await;
    let _first = proxy.connect().await.unwrap();
    assert!(proxy.connect().await.is_err());
    assert_eq!(proxy.outcome("connection_limit"), 1);
}

#[tokio::test]
async fn a_head_that_is_too_long_or_too_slow_is_refused() {
    let proxy = Proxy::start(Limits { head_bytes: 64, header: Duration::from_millis(200), ..limits() }).await;
    let answer = proxy.answer(&format!("CONNECT github.com:443 HTTP/1.1\r\nA: {}", "b".repeat(64))).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = proxy.answer("CONNECT github").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let proxy = Proxy::start(Limits { idle: Duration::from_millis(50), ..limits() }).await;
    let mut client = proxy.connect().await.unwrap();
    assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_changed_certificate_serves_new_connections_and_leaves_open_tunnels_alone() {
    let proxy = Proxy::start(limits()).await;
    let (echo, _) = echo().await;
    let mut open = proxy.tunnel(echo).await;
    let new = pair("second");
    proxy.certificate.set(new.certificate.as_bytes(), new.key.as_bytes()).unwrap();
    assert!(proxy.connect().await.is_err(), "the old CA is no longer presented");
    assert!(handshake(proxy.address, &new.ca).await.is_ok());
    assert_eq!(said(&mut open, "still here").await, "still here");
}

#[tokio::test]
async fn a_drain_lingers_then_accepts_no_connections_and_waits_for_tunnels() {
    let linger = Duration::from_millis(300);
    let proxy = Proxy::start(Limits { linger, ..Limits::default() }).await;
    let (echo, _) = echo().await;
    let mut open = proxy.tunnel(echo).await;
    let mut silent = proxy.connect().await.unwrap();
    proxy.stop.cancel();
    let mut late = proxy.tunnel(echo).await;

    // The silent connection is let go when the lingering is over.
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(proxy.address).await.is_err());
    assert!(!proxy.running.is_finished());
    assert_eq!(said(&mut open, "open").await, "open");
    assert_eq!(said(&mut late, "late").await, "late");
    for mut client in [open, late] {
        client.shutdown().await.unwrap();
        while client.read(&mut [0; 1]).await.unwrap_or(0) > 0 {}
    }
    proxy.running.await.unwrap();
}

#[tokio::test]
async fn a_tunnel_that_outlasts_the_drain_is_cut() {
    let proxy = Proxy::start(Limits { drain: Duration::from_millis(100), ..limits() }).await;
    let (echo, _) = echo().await;
    let mut client = proxy.tunnel(echo).await;
    proxy.stop.cancel();
    proxy.running.await.unwrap();
    assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(proxy.metrics.active.get(), 0);
}

#[test]
fn outcomes_are_the_words_of_the_table() {
    let replies = [
        Reply::TunnelLimit,
        Reply::Invalid(Invalid::Method),
        Reply::Invalid(Invalid::Malformed("")),
        Reply::HeaderTimeout,
        Reply::Denied(Denial::Host),
        Reply::Denied(Denial::Port),
        Reply::Denied(Denial::Address),
        Reply::Unreachable(DialError::Resolve(std::io::Error::other(""))),
        Reply::Unreachable(DialError::Connect(std::io::Error::other(""))),
        Reply::DialTimeout,
    ];
    let of_connections = ["tunnel", "client_gone", "connection_limit"];
    let words: Vec<&str> = of_connections.into_iter().chain(replies.iter().map(Reply::outcome)).collect();
    assert_eq!(words, signals::proxy::REQUESTS.label("outcome").unwrap().values);
}
