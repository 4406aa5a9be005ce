//! A server on loopback, and what is known of it: the values of the marks in the examples.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fakegithub::{AppRequest, Config, Control, Handle, Keys, Lever, Server};
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use crate::crypto::{Alg, Signer};
use crate::example::{self, Half, Mark};
use crate::shape;

/// Keys for all tests: there is one runner in each.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::distinct(4));

/// The job of the examples.
const JOB: &str =
    "repository: synthetic-org/demo-repo\njobs: {build: {runs-on: [blue], steps: [{run: make}]}}";

const RUNNER: &str = "gw-blue-0007";

pub struct Stage {
    server: Handle,
    tls: TlsConnector,
    known: BTreeMap<String, String>,
    runner: Option<RunnerKey>,
    left_out: Option<&'static str>,
}

/// What signs the assertions of the registered runner.
struct RunnerKey {
    client: String,
    audience: String,
    signer: Signer,
}

impl Stage {
    /// A server with an App on the organisation of the examples.
    pub async fn new() -> Self {
        let config = Config { keys: Some(KEYS.clone()), ..Config::default() };
        let server = Server::start(config).await.unwrap();
        let app = server.control().create_app(AppRequest::on("synthetic-org")).await.unwrap();
        let now = Timestamp::now().as_second();
        let claims = json!({"iss": app.client_id, "iat": now - 60, "exp": now + 480});
        let jwt = jwt(&Signer::from_pem(&app.private_key), Alg::Rs256, &claims);
        let base = server.base_url().to_owned();
        let known = [
            ("host", server.address().to_string()),
            ("server", base.clone()),
            ("api", format!("{base}/api/v3")),
            ("app_id", app.app_id.to_string()),
            ("client_id", app.client_id),
            ("installation_id", app.installation_id.to_string()),
            ("app_jwt", jwt),
            ("old_etag", "W/\"of-yesterday\"".to_owned()),
        ];
        let known = known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let tls = connector(server.ca_pem());
        // The examples show the version of the day on which they were written.
        let served = json!({"lever": "served-versions", "versions": {"2.335.1": null}});
        server.control().pull(serde_json::from_value(served).unwrap()).unwrap();
        Self { server, tls, known, runner: None, left_out: None }
    }

    pub fn control(&self) -> &Control {
        self.server.control()
    }

    pub fn know(&mut self, name: &str, value: impl ToString) {
        self.known.insert(name.to_owned(), value.to_string());
    }

    /// The next answer may say something new of it.
    pub fn forget(&mut self, name: &str) {
        self.known.remove(name);
    }

    /// The next answer lacks a header of the example, for a reason that stands where this is called.
    pub fn leaves_out(&mut self, header: &'static str) {
        self.left_out = Some(header);
    }

    /// What is known by a name.
    pub fn known(&self, name: &str) -> &str {
        self.known.get(name).unwrap_or_else(|| panic!("nothing is known of {name}"))
    }

    /// Turns a lever, as it is written in docs/fake-github.md.
    pub fn pull(&self, lever: Value) {
        self.control().pull(serde_json::from_value::<Lever>(lever).unwrap()).unwrap();
    }

    /// A queued run of one job.
    pub fn run(&mut self) {
        let run = self.control().start_run(JOB).unwrap();
        self.know("run_id", run.run_id);
        self.know("rest_job_id", run.jobs[0].id);
    }

    /// Ends the run.
    pub fn conclude(&self, conclusion: &str) {
        let run: u64 = self.known("run_id").parse().unwrap();
        self.pull(json!({"lever": "force-conclude", "runId": run, "conclusion": conclusion}));
    }

    /// An installation token.
    pub async fn installed(&mut self) {
        self.play("a2_all_rights").await;
    }

    /// A runner record.
    pub async fn registered(&mut self) {
        self.installed().await;
        self.play("r3_register").await;
    }

    /// A record whose credentials were used.
    pub async fn with_token(&mut self) {
        self.registered().await;
        self.play("o1_token").await;
    }

    /// A session.
    pub async fn with_session(&mut self) {
        self.with_token().await;
        self.play("b1_session").await;
    }

    /// A session that was offered the job of a run.
    pub async fn offered(&mut self) {
        self.with_session().await;
        self.run();
        self.play("b2_job").await;
    }

    /// A session that has claimed it.
    pub async fn claimed(&mut self) {
        self.offered().await;
        self.play("x1_acquire").await;
    }

