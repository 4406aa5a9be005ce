//! What must hold once a world has come to rest.

use std::collections::BTreeMap;

use api::Kind;
use api::conditions::table::is_listed;
use api::events::Reason;
use fakegithub::RunView;
use http::Method;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;
use strum::IntoEnumIterator as _;

use crate::rig::{PATIENCE, Rig, ending, name};

impl Rig {
    /// GitHub objects to nothing that was done, and no pod was made twice but for one that its node rejected.
    pub fn assert_clean(&self) {
        assert_eq!(self.github.control().violations(), [], "GitHub objects");
        let made = self.pods_made();
        let rejected: Vec<String> = self
            .api
            .list("/runnerjobs/")
            .iter()
            .map(|it| it["status"]["rejectedPod"]["name"].to_string())
            .collect();
        let may_be_made = |name: &String| if rejected.contains(name) { 2 } else { 1 };
        assert!(made.iter().all(|(name, times)| *times <= may_be_made(name)), "{made:?}");
        self.assert_words();
    }

    /// What conditions and Events say stands in the tables of both.
    fn assert_words(&self) {
        for kind in Kind::iter() {
            let objects = self.api.list(&format!("/{}s/", kind.as_str().to_lowercase()));
            for condition in objects.iter().filter_map(|it| it["status"]["conditions"].as_array()).flatten() {
                let condition: Condition = serde_json::from_value(condition.clone()).unwrap();
                assert!(is_listed(kind, &condition), "{kind:?}: {condition:?}");
            }
        }
        for event in self.api.list("/events/") {
            let reason: Reason = event["reason"].as_str().unwrap().parse().unwrap();
            assert_eq!(event["involvedObject"]["kind"], reason.kind().as_str(), "{event}");
        }
    }

    /// How often the pod of each name was made, whoever made it and whatever became of it.
    pub fn pods_made(&self) -> BTreeMap<String, usize> {
        let mut made = BTreeMap::new();
        let posts = |it: &testkit::api_server::Call| {
            it.method == Method::POST && it.path.ends_with("/pods") && !it.is_dry_run()
        };
        for call in self.api.calls().iter().filter(|it| posts(it) && it.succeeded()) {
            *made.entry(call.body["metadata"]["name"].to_string()).or_default() += 1;
        }
        made
    }

    /// The run's only job ran once, in its first attempt, by the account of everybody who saw it; nothing of it is
    /// left but what people look at, and the controller of this name listens. The settled `RunnerJob`.
    pub async fn assert_ran_once(&self, run: &RunView, controller: &str) -> Value {
        assert_eq!(self.concluded(run).await, "success");
        let attempts = self.github.control().run(run.run_id).unwrap().attempts;
        assert_eq!(attempts.len(), 1, "{attempts:#?}");
        let job = self.settled_job().await;
        assert_eq!(ending(&job), "Succeeded");
        let ledger = self.github.control().ledger(Some(run.run_id));
        let workers: Vec<&str> = ledger.iter().map(|it| it.pod_uid.as_str()).collect();
        assert_eq!(
            workers,
            [job["status"]["pod"]["uid"].as_str().unwrap()],
            "the workers that began the job"
        );
        assert_eq!(self.pods_made().len(), 1);
        self.assert_clean();
        self.listens(controller).await;
        job
    }

    /// Waits until a session of this controller listens for jobs, with an agent that has none.
    pub async fn listens(&self, controller: &str) -> String {
        self.api
            .wait_for(&format!("{controller} listens"), PATIENCE, |_| {
                let state = self.github.control().state();
                let idle = |agent: &str| {
                    state.agents.iter().any(|it| it.name == agent && it.fate == "alive" && it.job.is_none())
                };
                let mut sessions = state.sessions.into_iter();
                sessions
                    .find(|it| it.owner == controller && it.parked > 0 && idle(&it.agent))
                    .map(|it| it.agent)
            })
            .await
    }

    /// How often the API server was asked for this, answered or not. A dry run asks for nothing.
    pub fn asked(&self, method: Method, part: &str) -> usize {
        let asks = |it: &&testkit::api_server::Call| it.method == method && it.path.contains(part);
        self.api.calls().iter().filter(asks).filter(|it| !it.is_dry_run()).count()
    }

    /// What GitHub was asked of this endpoint, in order.
    pub fn asked_github(&self, endpoint: &str) -> Vec<fakegithub::Request> {
        let mut requests = self.github.control().requests(0);
        requests.retain(|it| it.endpoint == Some(endpoint));
        requests
    }

    /// The names of the agents that are stored.
    pub fn agents_stored(&self) -> Vec<String> {
        use base64::Engine as _;
        let decoded = |it: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(it.as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let agents = self.api.list("/secrets/").into_iter().filter(|it| name(it).contains("-agent-"));
        agents.map(|it| decoded(&it["data"]["name"])).collect()
    }
}
