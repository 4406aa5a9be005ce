use std::sync::Arc;
use std::time::Duration;

use github_proto::request::Request;
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{Client, ClientConfig, ClientError, Deadline, Error, Lane, Proxy};
use crate::scripted::{Answer, Scripted, answer, client, nobody, timeouts};

fn request(method: Method, url: &str, body: &'static str) -> Request {
    http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", "Bearer FAKE")
        .body(body.into())
        .unwrap()
}

fn get(server: &Scripted) -> Request {
    request(Method::GET, &server.url("/x"), "")
}

fn soon(headers: u64) -> Deadline {
    Deadline {
        headers: Duration::from_millis(headers),
        total: Some(Duration::from_secs(10)),
        max_body: 16,
        lane: Lane::Calls,
    }
}

#[tokio::test]
async fn every_request_has_a_user_agent() {
    let server = Scripted::start([("GET /x", vec![answer(200, "ok")])]).await;
    let reply = client().send(get(&server), soon(10_000)).await.unwrap();
    assert_eq!(reply.body(), "ok");
    assert_eq!(server.seen()[0].headers["user-agent"], "scripted-test/1");
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound() {
    let server = Scripted::start([(
        "GET /x",
        vec![answer(200, "0123456789abcdef"), answer(200, "0123456789abcdef+")],
    )])
    .await;
    assert!(client().send(get(&server), soon(10_000)).await.is_ok());
    let error = client().send(get(&server), soon(10_000)).await.unwrap_err();
    assert!(matches!(error, Error::TooLong { limit: 16 }), "{error}");
    assert!(error.sent());
}

#[tokio::test]
async fn a_black_hole_ends_at_the_header_deadline() {
    let server = Scripted::start([("POST /x", vec![Answer::Hang])]).await;
    let error = client().send(request(Method::POST, &server.url("/x"), "{}"), soon(50)).await.unwrap_err();
    assert!(error.is_timeout() && error.sent(), "{error:?}");
}

#[tokio::test]
async fn a_refused_connection_was_certainly_not_sent() {
    let request = request(Method::POST, &nobody().await, "{}");
    let error = client().send(request, soon(10_000)).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(!error.sent());
    assert!(error.to_string().contains("Connection refused"), "the whole chain is told: {error}");
}

/// Accepts TCP, and says no word of HTTP or TLS.
#[tokio::test]
async fn a_handshake_that_never_ends_was_certainly_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/x", listener.local_addr().unwrap());
    let error = client().send(request(Method::POST, &url, "{}"), soon(100)).await.unwrap_err();
    assert!(error.is_timeout() && !error.sent(), "{error:?}");
}

#[tokio::test]
async fn a_redirect_to_another_server_goes_without_the_token() {
    let other = Scripted::start([("GET /y", vec![answer(200, "there")])]).await;
    let here = Scripted::start([("GET /x", vec![answer(302, "").with("location", &other.url("/y"))])]).await;
    let reply = client().send_following(get(&here), soon(10_000)).await.unwrap();
    assert_eq!(reply.body(), "there");
    assert!(here.seen()[0].headers.contains_key("authorization"));
    assert!(!other.seen()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_redirect_in_a_circle_ends() {
    let server = Scripted::start([("GET /x", vec![answer(302, "").with("location", "/x")])]).await;
    let error = client().send_following(get(&server), soon(10_000)).await.unwrap_err();
    assert!(matches!(error, Error::Redirect(_)), "{error:?}");
    assert_eq!(server.count("GET /x"), 4);
}

/// Speaks CONNECT and passes bytes on; tells what it was asked.
async fn connect_proxy() -> (u16, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, heard) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut inbound, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(inbound.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let target = head.split(' ').nth(1).unwrap().to_owned();
            asked.send(head).await.unwrap();
            let mut outbound = TcpStream::connect(target).await.unwrap();
            inbound.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut inbound, &mut outbound).await });
        }
    });
    (port, heard)
}

fn through(proxy: &str, no_proxy: &str) -> Result<Client, ClientError> {
    let tls =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
    let tls = Arc::new(tls);
    Client::new(ClientConfig {
        tls: Arc::clone(&tls),
        proxy: Some(Proxy { uri: proxy.into(), tls }),
        no_proxy: no_proxy.into(),
        user_agent: "t".into(),
    })
}

#[tokio::test]
async fn requests_go_through_the_proxy_but_for_exempt_hosts() {
    let server = Scripted::start([("GET /x", vec![answer(200, "ok")])]).await;
    let (port, mut heard) = connect_proxy().await;
    let proxy = format!("http://user:pass@127.0.0.1:{port}");

    let proxied = through(&proxy, "").unwrap();
    assert!(proxied.send(get(&server), soon(10_000)).await.is_ok());
    let head = heard.recv().await.unwrap();
    assert!(head.starts_with(&format!("CONNECT {} ", server.address())), "{head}");
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpwyxnz"), "{head}");

    let exempt = through(&proxy, "localhost,127.0.0.0/8").unwrap();
    assert!(exempt.send(get(&server), soon(10_000)).await.is_ok());
    assert!(heard.try_recv().is_err());
}

#[test]
fn an_address_that_is_no_proxys_is_refused() {
    for proxy in ["", "socks5://proxy:1080", "::"] {
        assert_eq!(through(proxy, "").err(), Some(ClientError::Proxy), "{proxy:?}");
    }
}

#[test]
fn polls_outlast_the_servers_hold() {
    let poll = Deadline::poll(&crate::Timeouts::default(), 1);
    assert!(poll.headers > Duration::from_secs(51));
    assert!(poll.total > Some(poll.headers));
    assert_eq!(poll.lane, Lane::Polls);
    assert_eq!(Deadline::call(&timeouts(), 1).lane, Lane::Calls);
}
