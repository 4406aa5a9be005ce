//! A tenant whose controller is about to be killed, and the means to do it.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use api::names;
use e2e::audit::{Audit, Entry};
use e2e::node_agent::{NodeAgent, Signal};
use e2e::tenant::REACTION;
use e2e::{Namespace, Tenant, wait};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Secret};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::row::ran_once;

/// The controller's program, and the name of its container.
pub const PROGRAM: &str = "agc";

/// A tenant, its audit log, and the agents on the nodes.
pub struct Scene {
    pub tenant: Tenant,
    node_agent: NodeAgent,
    audit: Mutex<Audit>,
}

impl Scene {
    /// A tenant that listens.
    pub async fn listening(namespace: Namespace) -> Result<Self> {
        let scene = Self::begin(namespace).await?;
        scene.tenant.hand_over_credentials().await?;
        scene.provision().await?;
        scene.tenant.wait_until_listening().await?;
        Ok(scene)
    }

    /// A tenant that has handed over nothing yet.
    pub async fn begin(namespace: Namespace) -> Result<Self> {
        let tenant = Tenant::new(namespace).await?;
        let world = tenant.namespace.world();
        let node_agent = world.node_agent().await?.clone();
        let audit = Audit::open(world.environment.audit_log()?, tenant.namespace.name())?;
        Ok(Self { node_agent, audit: Mutex::new(audit), tenant })
    }

    /// Makes the gateway.
    pub async fn provision(&self) -> Result<()> {
        self.tenant.apply_gateway(self.tenant.gateway(group())).await
    }

    /// What the namespace's controllers have asked of the API server.
    pub fn asked(&self, accept: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>> {
        let user = format!("system:serviceaccount:{}:{}", self.tenant.namespace.name(), names::CONTROLLER);
        let mut audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(audit.entries()?.iter().filter(|it| it.user == user && accept(it)).cloned().collect())
    }

    /// Signals the controller in this pod.
    pub async fn signal(&self, controller: &Pod, signal: Signal) -> Result<()> {
        self.node_agent.signal(controller, PROGRAM, signal).await
    }

    pub fn node_agent(&self) -> &NodeAgent {
        &self.node_agent
    }

    /// Kills the controller in this pod, and waits until the kubelet has started it again and it is ready.
    pub async fn kill(&self, controller: &Pod) -> Result<()> {
        self.signal(controller, Signal::Kill).await?;
        self.started_again(controller, 1).await
    }

    /// Waits until the controller in this pod has been started so often beyond the first time; it need not be ready.
    pub async fn begun_again(&self, controller: &Pod, restarts: i32) -> Result<()> {
        let pods = self.tenant.namespace.api::<Pod>();
        wait::until(&pods, &controller.name_any(), "started again", REACTION, |pod| {
            container(pod).is_some_and(|it| it.restart_count == restarts && is_running(it))
        })
        .await
        .map(drop)
    }

    /// Waits until the controller in this pod is ready after so many starts beyond the first.
    async fn started_again(&self, controller: &Pod, restarts: i32) -> Result<()> {
        let pods = self.tenant.namespace.api::<Pod>();
        wait::until(&pods, &controller.name_any(), "started again and ready", REACTION, |pod| {
            container(pod).is_some_and(|it| it.ready && it.restart_count == restarts)
        })
        .await
        .map(drop)
    }

    /// That nothing is left of what the controller was killed in, that it listens, and that one start mended all.
    pub async fn is_well(&self, controller: &Pod) -> Result<()> {
        self.no_payload_is_left().await?;
        self.listens_again().await?;
        self.restarts_are(controller, 1).await
    }

    /// The same, and that it runs a job.
    pub async fn runs_the_next_job(&self, controller: &Pod) -> Result<()> {
        let run = self.tenant.start_script("true").await?;
        ran_once(self, run).await?;
        self.is_well(controller).await
    }

    /// That the controller in this pod has been started again so often, and not once more.
    async fn restarts_are(&self, controller: &Pod, restarts: i32) -> Result<()> {
        let pod = self.tenant.namespace.api::<Pod>().get(&controller.name_any()).await?;
        let seen = container(&pod).context("the controller has a container")?;
        ensure!(seen.restart_count == restarts, "the controller was started again otherwise: {seen:#?}");
        Ok(())
    }

    /// That somebody of the group waits for a job at GitHub, by a poll that is held right now.
    async fn listens_again(&self) -> Result<()> {
        let Tenant { github, group, .. } = &self.tenant;
        wait::eventually("the group listens again", REACTION, || async {
            let (agents, sessions) = (github.agents(group).await?, github.sessions(group).await?);
            let idle = |name: &str| {
                agents.iter().any(|it| it.name == name && it.fate == "alive" && it.job.is_none())
            };
            ensure!(sessions.iter().any(|it| it.parked > 0 && idle(&it.agent)), "{agents:#?}\n{sessions:#?}");
            Ok(())
        })
        .await
    }

    /// That no claim's payload is stored any more.
    async fn no_payload_is_left(&self) -> Result<()> {
        let secrets = self.tenant.namespace.api::<Secret>();
        wait::eventually("no payload is left", REACTION, || async {
            let all = secrets.list(&ListParams::default()).await?;
            let left: Vec<_> =
                all.iter().map(|it| it.name_any()).filter(|it| it.ends_with("-payload")).collect();
            ensure!(left.is_empty(), "Secrets {left:?}");
            Ok(())
        })
        .await
    }
}

fn is_running(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|it| it.running.is_some())
}

/// The job's pod tells the stand-in runner which one it is.
fn group() -> Value {
    let uid = json!({"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}});
    json!({"podTemplate": {"spec": {"containers": [{"name": names::RUNNER_CONTAINER, "env": [uid]}]}}})
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.iter().find(|it| it.name == PROGRAM)
}