    /// The worker's first sign of life (protocol §5.7).
    pub async fn begin_step(&self) {
        let step = json!({"external_id": "5e900000", "number": 1, "name": "Set up job", "status": 3});
        let body = json!({
            "steps": [step], "change_order": 1,
            "workflow_run_backend_id": self.known("plan_id"), "workflow_job_run_backend_id": self.known("job_id"),
        });
        let path =
            "results/twirp/github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate";
        let headers = [
            ("host", self.known("host").to_owned()),
            ("authorization", format!("Bearer {}", self.known("job_token"))),
            ("user-agent", "demo-worker/0.1".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let request = Half {
            first: format!("POST /{path} HTTP/1.1"),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: body.to_string(),
        };
        let answer = self.send(&request).await;
        assert_eq!(answer.status(), 200, "{}", answer.body);
    }

    /// The record is gone, as after its job.
    pub fn consumed(&self) {
        self.pull(json!({"lever": "consume-record", "agent": RUNNER}));
    }

    /// Sends the request of an example and checks that the answer is the example's.
    pub async fn play(&mut self, name: &str) {
        self.sign();
        let mut example = example::read(name, |mark| self.replacement(&mark));
        let found = self.send(&example.request).await;
        if let Some(header) = self.left_out.take() {
            assert_eq!(found.header(header), None, "{name}");
            example.answer.headers.retain(|(name, _)| name != header);
        }
        let compared = shape::compare(&example.answer, &found, &mut self.known);
        compared.unwrap_or_else(|difference| panic!("{name}: {difference}"));
        self.derive();
    }

    /// Sends the request of an example, whatever is answered.
    pub async fn ask(&self, name: &str) -> Half {
        self.send(&example::read(name, |mark| self.replacement(&mark)).request).await
    }

    /// Nothing that was sent broke a rule.
    pub async fn end(self) {
        let broken: Vec<String> = self.control().violations().into_iter().map(|it| it.rule).collect();
        assert_eq!(broken, Vec::<String>::new());
        self.server.shutdown().await;
    }

    fn replacement(&self, mark: &Mark<'_>) -> String {
        match mark {
            Mark::Value { name, .. } => self.known.get(*name).cloned().unwrap_or_else(|| shape::note(mark)),
            Mark::More { .. } => shape::note(mark),
        }
    }

    /// A fresh assertion: each can be used once.
    fn sign(&mut self) {
        let Some(RunnerKey { client, audience, signer }) = &self.runner else { return };
        let now = Timestamp::now().as_second();
        let claims = json!({
            "iss": client, "sub": client, "aud": audience, "jti": Uuid::new_v4().to_string(),
            "nbf": now, "exp": now + 300,
        });
        let assertion = jwt(signer, Alg::Ps256, &claims);
        self.know("assertion", assertion);
    }

    /// What follows from what was learnt.
    fn derive(&mut self) {
        if let Some(blob) = self.known.get("jit_config").cloned()
            && self.runner.is_none()
        {
            self.open(&blob);
        }
        if let Some(base) = self.known.get("run_service_url") {
            let path = path_of(base);
            self.know("run_service", path.trim_end_matches('/'));
        }
    }

    /// Reads a JIT configuration: files in base64, in JSON, in base64.
    fn open(&mut self, blob: &str) {
        let files: BTreeMap<String, String> =
            serde_json::from_slice(&STANDARD.decode(blob).unwrap()).unwrap();
        let file = |name: &str| -> Value {
            serde_json::from_slice(&STANDARD.decode(&files[name]).unwrap()).unwrap()
        };
        let data = &file(".credentials")["data"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let audience = text(&data["authorizationUrl"]);
        self.know("token_path", path_of(&audience));
        let broker = path_of(&text(&file(".runner")["ServerUrlV2"]));
        self.know("broker", broker.trim_end_matches('/'));
        self.runner = Some(RunnerKey {
            client: text(&data["clientId"]),
            audience,
            signer: Signer::from_parameters(&file(".credentials_rsaparams")),
        });
    }

    /// Sends these bytes, and reads one answer.
    pub async fn send(&self, request: &Half) -> Half {
        let mut text = format!("{}\r\n", request.first);
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !request.body.is_empty() && request.header("content-length").is_none() {
            text.push_str(&format!("content-length: {}\r\n", request.body.len()));
        }
        text.push_str(&format!("\r\n{}", request.body));
        assert!(!shape::has_note(&text), "a value is not known: {text}");

        let connection = TcpStream::connect(self.server.address()).await.unwrap();
        let name = ServerName::IpAddress(self.server.address().ip().into());
        let mut connection = self.tls.connect(name, connection).await.unwrap();
        connection.write_all(text.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = whole_answer(&bytes) {
                return answer;
            }
            let read = connection.read_buf(&mut bytes).await.unwrap();
            assert!(read > 0, "the connection broke after {bytes:?}");
        }
    }
}

fn jwt(signer: &Signer, alg: Alg, claims: &Value) -> String {
    signer.jwt(alg, &json!({"typ": "JWT", "alg": alg.name()}), claims)
}

fn path_of(address: &str) -> String {
    url::Url::parse(address).unwrap().path().to_owned()
}

/// An answer, when all of it is there: without a length it has no body.
fn whole_answer(bytes: &[u8]) -> Option<Half> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let first = lines.next()?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<_> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let answer = Half { first, headers, body: body.to_owned() };
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    (body.len() >= length).then_some(answer)
}

fn connector(ca_pem: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
