//! The fake GitHub's control API (docs/fake-github.md), reached through the API server so that it works on any cluster.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::{Method, Request};
use jiff::Timestamp;
use kube::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::wait;

/// Where it runs.
pub const NAMESPACE: &str = "github";
/// What its clients call it.
pub const BASE_URL: &str = "https://fakegithub.github.svc.cluster.local";
/// One call of the control API may hang this long: it holds a call that waits for a run.
const CALL: Duration = Duration::from_secs(40);
/// How long one call waits for a run; the API server cuts what hangs for a minute.
const HELD: u64 = 20;

/// The fake GitHub.
#[derive(Clone)]
pub struct GitHub {
    client: Client,
    /// The CA that its certificate is signed by, PEM.
    pub ca: String,
}

/// A GitHub App, installed on one account.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// Its id.
    pub app_id: u64,
    /// Its installation's id.
    pub installation_id: u64,
    /// Its private key, PEM.
    pub private_key: String,
}

/// A workflow run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub run_id: u64,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// `success`, `failure`, `cancelled`…; none while it goes on.
    pub conclusion: Option<String>,
    /// The latest attempt, from 1.
    pub attempt: u64,
    /// The latest attempt's plan.
    pub plan_id: String,
    /// The latest attempt's jobs.
    pub jobs: Vec<Job>,
}

/// One job of a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its REST id.
    pub id: u64,
    /// Its id at the run service.
    pub job_id: String,
    /// Its display name.
    pub name: String,
    /// `blocked`, `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// When it was claimed.
    pub acquired_at: Option<Timestamp>,
    /// The first sign of life of its worker.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
    /// The runner that claimed it.
    pub runner_name: Option<String>,
    /// How many claims succeeded.
    pub claims: u64,
    /// The conclusion that was reported for it, in the run service's word; none when nobody reported one.
    pub completion: Option<String>,
    /// What the page of the run shows beside it.
    pub annotations: Vec<Annotation>,
}

/// What the page of a run shows beside a job.
#[derive(Clone, Debug, Deserialize)]
pub struct Annotation {
    /// The text.
    pub message: String,
}

/// A runner record.
#[derive(Clone, Debug, Deserialize)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// `alive`, `consumed` or `deleted`.
    pub fate: String,
    /// Whether it has a session.
    pub online: bool,
    /// The REST id of its unfinished job.
    pub job: Option<u64>,
}

/// A session, by which a runner record listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub session_id: String,
    /// The record's name.
    pub agent: String,
    /// Who opened it: the controller's pod.
    pub owner: String,
    /// Polls that are held right now.
    pub parked: u32,
    /// What its last poll said: `Online` or `Busy`.
    pub status: Option<String>,
}

/// An offer of a job to a session.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The run.
    pub run_id: u64,
    /// How often it was left alone.
    pub declined: u64,
}

/// Something that nobody but its owner may know.
#[derive(Clone, Deserialize)]
pub struct Secret {
    /// What it is, such as `installation-token`.
    pub kind: String,
    /// Itself.
    pub value: String,
}

/// Something that the protocol does not allow.
#[derive(Clone, Debug, Deserialize)]
pub struct Violation {
    /// Method and path.
    pub call: String,
    /// What is wrong with it.
    pub rule: String,
}

/// A request that it has had.
#[derive(Clone, Debug, Deserialize)]
pub struct Asked {
    /// Its path.
    pub path: String,
    /// The endpoint's id in the protocol's index, such as `X2`.
    pub endpoint: Option<String>,
    /// The runner whose token it carried.
    pub agent: Option<String>,
    /// What it was answered.
    pub status: Option<u16>,
}

impl GitHub {
    /// Reaches it, asks for its CA, and has it forget what an earlier run did wrong.
    pub async fn connect(client: Client) -> Result<Self> {
        let mut github = Self { client, ca: String::new() };
        github.call(Method::DELETE, "violations", String::new()).await?;
        github.ca = github.call(Method::GET, "ca", String::new()).await?;
        ensure!(github.ca.contains("BEGIN CERTIFICATE"), "the fake GitHub's CA is {:?}", github.ca);
        Ok(github)
    }

    /// Makes an App that is installed on an account.
    pub async fn create_app(&self, account: &str) -> Result<App> {
        self.decode(Method::POST, "apps", json!({"account": account}).to_string()).await
    }

    /// Queues a run, given as a workflow with its repository; returns its id.
    pub async fn start(&self, workflow: &str) -> Result<u64> {
        let run: Run = self.decode(Method::POST, "runs", workflow.to_owned()).await?;
        Ok(run.run_id)
    }

    /// A run as it is now.
    pub async fn run(&self, id: u64) -> Result<Run> {
        self.decode(Method::GET, &format!("runs/{id}"), String::new()).await
    }

    /// Waits for the end of a run.
    pub async fn completed(&self, id: u64, limit: Duration) -> Result<Run> {
        let path = format!("runs/{id}?until=completed&timeout={HELD}");
        wait::eventually("the run is completed", limit, || async {
            let run: Run = self.decode(Method::GET, &path, String::new()).await?;
            ensure!(run.status == "completed", "{run:#?}");
            Ok(run)
        })
        .await
    }

