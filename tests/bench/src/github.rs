//! The fake GitHub in a process of its own, and its control API.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::process::Process;
use crate::wait::until;

/// The organisation of the App.
pub const ACCOUNT: &str = "acme";
/// The journal of a run with many sessions, in bytes.
const ANSWER_LIMIT: usize = 256 << 20;
const CALL: Duration = Duration::from_secs(30);
const START: Duration = Duration::from_secs(60);

/// RSA keys are made one by one at registration and cost more than all else here; GitHub makes them on its own machines.
const DISTINCT_KEYS: &str = "4";

/// A client that trusts the fake.
pub type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A running fake GitHub.
pub struct GitHub {
    /// The process.
    pub process: Process,
    /// `https://127.0.0.1:PORT`.
    pub base: String,
    /// The port in `base`.
    pub port: u16,
    /// The CA of `base`.
    pub ca_pem: String,
    /// Its App.
    pub app: App,
    control: String,
    http: Http,
}

/// Credentials of the App.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// What goes into `iss`.
    pub client_id: String,
    /// The installation.
    pub installation_id: u64,
    /// PEM.
    pub private_key: String,
}

/// One request in the fake's journal.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Counts from 1.
    pub seq: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// When its answer was ready to be sent.
    pub answered: Option<Timestamp>,
    /// The endpoint's id, such as `X1`.
    pub endpoint: Option<String>,
    /// The runner whose token it carried.
    pub agent: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
}

impl GitHub {
    /// Starts it and makes an App.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start(program: &Path, log: &Path) -> Result<Self> {
        let (port, control, admin) = (free_port()?, free_port()?, free_port()?);
        let args = [
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--control-listen",
            &format!("127.0.0.1:{control}"),
            "--admin-listen",
            &format!("127.0.0.1:{admin}"),
            "--distinct-keys",
            DISTINCT_KEYS,
            "--zap-log-level",
            "error",
        ]
        .map(str::to_owned);
        let mut process = Process::start(program, &args, &BTreeMap::new(), log)?;
        let control = format!("http://127.0.0.1:{control}/control");
        let plain = client(None)?;
        let url = format!("{control}/ca");
        let ca = until("the fake GitHub", START, async || {
            process.check()?;
            Ok(send(&plain, Method::GET, &url, &[], Bytes::new()).await.ok())
        })
        .await?;
        let ca_pem = String::from_utf8(ca.into()).context("the CA is text")?;
        let wanted = json!({ "account": ACCOUNT }).to_string();
        let app = send(&plain, Method::POST, &format!("{control}/apps"), &[], wanted.into()).await?;
        Ok(Self {
            process,
            base: format!("https://127.0.0.1:{port}"),
            port,
            http: client(Some(&ca_pem))?,
            ca_pem,
            app: serde_json::from_slice(&app).context("an App")?,
            control,
        })
    }

    /// A client that trusts it.
    pub fn http(&self) -> Http {
        self.http.clone()
    }

    /// Starts a run of so many equal jobs; returns its id.
    ///
    /// # Errors
    /// It is refused.
    pub async fn push(&self, jobs: usize) -> Result<u64> {
        let shards: Vec<usize> = (1..=jobs).collect();
        let workflow = json!({
            "repository": format!("{ACCOUNT}/demo"),
            "jobs": { "work": {
                "runs-on": ["bench"],
                "strategy": { "matrix": { "shard": shards } },
                "steps": [{ "run": "true" }],
            }},
        });
        let run = self.call(Method::POST, "/runs", workflow.to_string().into()).await?;
        run["runId"].as_u64().context("a run has an id")
    }

    /// How many sessions have a poll held right now.
    ///
    /// # Errors
    /// The control API fails.
    pub async fn parked(&self) -> Result<usize> {
        let state = self.call(Method::GET, "/state", Bytes::new()).await?;
        let sessions = state["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(sessions.iter().filter(|it| it["parked"].as_u64() > Some(0)).count())
    }

    /// Whether no job is unfinished, and somebody listens: a runner without a job has a poll held.
    ///
    /// # Errors
    /// The control API fails.
    pub async fn listens_idly(&self) -> Result<bool> {
        let state = self.call(Method::GET, "/state", Bytes::new()).await?;
        let list = |key: &str| state[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let listens = |agent: &Value| {
            let held = |it: &&Value| it["agent"] == agent["name"] && it["parked"].as_u64() > Some(0);
            agent["fate"] == "alive" && list("sessions").iter().any(|it| held(&it))
        };
        Ok(list("jobs").is_empty() && list("agents").iter().any(listens))
    }

    /// The journal after this number.
    ///
    /// # Errors
    /// The control API fails.
    pub async fn requests(&self, since: u64) -> Result<Vec<Asked>> {
        let answer = self.call(Method::GET, &format!("/requests?since={since}"), Bytes::new()).await?;
        serde_json::from_value(answer["requests"].clone()).context("a journal")
    }

    /// The number of the latest request.
    ///
    /// # Errors
    /// The control API fails.
    pub async fn now(&self) -> Result<u64> {
        Ok(self.requests(0).await?.last().map_or(0, |it| it.seq))
    }

    /// Nothing may have been sent that GitHub would object to: else the figures are of another program.
    ///
    /// # Errors
    /// Something was.
    pub async fn check(&self) -> Result<()> {
        let answer = self.call(Method::GET, "/violations", Bytes::new()).await?;
        match answer["violations"].as_array().and_then(|it| it.first()) {
            None => Ok(()),
            Some(first) => bail!("GitHub would object: {first}"),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Value> {
        let answer = send(&self.http, method, &format!("{}{path}", self.control), &[], body).await?;
        serde_json::from_slice(&answer).context("the control API answers in JSON")
    }
}

/// Sends a request and reads its answer, which must be a success.
///
/// # Errors
/// It is not, or nothing comes in time.
pub async fn send(
    http: &Http,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Bytes> {
    let mut request =
        Request::builder().method(method).uri(url).header("user-agent", "actions-gateway-bench/1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body))?;
    let exchange = async {
        let answer = http.request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        if status.is_success() { Ok(body) } else { bail!("{status}: {}", String::from_utf8_lossy(&body)) }
    };
    timeout(CALL, exchange).await.context("no answer in time")?.with_context(|| url.to_owned())
}

fn client(ca_pem: Option<&str>) -> Result<Http> {
    let roots: Vec<&[u8]> = ca_pem.iter().map(|it| it.as_bytes()).collect();
    let tls = runtime::tls::client_config_only(&roots)?;
    let connector =
        HttpsConnectorBuilder::new().with_tls_config((*tls).clone()).https_or_http().enable_http1();
    Ok(Client::builder(TokioExecutor::new()).build(connector.build()))
}

/// A port that nobody listens on; the kernel does not give it to anybody else for a while.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("a free port")?.local_addr()?.port())
}
