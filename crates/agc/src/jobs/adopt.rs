//! What a start makes of what its predecessor left: unfinished `RunnerJob`s, and pods that carry our finalizer.
//! Nothing else is looked at.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use api::runner_job::AgentRef;
use api::{RunnerJob, labels};
use futures::{StreamExt as _, stream};
use github_proto::RequestId;
use github_proto::message::RunnerJobRequest;
use github_proto::run_service::Acquired;
use jiff::Timestamp;
use job::Recovered;
use job::listeners::RunnerId;
use job::naming::RunnerJobName;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Api, ResourceExt as _};
use operator::describe;
use tokio::sync::mpsc;
use url::Url;

use crate::agents::pool::Inherited;
use crate::agents::registrar::{RegisterError, Stored};
use crate::agents::{Agent, Registrar};
use crate::jobs::acquired::AcquiredJob;
use crate::jobs::memory::{Memory, recovered};
use crate::jobs::message::{Adopted, Message};
use crate::jobs::offer::{BrokerOffer, Credentials, Offer, Source};
use crate::jobs::payload::{self, Payload};
use crate::pod::observe::observe;
use crate::report::{JobFields, job_line};
use crate::runner_group::group::{GroupId, Known};
use crate::watches::Stores;

/// Between two tries to read a Secret.
const RETRY: Duration = Duration::from_secs(1);

/// Secrets read at once.
const READS: usize = 16;

/// Takes up what a predecessor left.
pub struct Adoption {
    /// Reads payload Secrets.
    pub secrets: Api<Secret>,
    /// Reads agents.
    pub registrar: Registrar,
    /// Namespace of everything.
    pub namespace: String,
    /// Takes the jobs.
    pub dispatcher: mpsc::Sender<Message>,
}

impl Adoption {
    /// Hands every unsettled job to the dispatcher.
    pub async fn run(&self, stores: &Stores, groups: &BTreeMap<String, Known>, now: Timestamp) {
        let jobs = stores.runner_jobs();
        let pods = held_pods(stores);
        let unsettled =
            jobs.into_iter().filter(|job| is_unsettled(job, pods.get(&job.uid().unwrap_or_default())));
        let adopted = stream::iter(unsettled).map(|job| {
            let pod = job.uid().and_then(|uid| pods.get(&uid).cloned());
            let group = groups.get(&job.spec.runner_group.name).cloned();
            self.look_at(job, pod, group, now)
        });
        let mut adopted = adopted.buffer_unordered(READS);
        while let Some(adopted) = adopted.next().await {
            if let Some(adopted) = adopted {
                // The dispatcher outlives the start.
                let _ = self.dispatcher.send(Message::Adopt(Box::new(adopted))).await;
            }
        }
    }

    async fn look_at(
        &self,
        object: RunnerJob,
        pod: Option<Arc<Pod>>,
        group: Option<Known>,
        now: Timestamp,
    ) -> Option<Adopted> {
        let name = RunnerJobName::existing(&object.name_any());
        let line = JobFields::of_object(&object);
        let Some(group) = group else {
            job_line!(warn, line, "failed to adopt RunnerJob: its RunnerGroup is gone");
            return None;
        };
        let Some((agent, request)) = broker_offer(&object) else {
            job_line!(warn, line, "failed to adopt RunnerJob: its spec has no offer that this release knows");
            return None;
        };
        let stored = self.agent(&group.id, &agent, line).await;
        let credentials = stored.and_then(|it| {
            let auth = self.registrar.github().runner(&it.jit).ok()?;
            Some(Credentials { auth, jit: it.jit })
        });
        let secret = self.payload(&name, line).await;
        let claim = secret.as_ref().and_then(payload::read).and_then(|Payload { message, jit }| {
            let acquired = Acquired { plan_id: None, message };
            let claim =
                AcquiredJob::read(acquired, &request.run_service_url, jit, &self.namespace, &group.id.name);
            claim.ok().map(Arc::new)
        });
        let memory = Memory::read(object.status.as_ref());
        let found = Recovered {
            payload_stored: secret.is_some(),
            pod: pod.as_deref().map(|it| observe(it, now)),
            pod_is_rejected: pod
                .as_deref()
                .and_then(|it| it.metadata.uid.as_deref())
                .is_some_and(|it| memory.is_rejected(it)),
            ..recovered(&object)
        };
        let source = Source::Broker(BrokerOffer { agent, credentials, request, session: None });
        let offer = Offer { name, group: group.id, spec: group.spec, source };
        Some(Adopted { offer, object, claim, pod, found })
    }

