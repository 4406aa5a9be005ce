//! A raw HTTP client and the steps that most tests begin with. Nothing here comes from the gateway's own client:
//! the server must be right about requests that somebody else writes.

pub mod crypto;
pub mod raw;
pub mod runner;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use fakegithub::{AppCreated, AppRequest, Config, Control, Handle, Keys, RunView, Server};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

pub use crypto::{Alg, Signer};
pub use runner::Runner;

/// Keys for all tests: enough for the few runners of one test to differ.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::distinct(8));

/// What `runs-on: [self-hosted, linux]` needs.
pub const LABELS: [&str; 2] = ["self-hosted", "linux"];

/// One job that fits [`LABELS`].
pub const ONE_JOB: &str = "repository: acme/demo\njobs:\n  build:\n    runs-on: [self-hosted, Linux]\n    steps: [{name: Make, run: make}]\n";

/// A server, a client that trusts it, and an App on `acme`.
pub struct Github {
    pub server: Handle,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    pub app: AppCreated,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
    }
}

/// A request that is being written.
pub struct Draft<'a> {
    github: &'a Github,
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Draft<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        let mut draft = self.header("content-type", "application/json; charset=utf-8");
        draft.body = body.to_string().into();
        draft
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer, or none when the connection broke.
    pub async fn try_send(self) -> Option<Reply> {
        let mut request = Request::builder().method(self.method).uri(self.url);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).unwrap();
        let response = self.github.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub async fn send(self) -> Reply {
        self.try_send().await.expect("an answer")
    }

    /// Sends and checks the status.
    pub async fn expect(self, status: u16) -> Reply {
        let what = format!("{} {}", self.method, self.url);
        let reply = self.send().await;
        assert_eq!(reply.status, status, "{what}: {}", String::from_utf8_lossy(&reply.body));
        reply
    }
}

impl Github {
    pub async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    /// A server whose timers run so many times faster.
    pub async fn start_fast(factor: f64) -> Self {
        Self::start_with(Config { time_factor: factor, ..Config::default() }).await
    }

    pub async fn start_with(config: Config) -> Self {
        let config = Config { keys: Some(KEYS.clone()), ..config };
        let server = Server::start(config).await.unwrap();
        let app = server.control().create_app(AppRequest::on("acme")).await.unwrap();
        let client = client(server.ca_pem());
        Self { server, client, app }
    }

    pub fn control(&self) -> &Control {
        self.server.control()
    }

    pub fn request(&self, method: Method, path: &str) -> Draft<'_> {
        let url = if path.starts_with("https:") {
            path.to_owned()
        } else {
            self.server.base_url().to_owned() + path
        };
        let headers = vec![("user-agent".to_owned(), "test/1".to_owned())];
        Draft { github: self, method, url, headers, body: Bytes::new() }
    }

    pub fn get(&self, path: &str) -> Draft<'_> {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Draft<'_> {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Draft<'_> {
        self.request(Method::PUT, path)
    }

    pub fn delete(&self, path: &str) -> Draft<'_> {
        self.request(Method::DELETE, path)
    }

    /// Another key than this one: those of the store are handed out in turn, and may meet again.
    pub async fn signer_unlike(&self, known: &Signer) -> Signer {
        loop {
            let other = self.control().create_app(AppRequest::on("foreign")).await.unwrap();
            let signer = Signer::from_pem(&other.private_key);
            if signer.public_key() != known.public_key() {
                return signer;
            }
        }
    }

    pub fn app_signer(&self) -> Signer {
        Signer::from_pem(&self.app.private_key)
    }

    /// A good App JWT.
    pub fn app_jwt(&self) -> String {
        let now = Timestamp::now().as_second();
        self.app_jwt_with(json!({"iss": self.app.client_id, "iat": now - 60, "exp": now + 480}))
    }

    pub fn app_jwt_with(&self, claims: Value) -> String {
        self.app_signer().jwt(Alg::Rs256, &json!({"alg": "RS256", "typ": "JWT"}), &claims)
    }

    pub async fn installation_token(&self) -> String {
        let path = format!("/api/v3/app/installations/{}/access_tokens", self.app.installation_id);
        let reply = self.post(&path).bearer(&self.app_jwt()).expect(201).await;
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// A registered runner of `acme`.
    pub async fn runner(&self, name: &str) -> Runner<'_> {
        self.runner_with(name, &LABELS).await
    }

    pub async fn runner_with(&self, name: &str, labels: &[&str]) -> Runner<'_> {
        let token = self.installation_token().await;
        let body = json!({"name": name, "runner_group_id": 1, "labels": labels, "work_folder": "_work"});
        let path = "/api/v3/orgs/acme/actions/runners/generate-jitconfig";
        let reply = self.post(path).bearer(&token).json(&body).expect(201).await;
        Runner::decode(self, &reply.json())
    }

    pub fn run(&self, workflow: &str) -> RunView {
        self.control().start_run(workflow).unwrap()
    }

    /// Turns a lever, as it is written in docs/fake-github.md.
    pub fn pull(&self, lever: Value) {
        self.control().pull(serde_json::from_value(lever).unwrap()).unwrap();
    }

    /// The rules that were broken so far.
    pub fn violations(&self) -> Vec<String> {
        self.control().violations().into_iter().map(|violation| violation.rule).collect()
    }

    /// Checks that there is exactly one violation, and that it says so.
    pub fn assert_violation(&self, part: &str) {
        let all = self.violations();
        assert!(all.len() == 1 && all[0].contains(part), "wanted one violation with '{part}', found {all:?}");
        self.control().clear_violations();
    }

    pub fn assert_no_violation(&self) {
        assert_eq!(self.violations(), Vec::<String>::new());
    }
}

/// A client's side of TLS that trusts this CA and no other.
fn tls(ca_pem: &str) -> rustls::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn client(ca_pem: &str) -> Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls(ca_pem));
    let connector = builder.https_only().enable_http1().build();
    Client::builder(TokioExecutor::new()).build(connector)
}
