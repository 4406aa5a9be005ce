//! One tenant's world, and controllers that can be killed in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use agc::github::GitHub;
use agc::pod::build::Platform;
use agc::report::{Metrics, Reporter};
use agc::run::{Checks, Parts, run};
use agc::runner_group::state::GroupStates;
use agc::versions::Versions;
use api::actions_gateway::{NeverStarted, SecurityProfile};
use api::priority::PriorityClasses;
use fakegithub::{AppCreated, AppRequest, Config, Handle, Keys, RunView, Server};
use github::token::{CredentialFiles, TokenConfig};
use github::{App, Client, ClientConfig, InstallationTokens, Timeouts};
use github_proto::broker::Architecture;
use github_proto::url::Target;
use operator::events::Events;
use operator::lease::{Elector, Params, Timing};
use operator::metrics::ControllerMetrics;
use runtime::admin::Health;
use runtime::clock::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::api_server::ApiServer;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::kubelet::{self, Behaviour};

/// Keys for the fakes of all tests: a store for each would make most of its keys for nobody.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::distinct(0));
/// GitHub's times and ours, this much faster than life.
const FACTOR: u32 = 20;
/// Without a renewal a Lease lasts this long.
pub const LEASE_DURATION: Duration = Duration::from_secs(2);
/// What a busy machine may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);
pub const NAMESPACE: &str = "team-a";
pub const GROUP: &str = "/apis/actions-gateway.github.com/v1alpha1/namespaces/team-a/runnergroups/blue";

/// GitHub, the API server, a kubelet.
pub struct Rig {
    pub github: Handle,
    pub api: ApiServer,
    /// The App that the credentials are of.
    pub app: AppCreated,
    credentials: TempDir,
    _kubelet: Option<tokio_util::sync::DropGuard>,
}

/// How a controller is started.
struct Start {
    /// Its pod.
    pod: String,
    never_started: NeverStarted,
    /// Of its Lease.
    lease: Timing,
}

/// Leases of tests that wait for one to run out.
const HASTY: Timing = Timing {
    duration: LEASE_DURATION,
    renew_period: Duration::from_millis(500),
    stop_after: Duration::from_millis(1500),
};

/// A running controller. Dropping it is a SIGKILL.
pub struct Controller {
    runtime: Option<Runtime>,
    stop: CancellationToken,
    ended: tokio::sync::oneshot::Receiver<()>,
    pub registry: prometheus::Registry,
    pub health: Health,
}

/// Faster, but patient with answers: the machine is not faster.
fn timeouts() -> Timeouts {
    let life = Timeouts::default();
    Timeouts {
        call_headers: life.call_headers,
        call_total: life.call_total,
        poll_headers: life.call_headers,
        hollow_within: Duration::from_secs(1),
        close: life.close,
        acquire: life.acquire,
        renew: life.renew,
        complete: life.complete,
        installation_margin: life.installation_margin,
        installation_wait: life.installation_wait,
        token_margin: life.token_margin,
        ..life.faster(FACTOR)
    }
}

fn client(ca: &str) -> Client {
    Client::new(ClientConfig {
        tls: runtime::tls::client_config_only(&[ca.as_bytes()]).unwrap(),
        proxy: None,
        no_proxy: String::new(),
        user_agent: "actions-gateway-test/1".into(),
    })
    .unwrap()
}

impl Rig {
    /// A world with one group, `blue`, that asks for this beyond its label.
    pub async fn start(spec: Value, behaviour: Behaviour) -> Self {
        let config = Config { time_factor: FACTOR.into(), keys: Some(KEYS.clone()), ..Config::default() };
        let github = Server::start(config).await.unwrap();
        let app = github.control().create_app(AppRequest::on("synthetic-org")).await.unwrap();
        let api = ApiServer::default();
        let mut spec = spec;
        spec["runnerLabels"] = json!(["linux"]);
        let base = "/apis/actions-gateway.github.com/v1alpha1/namespaces/team-a";
        let object = |kind: &str, name: &str, spec: Value| {
            json!({
                "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": kind,
                "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec,
            })
        };
        let gateway = json!({ "gitHubAppRef": { "name": "app" }, "gitHubURL": github.base_url() });
        api.put(&format!("{base}/actionsgateways"), object("ActionsGateway", "team-a", gateway));
        api.put(&format!("{base}/runnergroups"), object("RunnerGroup", "blue", spec));
        let stop = CancellationToken::new();
        tokio::spawn(kubelet::run(api.clone(), client(github.ca_pem()), behaviour, stop.clone()));
        let rig = Self {
            github,
            api,
            app,
            credentials: tempfile::tempdir().unwrap(),
            _kubelet: Some(stop.drop_guard()),
        };
        rig.mount_app();
        rig
    }