    /// Waits until a run is as wanted.
    pub async fn until(
        &self,
        id: u64,
        wanted: &str,
        limit: Duration,
        accept: impl Fn(&Run) -> bool,
    ) -> Result<Run> {
        wait::eventually(wanted, limit, || async {
            let run = self.run(id).await?;
            ensure!(accept(&run), "{run:#?}");
            Ok(run)
        })
        .await
    }

    /// Cancels a run, as a person does.
    pub async fn cancel(&self, id: u64) -> Result<()> {
        self.call(Method::POST, &format!("runs/{id}/cancel"), String::new()).await.map(drop)
    }

    /// The log of a job, as a person reads it.
    pub async fn log(&self, run: u64, job: u64) -> Result<String> {
        self.call(Method::GET, &format!("runs/{run}/jobs/{job}/log"), String::new()).await
    }

    /// The runner records whose names begin like this.
    pub async fn agents(&self, prefix: &str) -> Result<Vec<Agent>> {
        #[derive(Deserialize)]
        struct State {
            agents: Vec<Agent>,
        }
        let state: State = self.decode(Method::GET, "state", String::new()).await?;
        Ok(state.agents.into_iter().filter(|it| it.name.starts_with(prefix)).collect())
    }

    /// The sessions of runner records whose names begin like this.
    pub async fn sessions(&self, prefix: &str) -> Result<Vec<Session>> {
        #[derive(Deserialize)]
        struct State {
            sessions: Vec<Session>,
        }
        let state: State = self.decode(Method::GET, "state", String::new()).await?;
        Ok(state.sessions.into_iter().filter(|it| it.agent.starts_with(prefix)).collect())
    }

    /// What it was asked, all in all.
    pub async fn asked(&self) -> Result<Vec<Asked>> {
        #[derive(Deserialize)]
        struct Requests {
            requests: Vec<Asked>,
        }
        let requests: Requests = self.decode(Method::GET, "requests", String::new()).await?;
        Ok(requests.requests)
    }

    /// The offers of a run's jobs.
    pub async fn offers(&self, account: &str, run: u64) -> Result<Vec<Offer>> {
        #[derive(Deserialize)]
        struct Offers {
            offers: Vec<Offer>,
        }
        let path = format!("offers?account={account}&runId={run}");
        let all: Offers = self.decode(Method::GET, &path, String::new()).await?;
        Ok(all.offers)
    }

    /// Every secret that it has handed to an account or been given by it.
    pub async fn secrets(&self, account: &str) -> Result<Vec<Secret>> {
        #[derive(Deserialize)]
        struct Secrets {
            secrets: Vec<Secret>,
            forgotten: u64,
        }
        let path = format!("secrets?account={account}");
        let all: Secrets = self.decode(Method::GET, &path, String::new()).await?;
        ensure!(all.forgotten == 0, "it has forgotten {} secrets", all.forgotten);
        Ok(all.secrets)
    }

    /// What was asked of it that the protocol does not allow.
    pub async fn violations(&self) -> Result<Vec<Violation>> {
        #[derive(Deserialize)]
        struct Violations {
            violations: Vec<Violation>,
        }
        let violations: Violations = self.decode(Method::GET, "violations", String::new()).await?;
        Ok(violations.violations)
    }

    /// Turns levers, such as `{"lever": "fail", "endpoint": "X2", "status": 404}`.
    pub async fn pull(&self, levers: Value) -> Result<()> {
        self.call(Method::POST, "faults", levers.to_string()).await.map(drop)
    }

    /// The uids of the pods in which the jobs of a run's latest attempt were begun, as those who began them say.
    pub async fn ledger(&self, run: &Run) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Ledger {
            entries: Vec<Begun>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Begun {
            job_id: String,
            pod_uid: String,
        }
        let ledger: Ledger = self.decode(Method::GET, "ledger", String::new()).await?;
        let is_of_run = |it: &Begun| run.jobs.iter().any(|job| job.job_id == it.job_id);
        Ok(ledger.entries.into_iter().filter(is_of_run).map(|it| it.pod_uid).collect())
    }

    /// Whether no fault that mentions this word, such as a runner's name, still waits for its request.
    pub async fn has_struck(&self, word: &str) -> Result<bool> {
        #[derive(Deserialize)]
        struct Faults {
            faults: Vec<Value>,
        }
        let left: Faults = self.decode(Method::GET, "faults", String::new()).await?;
        Ok(!left.faults.iter().any(|it| it.to_string().contains(word)))
    }

    async fn decode<T: DeserializeOwned>(&self, method: Method, path: &str, body: String) -> Result<T> {
        let text = self.call(method, path, body).await?;
        serde_json::from_str(&text).with_context(|| format!("{path} answered {text:?}"))
    }

    async fn call(&self, method: Method, path: &str, body: String) -> Result<String> {
        let uri =
            format!("/api/v1/namespaces/{NAMESPACE}/services/http:fakegithub:control/proxy/control/{path}");
        let request = Request::builder().method(method.clone()).uri(uri).body(body.into_bytes())?;
        tokio::time::timeout(CALL, self.client.request_text(request))
            .await
            .with_context(|| format!("{method} control/{path} had no answer"))?
            .with_context(|| format!("{method} control/{path}"))
    }
}
