//! Nodes, kubelets and runners in one task: it moves worker pods on, and talks to GitHub as their runner would.

use std::collections::BTreeSet;
use std::time::Duration;

use github::Client;
use github::client::Deadline;
use github_proto::job_message::JobMessage;
use github_proto::run_service::Acquired;
use serde_json::{Value, json};
use testkit::api_server::ApiServer;
use tokio_util::sync::CancellationToken;
use url::Url;

/// What becomes of every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Its job succeeds.
    Succeeds,
    /// Its job runs until it is told to end.
    RunsOn,
    /// No node takes it.
    StaysPending,
    /// No node takes it, and the scheduler says so.
    FindsNoNode,
    /// Its image is never there.
    HasNoImage,
    /// Its registry cannot be reached.
    ReachesNoRegistry,
    /// Its node rejects every pod of it.
    IsRejected,
    /// Its node rejects the first pod.
    IsRejectedOnce,
    /// An init container of the template fails.
    FailsToInitialize,
    /// The kubelet evicts it for memory while it runs.
    IsEvicted,
    /// The kernel kills it.
    RunsOutOfMemory,
    /// Its runner crashes.
    Crashes,
}

impl Behaviour {
    /// Whether the runner of this pod starts: the first one is number 1.
    fn starts(self, number: usize) -> bool {
        match self {
            Self::StaysPending
            | Self::FindsNoNode
            | Self::HasNoImage
            | Self::ReachesNoRegistry
            | Self::IsRejected
            | Self::FailsToInitialize => false,
            Self::IsRejectedOnce => number > 1,
            Self::Succeeds | Self::RunsOn | Self::IsEvicted | Self::RunsOutOfMemory | Self::Crashes => true,
        }
    }
}

/// What a kubelet says of a pod that has no room on its node.
pub const REJECTION: &str =
    "Pod was rejected: Node didn't have enough resource: cpu, requested: 64000, used: 200, capacity: 2000";
/// What a scheduler says of a pod that fits nowhere.
pub const NO_NODE: &str = "0/1 nodes are available: 1 Insufficient cpu.";
/// Why a pull failed.
pub const NO_ROUTE: &str = "failed to do request: Head \"https://registry.test/v2/\": dial tcp 10.255.255.1:443: connect: network is unreachable";

/// Annotation by which a test ends a job that runs on.
pub const FINISH: &str = "test/finish";

/// Annotation by which a template says which runner version its workers report.
pub const RUNNER_VERSION: &str = "test/runner-version";