    /// The agent's registration, if its place still holds the one that this job was offered to.
    async fn agent(&self, group: &GroupId, wanted: &AgentRef, line: JobFields<'_>) -> Option<Agent> {
        let (index, _) = group.agents().parse(&wanted.name)?;
        loop {
            match self.registrar.load(group, index).await {
                Ok(Stored::Agent(agent)) if agent.reference().runner_id == wanted.runner_id => {
                    return Some(agent);
                }
                Ok(_) | Err(RegisterError::NameConflict { .. }) => return None,
                Err(error) => {
                    let agent = &wanted.name;
                    job_line!(warn, line, agent, error = %describe(&error), "failed to read the agent's Secret: trying again");
                    self.wait().await;
                }
            }
        }
    }

    /// The Secret whose existence is the claim.
    async fn payload(&self, name: &RunnerJobName, line: JobFields<'_>) -> Option<Secret> {
        let secret = name.payload_secret();
        loop {
            match self.secrets.get_opt(&secret).await {
                Ok(found) => return found,
                Err(error) => {
                    job_line!(warn, line, secret, error = %describe(&error), "failed to read the payload Secret: trying again");
                    self.wait().await;
                }
            }
        }
    }

    /// Without an answer nothing may be concluded: a job that looks unclaimed would be claimed again.
    async fn wait(&self) {
        tokio::time::sleep(self.registrar.github().clock.about(RETRY)).await;
    }
}

/// Worker pods with our finalizer, by the uid of their `RunnerJob`.
fn held_pods(stores: &Stores) -> HashMap<String, Arc<Pod>> {
    let held = |pod: &Arc<Pod>| pod.finalizers().iter().any(|it| it == labels::FINALIZER_JOB);
    let owner = |pod: &Pod| {
        let owners = pod.metadata.owner_references.iter().flatten();
        owners.into_iter().find(|it| it.controller == Some(true)).map(|it| it.uid.clone())
    };
    stores.pods.state().into_iter().filter(held).filter_map(|pod| Some((owner(&pod)?, pod))).collect()
}

fn is_unsettled(job: &RunnerJob, pod: Option<&Arc<Pod>>) -> bool {
    !Memory::read(job.status.as_ref()).is_history() || pod.is_some()
}

/// What the jobs say of the agents, by group: each agent runs one.
#[must_use]
pub fn inherit(jobs: &[RunnerJob], groups: &BTreeMap<String, Known>) -> BTreeMap<String, Inherited> {
    let mut inherited: BTreeMap<String, Inherited> = BTreeMap::new();
    for job in jobs {
        let Some(group) = groups.get(&job.spec.runner_group.name) else { continue };
        let of_group = inherited.entry(group.id.name.clone()).or_default();
        let Some(agent) = job.spec.broker.as_ref().map(|it| &it.agent) else { continue };
        let runner = RunnerId(u64::try_from(agent.runner_id).unwrap_or_default());
        let memory = Memory::read(job.status.as_ref());
        match (&memory.ended, &memory.identity) {
            (Some(_), _) => drop(of_group.consumed.insert(runner)),
            (None, Some(_)) => drop(of_group.busy.insert(runner)),
            (None, None) => drop(of_group.reserved.insert(runner)),
        }
        if memory.ended.is_none()
            && let Some((index, _)) = group.id.agents().parse(&agent.name)
        {
            of_group.seats.insert(index);
        }
    }
    inherited
}

/// What the broker offered, and to which agent.
fn broker_offer(object: &RunnerJob) -> Option<(AgentRef, RunnerJobRequest)> {
    let offer = object.spec.broker.as_ref()?;
    let request = RunnerJobRequest {
        request_id: RequestId::parse(&offer.request_id).ok()?,
        should_acknowledge: false,
        run_service_url: Url::parse(&offer.run_service_url).ok()?,
        billing_owner_id: offer.billing_owner_id.clone(),
    };
    Some((offer.agent.clone(), request))
}
