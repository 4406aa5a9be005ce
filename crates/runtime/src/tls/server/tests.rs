use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::super::{client_config_only, tests::pair};
use super::*;

/// Sends back one byte at a time; tells of those that were turned away.
struct Echo(mpsc::UnboundedSender<&'static str>);

impl Serve for Echo {
    async fn serve(&self, mut client: TlsStream<TcpStream>, _: SocketAddr) {
        while let Ok(byte) = client.read_u8().await {
            client.write_u8(byte).await.unwrap();
            client.flush().await.unwrap();
        }
        self.0.send("ended").unwrap();
    }

    fn turned_away(&self) {
        self.0.send("turned away").unwrap();
    }
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_one_that_ends_makes_room() {
    let pair = pair("ca");
    let certificate = Arc::new(HotCert::default());
    certificate.set(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
    let bounds = Bounds { handshake: Duration::from_secs(60), connections: 1 };
    let server = Server::new(certificate, &[b"http/1.1"], bounds).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, mut heard) = mpsc::unbounded_channel();
    let tasks = TaskTracker::new();
    let running = tasks.clone();
    let accepting =
        tokio::spawn(async move { server.accept(listener, &Arc::new(Echo(told)), &running).await });

    let connector = TlsConnector::from(client_config_only(&[pair.ca.as_bytes()]).unwrap());
    let connect = || async {
        let socket = TcpStream::connect(address).await.unwrap();
        connector.connect(ServerName::try_from("localhost").unwrap(), socket).await
    };
    let mut first = connect().await.unwrap();
    first.write_u8(7).await.unwrap();
    assert_eq!(first.read_u8().await.unwrap(), 7);
    connect().await.unwrap_err();
    assert_eq!(heard.recv().await, Some("turned away"));

    drop(first);
    assert_eq!(heard.recv().await, Some("ended"));
    while !tasks.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut second = connect().await.unwrap();

    accepting.abort();
    assert!(accepting.await.unwrap_err().is_cancelled());
    TcpStream::connect(address).await.unwrap_err();
    second.write_u8(8).await.unwrap();
    assert_eq!(second.read_u8().await.unwrap(), 8, "who was served goes on");
}
