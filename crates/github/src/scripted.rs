//! A server that answers what a test tells it, for tests: plain HTTP on the loopback, no opinion of its own.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use github_proto::jit::JitConfig;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use runtime::clock::Clock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::client::{Client, ClientConfig};
use crate::{RunnerAuth, Timeouts};

/// One answer of a script.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Reply {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Accept, and never answer.
    Hang,
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer::Reply { status, headers: Vec::new(), body: body.into() }
}

impl Answer {
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Reply { status, mut headers, body } => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Reply { status, headers, body }
            }
            Self::Hang => Self::Hang,
        }
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `METHOD /path`.
    pub(crate) call: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

#[derive(Default)]
struct Script {
    answers: HashMap<String, VecDeque<Answer>>,
    seen: Vec<Seen>,
}

/// A running server; it stops when it is dropped.
pub(crate) struct Scripted {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    task: AbortHandle,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// Answers each call with its answers in turn; the last one again and again.
    pub(crate) async fn start(answers: impl IntoIterator<Item = (&str, Vec<Answer>)>) -> Self {
        let answers = answers.into_iter().map(|(call, answers)| (call.to_owned(), answers.into())).collect();
        let script = Arc::new(Mutex::new(Script { answers, seen: Vec::new() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(accept(listener, Arc::clone(&script))).abort_handle();
        Self { address, script, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces what a call is answered from now on.
    pub(crate) fn set(&self, call: &str, answers: Vec<Answer>) {
        self.script.lock().unwrap().answers.insert(call.to_owned(), answers.into());
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    /// How often a call was made.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.seen().iter().filter(|seen| seen.call == call).count()
    }

    /// Waits until a call was made so often.
    pub(crate) async fn until(&self, call: &str, times: usize) {
        let waiting = async {
            while self.count(call) < times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect(call);
    }
}

async fn accept(listener: TcpListener, script: Arc<Mutex<Script>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let script = Arc::clone(&script);
        connections.spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&script)));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    script: Arc<Mutex<Script>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let call = format!("{} {}", parts.method, parts.uri.path());
    let answer = {
        let mut script = script.lock().unwrap();
        script.seen.push(Seen {
            call: call.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        match script.answers.get_mut(&call) {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None => Some(answer(599, format!("no script for {call}"))),
        }
    };
    match answer {
        None | Some(Answer::Hang) => std::future::pending().await,
        Some(Answer::Reply { status, headers, body }) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(Full::from(body)).unwrap())
        }
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/x", listener.local_addr().unwrap())
}

/// A client that trusts nobody: scripts speak plain HTTP.
pub(crate) fn client() -> Client {
    let tls =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
    Client::new(ClientConfig {
        tls: Arc::new(tls),
        proxy: None,
        no_proxy: String::new(),
        user_agent: "scripted-test/1".into(),
    })
    .unwrap()
}

/// A hundred times faster than GitHub, with patience enough for a busy machine where a test means to
/// wait for an answer.
pub(crate) fn timeouts() -> Timeouts {
    let patience = Duration::from_secs(10);
    Timeouts {
        call_headers: patience,
        call_total: patience,
        poll_headers: patience,
        acknowledge: patience,
        close: patience,
        acquire: patience,
        renew: patience,
        complete: patience,
        hollow_within: patience,
        installation_wait: patience,
        ..Timeouts::default().faster(1000)
    }
}

/// The time of day, and the same chance in every run.
pub(crate) fn clock() -> Clock {
    Clock::simulated(Clock::system().now(), 7)
}

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../github-proto/fixtures").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A key that guards nothing, PEM.
pub(crate) fn fake_key() -> String {
    fixture("FAKE_key_pkcs1.pem")
}

/// A runner whose broker and token service are this server.
pub(crate) fn runner(server: &Scripted, change: impl FnOnce(&mut Value)) -> RunnerAuth {
    let mut files: Value = serde_json::from_str(&fixture("FAKE_jit_files.json")).unwrap();
    files[".runner"]["ServerUrlV2"] = server.url("/").into();
    files[".credentials"]["data"]["authorizationUrl"] = server.url("/token").into();
    change(&mut files);
    let encoded: serde_json::Map<String, Value> = files
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, file)| (name.clone(), STANDARD.encode(file.to_string()).into()))
        .collect();
    let blob = STANDARD.encode(Value::Object(encoded).to_string());
    let jit = Arc::new(JitConfig::decode(&blob, None).unwrap());
    RunnerAuth::new(jit, client(), clock(), timeouts())
}
