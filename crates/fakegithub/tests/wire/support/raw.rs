//! Requests as bytes on a socket: what a client library would put right stays wrong.

use std::sync::Arc;

use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Github, tls};

/// An answer as it came.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Raw {
    fn parse(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let raw = Self { status, head: head.to_lowercase(), body: body.to_owned() };
        // Exact lengths are a rule of their own (protocol §11.2), so every answer is held to it.
        let length = (status != 204 && status != 304).then(|| body.len().to_string());
        assert_eq!(raw.header("content-length"), length.as_deref(), "{text}");
        raw
    }

    /// The value of a header, whose name is in lower case; so is what is returned.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| *known == name)
            .map(|it| it.1)
    }

    pub fn json(&self) -> Value {
        assert!(
            self.header("content-type").is_some_and(|it| it.starts_with("application/json")),
            "{}",
            self.head
        );
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Checks that the body says so.
    #[track_caller]
    pub fn saying(self, part: &str) -> Self {
        assert!(self.body.contains(part), "no {part:?} in {}", self.body);
        self
    }
}

impl Github {
    /// Sends a request as it is written, on a connection of its own: head, an empty line, body. What is added is what
    /// only the test cannot know: the host, the body's length, and that the connection ends with the answer.
    pub async fn raw(&self, request: &str) -> Raw {
        let (head, body) = request.split_once("\n\n").unwrap_or((request.trim_end(), ""));
        // A URL that was handed out stands in the first line whole.
        let head = head.replacen(self.server.base_url(), "", 1).replace('\n', "\r\n");
        let framing = format!("Host: github.test\r\nConnection: close\r\nContent-Length: {}", body.len());
        let connector = TlsConnector::from(Arc::new(tls(self.server.ca_pem())));
        let stream = TcpStream::connect(self.server.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream.write_all(format!("{head}\r\n{framing}\r\n\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes without TLS's farewell has said all the same what it had to say.
        let _ = stream.read_to_end(&mut answer).await;
        Raw::parse(answer)
    }

    /// Checks that a request is refused with a status and a text, and recorded as breaking that rule.
    pub async fn refuses(&self, request: &str, status: u16, text: &str, rule: &str) -> Raw {
        let raw = self.raw(request).await.expect(status).saying(text);
        self.assert_violation(rule);
        raw
    }

    /// Checks that a request is refused, though nothing is wrong with it: it can happen to anyone.
    pub async fn denies(&self, request: &str, status: u16, text: &str) -> Raw {
        let raw = self.raw(request).await.expect(status).saying(text);
        self.assert_no_violation();
        raw
    }

    /// Checks that a request is accepted, and breaks no rule.
    pub async fn takes(&self, request: &str, status: u16) -> Raw {
        let raw = self.raw(request).await.expect(status);
        self.assert_no_violation();
        raw
    }
}
