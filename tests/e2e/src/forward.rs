//! `kubectl port-forward`, the documented way to look at a pod's metrics: it reaches a pod whatever its policies say.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// For the tunnel to stand, and for an answer.
const LIMIT: Duration = Duration::from_secs(15);

/// A tunnel to one port of one pod; it ends with this value.
pub struct Forward {
    kubectl: Child,
    local: u16,
}

impl Forward {
    /// Opens a tunnel.
    pub async fn open(namespace: &str, pod: &str, port: u16) -> Result<Self> {
        let mut kubectl = Command::new("kubectl")
            .args(["port-forward", "-n", namespace, pod, &format!(":{port}"), "--address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("kubectl cannot be run: is it on PATH?")?;
        let stdout = kubectl.stdout.take().context("a piped child has an output")?;
        let mut forward = Self { kubectl, local: 0 };
        let (first_line, line) = oneshot::channel();
        std::thread::spawn(move || {
            let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
            let read = stdout.read_line(&mut line).map(|_| line);
            let _ = first_line.send(read); // whoever asked may have lost patience
            // It speaks of every connection, and would end if nobody listened.
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        });
        let line = timeout(LIMIT, line).await.context("kubectl port-forward says nothing")???;
        // Forwarding from 127.0.0.1:40123 -> 8080
        let local = line.split("127.0.0.1:").nth(1).and_then(|it| it.split_whitespace().next());
        forward.local = local
            .and_then(|it| it.parse().ok())
            .with_context(|| format!("kubectl port-forward says {line:?}"))?;
        Ok(forward)
    }

    /// Asks for a page; any status but 200 is an error.
    pub async fn get(&self, path: &str) -> Result<String> {
        let answer =
            timeout(LIMIT, self.exchange(path)).await.with_context(|| format!("{path}: no answer"))??;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head and a body")?;
        ensure!(head.starts_with("HTTP/1.0 200"), "{path}: {answer}");
        Ok(body.to_owned())
    }

    async fn exchange(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.local)).await?;
        // HTTP/1.0: the body ends with the connection and comes in one piece.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}
