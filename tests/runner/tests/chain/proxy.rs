//! An egress proxy in miniature: CONNECT over TLS, with a certificate that only its own file vouches for.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::tls;

pub struct Proxy {
    pub url: String,
    pub certificate: String,
    /// The destinations of the tunnels so far.
    pub tunnels: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub async fn start() -> Proxy {
        let (tls, certificate) = tls::self_signed();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let tunnels = Arc::new(Mutex::new(Vec::new()));
        let seen = tunnels.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(tunnel(tls.clone(), connection, seen.clone()));
            }
        });
        Proxy { url, certificate, tunnels }
    }
}

async fn tunnel(tls: TlsAcceptor, connection: TcpStream, seen: Arc<Mutex<Vec<String>>>) -> io::Result<()> {
    let mut client = tls.accept(connection).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let destination = head.strip_prefix("CONNECT ").and_then(|it| it.split(' ').next()).unwrap();
    seen.lock().unwrap().push(destination.to_owned());
    let mut server = TcpStream::connect(destination).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