    /// The same world without nodes.
    pub fn without_kubelet(self) -> Self {
        Self { _kubelet: None, ..self }
    }

    /// Puts the App's credentials into the mounted Secret.
    pub fn mount_app(&self) {
        self.mount("appId", &self.app.client_id);
        self.mount("installationId", &self.app.installation_id.to_string());
        self.mount("privateKey", &self.app.private_key);
    }

    /// Puts this into a file of the mounted Secret.
    pub fn mount(&self, key: &str, value: &str) {
        std::fs::write(self.credentials.path().join(key), value).unwrap();
    }

    /// Empties the mounted Secret.
    pub fn unmount(&self) {
        for key in ["appId", "installationId", "privateKey"] {
            std::fs::remove_file(self.credentials.path().join(key)).unwrap();
        }
    }

    /// Starts a controller, as a pod of this name.
    pub fn controller(&self, pod: &str) -> Controller {
        self.controller_with(pod, NeverStarted::CompleteJob)
    }

    /// The same, which does this about a job that can never start.
    pub fn controller_with(&self, pod: &str, never_started: NeverStarted) -> Controller {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let start = Start { pod: pod.to_owned(), never_started, lease: HASTY };
        let mut controller = self.start_on(&handle, start);
        controller.runtime = Some(runtime);
        controller
    }

    /// Starts a controller on the test's own runtime, whose clock it shares. Dropping it stops it in order.
    pub fn controller_here(&self, pod: &str) -> Controller {
        // Life's own pace: on a clock that jumps, each renewal is one more jump.
        let lease = Timing::TENANT;
        let start = Start { pod: pod.to_owned(), never_started: NeverStarted::CompleteJob, lease };
        self.start_on(&tokio::runtime::Handle::current(), start)
    }

    fn start_on(&self, runtime: &tokio::runtime::Handle, start: Start) -> Controller {
        let stop = CancellationToken::new();
        let registry = prometheus::Registry::new();
        let health = Health::new();
        let checks = Checks::new(&health);
        let (done, ended) = tokio::sync::oneshot::channel();
        let world = (self.api.client(NAMESPACE, &start.pod), client(self.github.ca_pem()));
        let url = format!("{}/synthetic-org", self.github.base_url());
        let credentials = self.credentials.path().to_owned();
        let token = stop.clone();
        let seen = (registry.clone(), health.clone(), checks);
        runtime.spawn(async move {
            Box::pin(serve(world, &url, credentials, &start, seen, token)).await;
            let _ = done.send(());
        });
        Controller { runtime: None, stop, ended, registry, health }
    }

    /// Starts a run of these jobs.
    pub fn push(&self, jobs: &str) -> RunView {
        let workflow = format!("repository: synthetic-org/demo\nname: ci\njobs: {jobs}");
        self.github.control().start_run(&workflow).unwrap()
    }

    /// The run when it is over, as GitHub says.
    pub async fn concluded(&self, run: &RunView) -> &'static str {
        let over = |it: &RunView| it.status == "completed";
        let run = self.github.control().wait_for_run(run.run_id, PATIENCE, over).await.unwrap();
        run.conclusion.unwrap_or("not over")
    }

    /// All `RunnerJob`s, once there are so many and all are settled: complete, the finalizers of their pods removed.
    pub async fn settled(&self, count: usize) -> Vec<Value> {
        let what = format!("{count} settled jobs");
        self.api
            .wait_for(&what, PATIENCE, |api| {
                let jobs = api.list("/runnerjobs/");
                let complete =
                    jobs.iter().all(|it| condition(it, "Complete").is_some_and(|it| it["status"] == "True"));
                let held =
                    api.list("/pods/").iter().any(|it| it["metadata"]["finalizers"].is_array_with_items());
                let payloads = api.list("/secrets/").iter().any(|it| name(it).ends_with("-payload"));
                (jobs.len() == count && complete && !held && !payloads).then_some(jobs)
            })
            .await
    }

    /// The only `RunnerJob`, settled.
    pub async fn settled_job(&self) -> Value {
        self.settled(1).await.remove(0)
    }
}

