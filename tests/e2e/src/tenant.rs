//! A team with a gateway: what it does by hand, and what it looks at.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, RunnerGroup, RunnerJob, labels, names};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::github::{self, App, Asked, GitHub, Run};
use crate::{Namespace, tools, wait};

/// For a controller's pod to start, register at GitHub and listen.
const LISTENING: Duration = Duration::from_secs(90);
/// For an ordinary job, from its queue to its end.
pub const JOB: Duration = Duration::from_secs(90);
/// For a controller to notice something and act.
pub const REACTION: Duration = Duration::from_secs(45);
/// For a gateway's end: 90 s for its workers, and some for all else.
const TEARDOWN: Duration = Duration::from_secs(120);
/// The name of a test's gateway.
pub const GATEWAY: &str = "team";
/// A script that waits until its gate is opened.
pub const GATE: &str = "until test -e /tmp/gate; do sleep 0.2; done";
/// The name of the Secret with its App's credentials.
pub const APP_SECRET: &str = "github-app";

/// A namespace whose owner has an account at GitHub with an App installed on it.
pub struct Tenant {
    /// The team's namespace.
    pub namespace: Namespace,
    /// GitHub.
    pub github: GitHub,
    /// The account at GitHub: this test's alone.
    pub account: String,
    /// The RunnerGroup: its runners are this test's alone, too.
    pub group: String,
    /// The App.
    pub app: App,
}

impl Tenant {
    /// Has the product installed, and makes account, App and the ConfigMap with GitHub's CA. The App's credentials are
    /// not handed over yet.
    pub async fn new(namespace: Namespace) -> Result<Self> {
        namespace.world().product().await?;
        let github = namespace.world().github().await?.clone();
        let account = namespace.name().to_owned();
        let group = format!("linux-{}", account.rsplit('-').next().unwrap_or_default());
        let app = github.create_app(&account).await?;
        let ca: ConfigMap = serde_json::from_value(json!({
            "metadata": {"name": "github-ca"}, "data": {"ca.crt": github.ca},
        }))?;
        namespace
            .api()
            .create(&PostParams::default(), &ca)
            .await
            .context("making the ConfigMap of the CA")?;
        Ok(Self { namespace, github, account, group, app })
    }

    /// A tenant with its credentials and one RunnerGroup, listening. `group` is merged over the group's fields.
    pub async fn listening(namespace: Namespace, group: Value) -> Result<Self> {
        let tenant = Self::new(namespace).await?;
        tenant.hand_over_credentials().await?;
        tenant.apply_gateway(tenant.gateway(group)).await?;
        tenant.wait_until_listening().await?;
        Ok(tenant)
    }

