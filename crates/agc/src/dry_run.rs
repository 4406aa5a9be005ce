//! Asks the API server whether it would take a group's pods, before a job is acquired that could not be given back.
//!
//! One task shows it the pod of each group, once for each PriorityClass that the group's tiers may choose, and tells the
//! dispatcher the answers. It asks again when anything changes that the answer depends on, after refusals, and now and then.
//! A dry run goes through all of admission and books nothing.

pub(crate) mod answer;
mod schedule;
mod specimen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use admission::Demand;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{LimitRange, Namespace, Pod, PodSpec, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use runtime::clock::Clock;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::jobs::message::Message;
use crate::pod::build::Platform;
use crate::runner_group::group::Group;
pub use answer::Answer;
use schedule::Schedule;
use specimen::{reckoned, specimen};

/// Dry runs at a time: a webhook that hangs must not keep the answers of other groups from coming.
const CONCURRENCY: usize = 4;
/// Nobody may watch one namespace only, so its labels are read so often.
const LABELS: Duration = Duration::from_secs(30);
/// Labels of a namespace that say what its pods may do.
const POD_SECURITY: &str = "pod-security.kubernetes.io/";

/// What an answer depends on beside the group itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    /// The ResourceQuotas, by name: what they limit, not what is used.
    pub quotas: BTreeMap<String, Limits>,
    /// The LimitRanges, by their names and nothing else of their metadata.
    pub limit_ranges: Vec<LimitRange>,
}

/// What a ResourceQuota limits: as it is asked for, and as it is enforced since it was first counted.
pub type Limits = (ResourceQuotaSpec, Option<BTreeMap<String, Quantity>>);

/// How often pods of each group were refused since one of them was last created. Absent: not once.
pub type Refusals = BTreeMap<String, u32>;

/// What the API server said of a group's pods.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The group that it was asked about.
    pub group: Arc<Group>,
    /// Which state of the group's world it speaks of: larger when anything has changed that could change the answer.
    pub revision: u64,
    /// The worst of its answers.
    pub answer: Answer,
    /// What one more job takes from ResourceQuotas, by the PriorityClass of its pod.
    pub demands: BTreeMap<Option<String>, Arc<Demand>>,
}

/// Where its parts come from.
pub struct Sources {
    /// The groups.
    pub groups: watch::Receiver<BTreeMap<String, Arc<Group>>>,
    /// What else an answer depends on.
    pub world: watch::Receiver<World>,
    /// Pods that were refused after all.
    pub refusals: watch::Receiver<Refusals>,
}

/// The task.
pub struct DryRuns {
    pods: Api<Pod>,
    namespaces: Api<Namespace>,
    platform: Arc<Platform>,
    sources: Sources,
    dispatcher: mpsc::Sender<Message>,
    clock: Clock,
    plans: BTreeMap<String, Plan>,
    world: World,
    refusals: Refusals,
    labels: BTreeMap<String, String>,
    /// When the namespace is read next.
    labels_due: Instant,
}

/// What is known of one group.
struct Plan {
    group: Arc<Group>,
    schedule: Schedule,
    revision: u64,
    accepted: bool,
    demands: BTreeMap<Option<String>, Arc<Demand>>,
}

impl DryRuns {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(
        client: &Client,
        platform: Arc<Platform>,
        sources: Sources,
        dispatcher: mpsc::Sender<Message>,
        clock: Clock,
    ) -> Self {
        Self {
            pods: Api::namespaced(client.clone(), &platform.namespace),
            namespaces: Api::all(client.clone()),
            platform,
            sources,
            dispatcher,
            clock,
            plans: BTreeMap::new(),
            world: World::default(),
            refusals: Refusals::default(),
            labels: BTreeMap::new(),
            labels_due: Instant::now(),
        }
    }