/// Shorthand of JSON.
pub trait Json {
    /// Whether it is a list with something in it.
    fn is_array_with_items(&self) -> bool;
}

impl Json for Value {
    fn is_array_with_items(&self) -> bool {
        self.as_array().is_some_and(|it| !it.is_empty())
    }
}

pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|it| it["type"] == type_)
}

/// How a job ended: the reason of its `Complete` condition.
pub fn ending(job: &Value) -> &str {
    condition(job, "Complete").and_then(|it| it["reason"].as_str()).unwrap_or_default()
}

impl Controller {
    /// SIGTERM, and the time it takes.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.ended().await;
    }

    /// Waits until the controller has ended by itself.
    pub async fn ended(&mut self) {
        tokio::time::timeout(PATIENCE, &mut self.ended).await.expect("an end").unwrap();
    }

    /// What `/metrics` shows, by line.
    pub fn metric(&self, line: &str) -> Option<String> {
        let text = runtime::metrics::render(&self.registry).unwrap();
        text.lines().find_map(|it| it.strip_prefix(line)).map(|it| it.trim().to_owned())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(
    (kube, client): (kube::Client, Client),
    url: &str,
    credentials: PathBuf,
    start: &Start,
    (registry, health, checks): (prometheus::Registry, Health, Checks),
    stop: CancellationToken,
) {
    let target = Target::parse(url, false).unwrap();
    let aborted = CancellationToken::new();
    let clock = Clock::system();
    let metrics = Metrics::register(&registry).unwrap();
    let (events, publisher) =
        Events::new(kube.clone(), "actions-gateway.github.com/agc", start.pod.clone(), clock.clone());
    let reporter = Reporter::new(metrics, events, NAMESPACE);
    let observer = reporter.token_observer();
    let (tokens, _) = InstallationTokens::start(
        TokenConfig {
            client: client.clone(),
            api: target.api.clone(),
            source: Box::new(CredentialFiles::new(credentials)),
            clock: clock.clone(),
            timeouts: timeouts(),
            observer: Arc::new(move |outcome| observer(outcome.is_ok())),
        },
        aborted.clone(),
    );
    let github = GitHub {
        app: App::new(client.clone(), target, tokens.clone(), timeouts()),
        client,
        clock: clock.clone(),
        timeouts: timeouts(),
        owner: start.pod.clone(),
        versions: Versions::new("2.337.0", "runner:test"),
        runner_group_id: 1,
        architecture: Architecture::X64,
    };
    let controller_metrics = ControllerMetrics::register(&registry).unwrap();
    let params = Params {
        namespace: NAMESPACE.into(),
        name: "actions-gateway-controller".into(),
        identity: start.pod.clone(),
        timing: start.lease,
    };
    let (elector, leadership) =
        Elector::new(kube.clone(), params, controller_metrics.leader("test"), clock.clone());
    let publishing = tokio::spawn(publisher.run(aborted.clone()));
    let electing = tokio::spawn(elector.run(aborted.clone()));
    let parts = Parts {
        client: kube,
        github,
        tokens: tokens.watch(),
        platform: Platform {
            namespace: NAMESPACE.into(),
            gateway: "team-a".into(),
            worker_image: "runner:test".into(),
            wrapper_image: "wrapper:test".into(),
            service_account: "actions-gateway-worker".into(),
            profile: SecurityProfile::Restricted,
            app_secret: "github-app".into(),
            priority_classes: PriorityClasses::default(),
            proxy: BTreeMap::new(),
            proxy_ca: None,
            github_ca: None,
        },
        never_started: start.never_started,
        reporter,
        controller_metrics,
        health,
        checks,
        states: GroupStates::default(),
    };
    if let Err(error) = Box::pin(run(parts, leadership, stop)).await {
        tracing::error!(%error, "the controller ended");
        return; // the program ends here, and gives nothing back
    }
    aborted.cancel();
    let _ = tokio::join!(publishing, electing);
}
