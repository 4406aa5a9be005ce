use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use prometheus::Registry;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt as _;

use super::*;
use crate::{client, metrics::RestMetrics};

/// A server's socket, and a client of it.
async fn server() -> (TcpListener, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let config = Config::new(address.parse().unwrap());
    let metrics = RestMetrics::register(&Registry::new()).unwrap();
    (listener, client::client(config, metrics).unwrap())
}

/// Answers one request.
async fn answer(connection: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(connection.read_u8().await.unwrap());
    }
    let body = r#"{"metadata":{"name":"a"}}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn no_write_waits_for_an_acknowledgement() {
    let (listener, _) = server().await;
    let address = format!("http://{}", listener.local_addr().unwrap());
    let connection = tcp().oneshot(address.parse().unwrap()).await.unwrap();
    assert!(connection.inner().nodelay().unwrap());
}

#[tokio::test]
async fn a_connection_serves_the_calls_that_follow_and_is_closed_when_none_does() {
    let (listener, client) = server().await;
    let api = Api::<ConfigMap>::default_namespaced(client);
    let (first, mut connection) = tokio::join!(api.get("a"), async {
        let (mut connection, _) = listener.accept().await.unwrap();
        answer(&mut connection).await;
        connection
    });
    first.unwrap();
    let (second, ()) = tokio::join!(api.get("a"), answer(&mut connection));
    second.unwrap();
    // From here on no call is under way, and time jumps to whatever is due next.
    tokio::time::pause();
    let closed = tokio::time::timeout(4 * IDLE, connection.read_u8()).await;
    let closed = closed.expect("the connection stays open").unwrap_err();
    assert_eq!(closed.kind(), std::io::ErrorKind::UnexpectedEof);
}