    /// Asks until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            self.look();
            let work = async {
                if self.labels_due <= Instant::now() {
                    self.read_labels().await;
                }
                self.ask_those_due().await;
            };
            tokio::select! {
                () = work => {}
                () = stop.cancelled() => return,
            }
            let next = self.plans.values().map(|it| it.schedule.due()).min();
            let next = next.map_or(self.labels_due, |it| it.min(self.labels_due));
            // A sender that is gone is the end of the process.
            tokio::select! {
                _ = self.sources.groups.changed() => {}
                _ = self.sources.world.changed() => {}
                _ = self.sources.refusals.changed() => {}
                () = sleep_until(next) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Takes in what has changed.
    fn look(&mut self) {
        let now = Instant::now();
        let groups = self.sources.groups.borrow_and_update().clone();
        self.plans.retain(|name, _| groups.contains_key(name));
        for (name, group) in groups {
            match self.plans.get_mut(&name) {
                Some(plan) if plan.group.id.is_same_spec(&group.id) => {}
                Some(plan) => plan.edited(group, now),
                None => drop(self.plans.insert(name, Plan::new(group, now, self.clock.seed()))),
            }
        }
        let world = self.sources.world.borrow_and_update().clone();
        if world != self.world {
            self.world = world;
            self.world_changed();
        }
        let refusals = self.sources.refusals.borrow_and_update().clone();
        for (name, plan) in &mut self.plans {
            let (before, after) = (self.refusals.get(name), refusals.get(name));
            match after {
                Some(count) if before != Some(count) => plan.schedule.pod_refused(now),
                None if before.is_some() => plan.schedule.pods_placed(),
                _ => {}
            }
        }
        self.refusals = refusals;
    }

    fn world_changed(&mut self) {
        let now = Instant::now();
        self.plans.values_mut().for_each(|it| it.world_changed(now));
    }

    async fn read_labels(&mut self) {
        self.labels_due = Instant::now() + self.clock.about(LABELS);
        // What cannot be read now is read next time; a refusal shows meanwhile what has become stricter.
        let Ok(namespace) = self.namespaces.get_metadata(&self.platform.namespace).await else { return };
        let labels = namespace.labels().iter().filter(|(key, _)| key.starts_with(POD_SECURITY));
        let labels: BTreeMap<_, _> = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
        if labels != self.labels {
            self.labels = labels;
            self.world_changed();
        }
    }

    async fn ask_those_due(&mut self) {
        let now = Instant::now();
        let due = self.plans.values().filter(|it| it.schedule.due() <= now).map(|it| it.group.clone());
        let due: Vec<Arc<Group>> = due.collect();
        let answers: Vec<_> =
            stream::iter(due).map(|it| self.ask(it)).buffer_unordered(CONCURRENCY).collect().await;
        for (group, answers) in answers {
            let Some(asked) = self.answered(group, answers) else { continue };
            // The dispatcher ends last.
            let _ = self.dispatcher.send(Message::DryRun(Arc::new(asked))).await;
        }
    }

    /// One answer for each PriorityClass that a job of the group may get.
    async fn ask(&self, group: Arc<Group>) -> (Arc<Group>, Vec<(Option<String>, Shown)>) {
        let mut answers = Vec::new();
        for class in group.ceiling.priority_classes() {
            let pod = specimen(&self.platform, &group, class.as_deref());
            let dry = PostParams { dry_run: true, field_manager: None };
            let shown = match self.pods.create(&dry, &pod).await {
                Ok(taken) => Shown { answer: Answer::Accepted, pod: taken.spec },
                Err(error) => Shown { answer: Answer::of(&error, self.platform.profile), pod: None },
            };
            answers.push((class, shown));
        }
        (group, answers)
    }

    fn answered(&mut self, group: Arc<Group>, answers: Vec<(Option<String>, Shown)>) -> Option<Asked> {
        let name = group.id.name.clone();
        let plan = self.plans.get_mut(&name)?;
        let mut demands = BTreeMap::new();
        let mut worst = Answer::Accepted;
        for (class, Shown { answer, pod }) in answers {
            let demand = match (pod, plan.demands.get(&class)) {
                (Some(spec), _) => Arc::new(Demand::of(&spec)),
                (None, Some(known)) => known.clone(),
                (None, None) => Arc::new(reckoned(&self.platform, &group, class.as_deref(), &self.world)),
            };
            demands.insert(class, demand);
            worst = worst.max(answer);
        }
        let accepted = worst == Answer::Accepted;
        if accepted && !plan.accepted {
            plan.revision += 1; // what was refused and now is not has changed by means that nothing told of
        }
        plan.accepted = accepted;
        plan.demands.clone_from(&demands);
        let (now, period) = (Instant::now(), self.clock.about(schedule::PERIOD));
        plan.schedule.answered(&worst, self.refusals.contains_key(&name), now, period);
        Some(Asked { group, revision: plan.revision, answer: worst, demands })
    }
}

/// A pod as the API server answered it.
struct Shown {
    answer: Answer,
    /// The pod that came back: with defaults, what a LimitRange gives, and what was injected.
    pod: Option<PodSpec>,
}

impl Plan {
    fn new(group: Arc<Group>, now: Instant, seed: u64) -> Self {
        let schedule = Schedule::new(now, seed);
        Self { group, schedule, revision: 0, accepted: false, demands: BTreeMap::new() }
    }

    fn world_changed(&mut self, now: Instant) {
        self.revision += 1;
        self.schedule.world_changed(now);
    }

    /// What was known of the group as it was is of no use for the group as it is.
    fn edited(&mut self, group: Arc<Group>, now: Instant) {
        self.group = group;
        self.demands.clear();
        self.world_changed(now);
    }
}

#[cfg(test)]
mod tests;