/// Moves pods until told to stop.
pub async fn run(api: ApiServer, client: Client, behaviour: Behaviour, stop: CancellationToken) {
    let mut taken = BTreeSet::new();
    while !stop.is_cancelled() {
        for pod in api.list("/pods/") {
            let path = path(&pod);
            let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
            if ended {
                continue;
            }
            let uid = pod["metadata"]["uid"].to_string();
            if taken.insert(uid) {
                let starts = behaviour.starts(taken.len());
                place(&api, &path, behaviour, starts);
                if starts {
                    begin(&api, &client, &pod).await;
                }
            } else {
                advance(&api, &client, &pod, &path, behaviour).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn path(pod: &Value) -> String {
    format!("/api/v1/namespaces/team-a/pods/{}", pod["metadata"]["name"].as_str().unwrap())
}

fn now() -> String {
    runtime::clock::Clock::system().now().to_string()
}

fn container(state: Value) -> Value {
    json!([{ "name": "runner", "image": "i", "imageID": "i", "ready": false, "restartCount": 0, "state": state }])
}

/// Finds a node, and starts the container unless something is in the way.
fn place(api: &ApiServer, path: &str, behaviour: Behaviour, starts: bool) {
    if behaviour == Behaviour::StaysPending {
        return;
    }
    api.edit(path, |pod| {
        if behaviour != Behaviour::FindsNoNode {
            pod["spec"]["nodeName"] = json!("node-1");
        }
        pod["status"] = if starts { running() } else { hindered(behaviour) };
    });
}

fn scheduled() -> Value {
    json!([{ "type": "PodScheduled", "status": "True", "lastTransitionTime": now() }])
}

fn running() -> Value {
    let running = json!({ "running": { "startedAt": now() } });
    json!({ "phase": "Running", "conditions": scheduled(), "containerStatuses": container(running) })
}

fn hindered(behaviour: Behaviour) -> Value {
    let waiting = |reason: &str, message: &str| {
        let waiting = json!({ "waiting": { "reason": reason, "message": message } });
        json!({ "phase": "Pending", "conditions": scheduled(), "containerStatuses": container(waiting) })
    };
    match behaviour {
        Behaviour::FindsNoNode => {
            let unplaced = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_NODE });
            json!({ "phase": "Pending", "conditions": [unplaced] })
        }
        Behaviour::HasNoImage => waiting("ErrImageNeverPull", "not there"),
        Behaviour::ReachesNoRegistry => waiting("ErrImagePull", NO_ROUTE),
        Behaviour::FailsToInitialize => {
            let failed = json!([{
                "name": "setup", "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
                "state": { "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": now() } },
            }]);
            json!({ "phase": "Failed", "conditions": scheduled(), "initContainerStatuses": failed })
        }
        _ => json!({ "phase": "Failed", "reason": "OutOfcpu", "message": REJECTION }),
    }
}

async fn advance(api: &ApiServer, client: &Client, pod: &Value, path: &str, behaviour: Behaviour) {
    let told = !pod["metadata"]["deletionTimestamp"].is_null();
    let asked = pod["metadata"]["annotations"]["actions-gateway.github.com/stop"].as_str();
    let finish = pod["metadata"]["annotations"][FINISH] == "yes";
    match behaviour {
        Behaviour::Succeeds | Behaviour::IsRejectedOnce => {
            conclude(api, client, pod, path, "succeeded", None).await
        }
        Behaviour::RunsOn if finish => conclude(api, client, pod, path, "succeeded", None).await,
        Behaviour::RunsOn if asked.is_some_and(|it| it.starts_with("2;")) => {
            conclude(api, client, pod, path, "canceled", Some(2)).await;
        }
        Behaviour::RunsOn if told => conclude(api, client, pod, path, "failed", Some(3)).await,
        Behaviour::HasNoImage
        | Behaviour::ReachesNoRegistry
        | Behaviour::FindsNoNode
        | Behaviour::StaysPending
            if told =>
        {
            end(api, path, json!({}), json!({}));
        }
        Behaviour::IsEvicted => {
            let disrupted = json!({
                "reason": "Evicted", "message": "The node was low on resource: memory.",
                "conditions": [{ "type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet" }],
            });
            end(api, path, json!({ "exitCode": 137, "finishedAt": now() }), disrupted);
        }
        Behaviour::RunsOutOfMemory => {
            let killed = json!({ "exitCode": 137, "reason": "OOMKilled", "finishedAt": now() });
            end(api, path, killed, json!({}));
        }
        Behaviour::Crashes => {
            let message = json!({ "v": 1, "exit": 139, "stopped": false }).to_string();
            let crashed =
                json!({ "exitCode": 139, "reason": "Error", "finishedAt": now(), "message": message });
            end(api, path, crashed, json!({}));
        }
        _ => {}
    }
}

/// The runner tells GitHub, the wrapper leaves its report, the container ends.
async fn conclude(
    api: &ApiServer,
    client: &Client,
    pod: &Value,
    path: &str,
    result: &str,
    frame: Option<u8>,
) {
    complete_at_github(api, client, pod, result).await;
    let exit = match result {
        "succeeded" => 100,
        "failed" => 102,
        _ => 103,
    };
    let version = pod["metadata"]["annotations"][RUNNER_VERSION].as_str();
    let message = json!({
        "v": 1, "result": result, "exit": exit, "stopped": frame.is_some(), "frame": frame, "runnerVersion": version,
    });
    let code = if exit == 100 { 0 } else { exit };
    let ended = json!({ "exitCode": code, "finishedAt": now(), "message": message.to_string() });
    end(api, path, ended, json!({}));
}

fn end(api: &ApiServer, path: &str, terminated: Value, extra: Value) {
    api.edit(path, |pod| {
        let ran = terminated.get("exitCode").is_some();
        pod["status"]["phase"] = json!(if terminated["exitCode"] == 0 { "Succeeded" } else { "Failed" });
        if ran {
            pod["status"]["containerStatuses"] = container(json!({ "terminated": terminated }));
        }
        for (field, value) in extra.as_object().unwrap() {
            pod["status"][field] = value.clone();
        }
    });
}

/// The job message, as the wrapper finds it.
fn message(api: &ApiServer, pod: &Value) -> JobMessage {
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let secret = volumes.iter().find_map(|it| it["secret"]["secretName"].as_str()).unwrap();
    let secret = api.get(&format!("/api/v1/namespaces/team-a/secrets/{secret}")).expect("the payload");
    let payload = agc::jobs::payload::read(&serde_json::from_value(secret).unwrap()).expect("a payload");
    JobMessage::decode(&Acquired { plan_id: None, message: payload.message }).unwrap()
}

async fn post(client: &Client, job: &JobMessage, url: &Url, body: Value) -> http::StatusCode {
    let request = http::Request::post(url.as_str())
        .header("authorization", format!("Bearer {}", job.connection.token.expose()))
        .header("content-type", "application/json; charset=utf-8")
        .body(github_proto::request::Body::from(body.to_string()))
        .unwrap();
    client.send(request, Deadline::within(Duration::from_secs(10), 65536)).await.unwrap().status()
}

/// The runner writes into the ledger that it begins.
async fn begin(api: &ApiServer, client: &Client, pod: &Value) {
    let job = message(api, pod);
    let url = job.connection.url.as_ref().unwrap().join("/results/twirp/fakegithub.Ledger/Begin").unwrap();
    let uid = &pod["metadata"]["uid"];
    let body = json!({
        "workflow_run_backend_id": job.plan_id, "workflow_job_run_backend_id": job.job_id, "start_id": uid, "pod_uid": uid,
    });
    let status = post(client, &job, &url, body).await;
    assert!(status.is_success(), "Begin: {status}");
}

async fn complete_at_github(api: &ApiServer, client: &Client, pod: &Value, result: &str) {
    let job = message(api, pod);
    let base = job.connection.url.as_ref().unwrap();
    let url = Url::parse(&format!("{}/completejob", base.as_str().trim_end_matches('/'))).unwrap();
    let body = json!({ "planId": job.plan_id, "jobId": job.job_id, "conclusion": result });
    let status = post(client, &job, &url, body).await;
    assert!(status.is_success() || status == 404, "completejob: {status}");
}