    /// Makes the Secret that the gateway refers to.
    pub async fn hand_over_credentials(&self) -> Result<()> {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": APP_SECRET},
            "stringData": {
                "appId": self.app.app_id.to_string(),
                "installationId": self.app.installation_id.to_string(),
                "privateKey": self.app.private_key,
            },
        }))?;
        self.namespace
            .api()
            .create(&PostParams::default(), &secret)
            .await
            .context("making the App's Secret")?;
        Ok(())
    }

    /// The gateway that most tests use, with one group.
    pub fn gateway(&self, group: Value) -> Value {
        let mut fields =
            json!({"name": self.group, "runnerLabels": ["self-hosted", "linux"], "completedPodTTL": "10m"});
        json_patch::merge(&mut fields, &group);
        json!({
            "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "ActionsGateway",
            "metadata": {"name": GATEWAY},
            "spec": {
                "gitHubURL": format!("{}/{}", github::BASE_URL, self.account),
                "gitHubAppRef": {"name": APP_SECRET},
                "gitHubCABundleRef": {"name": "github-ca"},
                "runnerGroups": [fields],
            },
        })
    }

    /// Makes a gateway, or changes it to this.
    pub async fn apply_gateway(&self, gateway: Value) -> Result<()> {
        let name = gateway["metadata"]["name"].as_str().context("a gateway has a name")?.to_owned();
        let api = self.namespace.api::<ActionsGateway>();
        let params = PatchParams::apply("e2e-tenant").force();
        api.patch(&name, &params, &Patch::Apply(&gateway)).await.context("applying the gateway")?;
        Ok(())
    }

    /// Waits until the gateway is ready and its group has a session.
    pub async fn wait_until_listening(&self) -> Result<()> {
        let groups = self.namespace.api::<RunnerGroup>();
        wait::until(&groups, &self.group, "ready", LISTENING, |it| {
            it.status.as_ref().is_some_and(|it| has(&it.conditions, "Ready", "True"))
        })
        .await?;
        self.wait_for_gateway("ready", "Ready", "True").await.map(drop)
    }

    /// Waits for a condition of the gateway.
    pub async fn wait_for_gateway(
        &self,
        wanted: &str,
        condition: &str,
        status: &str,
    ) -> Result<ActionsGateway> {
        let gateways = self.namespace.api::<ActionsGateway>();
        wait::until(&gateways, GATEWAY, wanted, LISTENING, |it| {
            it.status.as_ref().is_some_and(|it| has(&it.conditions, condition, status))
        })
        .await
    }

    /// Waits for the end of a gateway that is being deleted.
    pub async fn wait_until_gone(&self, gateway: &str) -> Result<()> {
        wait::until_gone(&self.namespace.api::<ActionsGateway>(), gateway, TEARDOWN).await
    }

    /// Queues a run of one job whose only step is this script.
    pub async fn start_script(&self, script: &str) -> Result<u64> {
        self.start(json!({"build": {"runs-on": ["self-hosted", "linux"], "steps": [{"run": script}]}})).await
    }

    /// Queues a run of these jobs.
    pub async fn start(&self, jobs: Value) -> Result<u64> {
        let workflow =
            json!({"repository": format!("{}/demo", self.account), "workflow": "ci", "jobs": jobs});
        self.github.start(&workflow.to_string()).await
    }

    /// What GitHub was asked for by this tenant's controller at paths that have this word, such as `access_tokens`.
    pub async fn asked(&self, word: &str) -> Result<Vec<Asked>> {
        let installation = format!("/{}/", self.app.installation_id);
        let owner = format!("/{}/", self.account);
        let is_ours = |it: &Asked| it.path.contains(&installation) || it.path.contains(&owner);
        let all = self.github.asked().await?;
        Ok(all.into_iter().filter(|it| is_ours(it) && it.path.contains(word)).collect())
    }

    /// Waits for a run's end.
    pub async fn completed(&self, run: u64) -> Result<Run> {
        self.github.completed(run, JOB).await
    }

    /// The log of a run's only job.
    pub async fn log(&self, run: &Run) -> Result<String> {
        let job = run.jobs.first().context("the run has a job")?;
        self.github.log(run.run_id, job.id).await
    }

    /// The RunnerJobs of a run.
    pub async fn runner_jobs(&self, run: u64) -> Result<Vec<RunnerJob>> {
        let all = self.namespace.api::<RunnerJob>().list(&ListParams::default()).await?;
        let id = run.to_string();
        let of_run = |it: &RunnerJob| {
            it.status.as_ref().and_then(|it| it.job.as_ref()).is_some_and(|it| it.run_id == id)
        };
        Ok(all.into_iter().filter(of_run).collect())
    }

    /// Waits until a run's only RunnerJob is as wanted.
    pub async fn runner_job(
        &self,
        run: u64,
        wanted: &str,
        accept: impl Fn(&RunnerJob) -> bool,
    ) -> Result<RunnerJob> {
        wait::eventually(wanted, REACTION, || async {
            let jobs = self.runner_jobs(run).await?;
            let [job] = jobs.as_slice() else { anyhow::bail!("the run has {} RunnerJobs", jobs.len()) };
            ensure!(accept(job), "{}", serde_yaml::to_string(job)?);
            Ok(job.clone())
        })
        .await
    }

    /// Waits until a run's only RunnerJob is complete and settled.
    pub async fn settled(&self, run: u64) -> Result<RunnerJob> {
        self.runner_job(run, "the RunnerJob is complete", is_complete).await
    }

    /// Lets a job go on that waits in [`GATE`].
    pub async fn open_gate(&self, pod: &str) -> Result<()> {
        let in_pod = ["exec", "-n", self.namespace.name(), pod, "-c", names::RUNNER_CONTAINER, "--"];
        tools::run("kubectl", &[&in_pod[..], &["sh", "-c", ": > /tmp/gate"]].concat(), "").await.map(drop)
    }

    /// The name of a run's only worker pod, once its job runs in it.
    pub async fn running_pod(&self, run: u64) -> Result<String> {
        let pod =
            |job: &RunnerJob| job.status.as_ref().and_then(|it| it.pod.as_ref()).map(|it| it.name.clone());
        let job = self.runner_job(run, "the RunnerJob has a pod", |job| pod(job).is_some()).await?;
        let name = pod(&job).context("it was there a moment ago")?;
        let is_running = |it: &Pod| it.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Running");
        wait::until(&self.namespace.api::<Pod>(), &name, "running", JOB, is_running).await?;
        self.github
            .until(run, "the job is in progress", REACTION, |run| {
                run.jobs.iter().all(|job| job.started_at.is_some())
            })
            .await?;
        Ok(name)
    }

    /// The worker pods of the namespace.
    pub async fn workers(&self) -> Result<Vec<Pod>> {
        let workers = ListParams::default().labels(&format!("{}=worker", labels::COMPONENT));
        Ok(self.namespace.api::<Pod>().list(&workers).await?.items)
    }

    /// The controller's pod.
    pub async fn controller(&self) -> Result<Pod> {
        let selector = ListParams::default().labels(&format!("app={}", names::CONTROLLER));
        wait::eventually("a controller's pod is there", REACTION, || async {
            let pods = self.namespace.api::<Pod>().list(&selector).await?.items;
            pods.into_iter().find(|it| it.metadata.deletion_timestamp.is_none()).context("none")
        })
        .await
    }

    /// The Events about an object.
    pub async fn events(&self, name: &str) -> Result<Vec<Event>> {
        let params = ListParams::default().fields(&format!("involvedObject.name={name}"));
        Ok(self.namespace.api::<Event>().list(&params).await?.items)
    }
}

/// Whether a condition has a status.
pub fn has(conditions: &[Condition], type_: &str, status: &str) -> bool {
    conditions.iter().any(|it| it.type_ == type_ && it.status == status)
}

/// Whether a condition has a status for that reason.
pub fn is(conditions: &[Condition], type_: &str, status: &str, reason: &str) -> bool {
    conditions.iter().any(|it| it.type_ == type_ && it.status == status && it.reason == reason)
}

/// The condition of that type.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Result<&'a Condition> {
    conditions
        .iter()
        .find(|it| it.type_ == type_)
        .with_context(|| format!("no condition {type_} in {conditions:#?}"))
}

/// Whether a RunnerJob is over.
pub fn is_complete(job: &RunnerJob) -> bool {
    job.status.as_ref().is_some_and(|it| has(&it.conditions, "Complete", "True"))
}
