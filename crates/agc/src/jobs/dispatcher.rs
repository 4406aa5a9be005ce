//! Owns every job's machine, the slots of every group and all timers. Decides; does no I/O.
//!
//! One task reads one mailbox: offers from pools, answers from the executor, objects from the watches, what the start
//! found. Each becomes an event of a machine; the machine's effects go to the executor, to the timers and to the
//! reporter.

mod account;
mod in_hand;
mod intake;
mod seen;
mod timers;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use admission::Verdict;
use github_proto::JobId;
use jiff::{SignedDuration, Timestamp};
use job::effect::Slot;
use job::listeners::Intake;
use job::naming::RunnerJobName;
use job::{Effect, Event, Job, Phase, Waiting, effect};
use runtime::admin::Heartbeat;
use runtime::clock::Clock;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::agents::{self, PoolHandle};
use crate::dry_run::Refusals;
use crate::jobs::acquired::AcquiredJob;
use crate::jobs::executor::Executor;
use crate::jobs::memory::Memory;
use crate::jobs::message::{Adopted, Message};
use crate::jobs::offer::{Offer, Source};
use crate::jobs::snapshot::PodFacts;
use crate::jobs::words::cause;
use crate::report::{Reporter, job_line};
use crate::runner_group::group::Group;
use crate::runner_group::state::{GroupStates, Withheld};
use account::Admission;
use in_hand::JobInHand;
use timers::Timers;

/// Messages wait here while one is handled, for microseconds. A storm of a thousand jobs sends a few each at once.
pub const MAILBOX: usize = 4096;

/// The loop comes round at least this often.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long writes in hand may take when the process is told to end. The pod has 30 s in all: sessions take up to 11
/// before this, spans 5 after it.
const DRAIN: Duration = Duration::from_secs(7);

/// The one owner of all jobs.
pub struct Dispatcher {
    mailbox: mpsc::Receiver<Message>,
    executor: Executor,
    reporter: Reporter,
    states: GroupStates,
    clock: Clock,
    jobs: HashMap<RunnerJobName, JobInHand>,
    /// Every `RunnerJob` that there is, with or without a machine.
    known: BTreeSet<String>,
    /// Deleted ones whose finalizer is being removed already.
    released: HashSet<String>,
    groups: HashMap<String, (Arc<Group>, PoolHandle)>,
    /// What the sessions of each group were told last.
    intakes: HashMap<String, Intake>,
    /// Why groups take no job, and since when.
    withheld: HashMap<String, Withheld>,
    admission: Admission,
    /// Tells who asks the API server that pods are refused.
    refusals: watch::Sender<Refusals>,
    timers: Timers,
    draining: bool,
}

impl Dispatcher {
    /// A dispatcher without jobs.
    #[must_use]
    pub fn new(
        mailbox: mpsc::Receiver<Message>,
        executor: Executor,
        reporter: Reporter,
        states: GroupStates,
        refusals: watch::Sender<Refusals>,
        clock: Clock,
    ) -> Self {
        Self {
            mailbox,
            executor,
            reporter,
            states,
            clock,
            jobs: HashMap::new(),
            known: BTreeSet::new(),
            released: HashSet::new(),
            groups: HashMap::new(),
            intakes: HashMap::new(),
            withheld: HashMap::new(),
            admission: Admission::default(),
            refusals,
            timers: Timers::default(),
            draining: false,
        }
    }

    /// Runs until told to stop, then until what is in hand is written.
    pub async fn run(mut self, heartbeat: Heartbeat, stop: CancellationToken) {
        let mut deadline: Option<Instant> = None;
        loop {
            if self.draining && (self.in_hand() == 0 || deadline.is_some_and(|it| Instant::now() >= it)) {
                break;
            }
            heartbeat.beat();
            let timer = self.timers.next();
            tokio::select! {
                message = self.mailbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => break,
                },
                () = sleep_until(timer), if !self.timers.is_empty() => self.due(),
                () = stop.cancelled(), if !self.draining => {
                    self.draining = true;
                    self.admission.draining = true;
                    deadline = Some(Instant::now() + DRAIN);
                }
                // Looks again whether all is written.
                () = tokio::time::sleep(Duration::from_millis(50)), if self.draining => {}
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
        }
        let left = self.in_hand();
        if left > 0 {
            tracing::warn!(left, "shutting down with unfinished writes: the next start adopts these jobs");
        }
        heartbeat.retire();
        self.jobs.clear(); // the writers finish their queues and end
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Offer(offer) => self.offered(*offer),
            Message::Event(name, event) => self.event(&name, event),
            Message::Recorded(name, uid) => {
                if let Some(record) = self.jobs.get_mut(&name) {
                    record.uid = Some(uid);
                }
                self.event(&name, Event::Recorded);
            }
            Message::Claimed(name, claim) => self.claimed(&name, claim),
            Message::PodCreated(name, pod) => {
                // One that came too late is no pod of the job: it is removed.
                if let Some(record) = self.jobs.get_mut(&name).filter(|it| it.job.outcome().is_none()) {
                    record.pod = Some(pod);
                    record.cluster_words = None; // they were about its not being there
                    record.trace.wait();
                }
                self.event(&name, Event::PodCreated);
            }
            Message::Cancelled(job_id, timeout) => self.cancelled(&job_id, timeout),
            Message::ClusterWords(name, words) => {
                if let Some(record) = self.jobs.get_mut(&name) {
                    record.cluster_words = Some(words);
                }
            }
            Message::PodSeen(pod) => self.pod_seen(&pod),
            Message::PodGone(pod) => self.pod_gone(&pod),
            Message::PodsListed(uids) => self.pods_listed(&uids),
            Message::JobSeen(object) => self.job_seen(&object),
            Message::JobGone(name) => self.job_gone(&name),
            Message::Group(group, pool) => {
                let name = group.id.name.clone();
                let known = self.groups.insert(name.clone(), (group.clone(), pool.clone()));
                if known.is_none_or(|(_, before)| !before.is_of_same_pool(&pool)) {
                    self.intakes.remove(&name); // a new pool knows of nothing
                }
                let waiting = self.jobs.values_mut().filter(|it| it.offer.group.name == name);
                waiting.for_each(|it| it.follow(&group));
                self.hold_or_let_listen(&name);
                self.publish(&name);
            }
            Message::GroupGone(name) => {
                self.groups.remove(&name);
                self.intakes.remove(&name);
                self.withheld.remove(&name);
                self.admission.forget(&name);
                self.refusals.send_if_modified(|it| it.remove(&name).is_some());
            }
            Message::Quotas(quotas) => {
                self.admission.quotas(quotas);
                let groups: Vec<String> = self.groups.keys().cloned().collect();
                groups.iter().for_each(|it| self.hold_or_let_listen(it));
            }
            Message::DryRun(asked) => self.dry_run(asked),
            Message::Adopt(adopted) => self.adopt(*adopted),
        }
    }

    /// Jobs between two writes, which a process that ends should not leave there.
    fn in_hand(&self) -> usize {
        let between = |it: &&JobInHand| match it.job.phase() {
            Phase::Recording | Phase::Acquiring { .. } => true,
            Phase::Storing { .. } | Phase::Creating { .. } => it.job.is_placing_now(),
            Phase::Finished(_, settlement) => !settlement.is_put_off(),
            _ => false,
        };
        self.jobs.values().filter(between).count()
    }

    fn offered(&mut self, offer: Offer) {
        let now = self.clock.now();
        let name = offer.name.clone();
        let Some(group) = offer.spec.clone() else { return self.release(&offer) };
        if self.jobs.contains_key(&name) || self.known.contains(name.as_str()) {
            return self.release(&offer);
        }
        let throttled = self.admission.is_throttled(&group.id.name, Instant::now());
        let asked = Instant::now();
        let verdict = self.admission.admit(&group, throttled, self.jobs.values());
        self.reporter.admission(&group.id, &verdict, asked.elapsed());
        let Verdict::Admitted { priority_class } = verdict else { return self.decline(&offer, &group) };
        self.admission.goes_first(&group.id.name, &name);
        let job = Job::offered(group.policy.clone(), name.seed(), now);
        let active = self.admission.active(&group.id.name);
        let writer = self.executor.writer(None);
        self.jobs.insert(name.clone(), JobInHand::new(job, offer, priority_class, active, writer));
        self.event(&name, Event::Admitted);
    }

    /// The agent goes on listening.
    fn release(&self, offer: &Offer) {
        self.tell_agent(&offer.name, &offer.group.name, effect::Agent::Release, &offer.source);
    }

    fn tell_pool(&self, group: &str, message: agents::Message) {
        if let Some((_, pool)) = self.groups.get(group) {
            pool.tell(message);
        }
    }

    fn claimed(&mut self, name: &RunnerJobName, claim: Arc<AcquiredJob>) {
        let locked_until = claim.locked_until(self.clock.now());
        if let Some(record) = self.jobs.get_mut(name) {
            record.claimed(&claim, &self.reporter);
        }
        self.event(name, Event::Acquired { locked_until });
    }

    fn cancelled(&mut self, job_id: &JobId, timeout: SignedDuration) {
        let ours = |it: &JobInHand| {
            it.identity.as_ref().is_some_and(|it| it.job_id.eq_ignore_ascii_case(job_id.as_str()))
        };
        let names: Vec<RunnerJobName> =
            self.jobs.iter().filter(|(_, it)| ours(it)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.event(&name, Event::Cancelled { timeout });
        }
    }

    fn adopt(&mut self, adopted: Adopted) {
        let now = self.clock.now();
        let Adopted { offer, object, claim, pod, found } = adopted;
        let name = offer.name.clone();
        let (job, effects) = Job::recover(offer.policy(), name.seed(), found, now);
        let writer = self.executor.writer(Some(object.clone()));
        let class = object.spec.priority_class_name.clone();
        let active = self.admission.active(&offer.group.name);
        let mut record = JobInHand::new(job, offer, class, active, writer);
        record.uid = object.metadata.uid.clone();
        let memory = Memory::read(object.status.as_ref());
        record.pod = pod.as_deref().map(PodFacts::of).or_else(|| memory.pod.map(PodFacts::of_vanished));
        record.rejected_pod = memory.rejected_pod.map(PodFacts::of_vanished);
        record.cluster_words = memory.words;
        record.identity = memory.identity;
        if let Some(claim) = claim {
            record.claimed(&claim, &self.reporter);
            record.payload_stored(); // that is where it was read
        }
        let phase = <&str>::from(record.job.summary());
        job_line!(info, record.line(), phase, "adopted RunnerJob");
        self.jobs.insert(name.clone(), record);
        self.apply(&name, effects, now);
    }

    fn due(&mut self) {
        while let Some((name, timer)) = self.timers.take_due(Instant::now()) {
            self.event(&name, Event::Due(timer));
        }
    }

    fn event(&mut self, name: &RunnerJobName, event: Event) {
        let now = self.clock.now();
        let Some(record) = self.jobs.get_mut(name) else { return };
        if event == Event::PayloadStored {
            record.payload_stored();
        }
        let effects = record.job.handle(event, now);
        self.apply(name, effects, now);
    }

    /// Has every effect performed by whoever performs its kind.
    fn apply(&mut self, name: &RunnerJobName, effects: Vec<Effect>, now: Timestamp) {
        let Some(record) = self.jobs.get_mut(name) else { return };
        record.note_rejection();
        let offer = record.offer.clone();
        let group = offer.group.name.clone();
        let mut changes = Vec::new();
        let mut tasks = Vec::new();
        for effect in effects {
            match effect {
                Effect::Slot(change) => changes.push(change),
                Effect::Call(call) => self.executor.call(call, record.snapshot()),
                Effect::Write(write) => record.writer.write(write, record.snapshot()),
                Effect::Wake(timer, at) => self.timers.set(name.clone(), timer, at, now),
                Effect::Agent(task) => tasks.push(task),
                Effect::Report(fact) => record.report(&fact, &self.reporter),
            }
        }
        let stands = *record.job.phase() == Phase::Starting && !std::mem::replace(&mut record.stands, true);
        let words = cause(record.job.waiting().unwrap_or(Waiting::Pod), record.cluster_words.as_deref());
        if record.job.outcome().is_some() || record.job.is_over() {
            self.admission.over(&group, name);
        }
        if record.job.is_over() {
            self.jobs.remove(name);
        }
        for task in tasks {
            self.tell_agent(name, &group, task, &offer.source);
        }
        if !changes.is_empty() {
            let (now, seed) = (Instant::now(), self.clock.seed());
            for change in changes {
                self.admission.change(&group, change, now, seed);
                if change == Slot::Break {
                    self.pod_refused(&group, words.clone());
                }
            }
            self.hold_or_let_listen(&group);
            self.look_again_at_quotas(&group);
        }
        if stands {
            self.pod_placed(&group);
        }
        self.publish(&group);
    }

    /// Only the broker offers a job to an agent.
    fn tell_agent(&self, name: &RunnerJobName, group: &str, task: effect::Agent, source: &Source) {
        let Source::Broker(offer) = source;
        let agent = offer.agent.clone();
        match task {
            effect::Agent::Keep => self.tell_pool(group, agents::Message::Claimed(agent)),
            effect::Agent::Release => self.tell_pool(group, agents::Message::Released(agent)),
            effect::Agent::Replace => {
                // Without a pool nobody answers, and the wait is over at once.
                let (done, replaced) = oneshot::channel();
                self.tell_pool(group, agents::Message::Replace(agent, done));
                self.executor.await_replacement(name.clone(), replaced);
            }
        }
    }

    fn publish(&self, group: &str) {
        let of_group = self.jobs.values().filter(|it| it.offer.group.name == group && it.job.is_claimed());
        let running = of_group.clone().filter(|it| *it.job.phase() == Phase::Running).count();
        let active = of_group.count();
        if let Some((known, _)) = self.groups.get(group) {
            self.reporter.load(group, running, active, known.ceiling.limit());
        }
        self.states.update(group, |facts| {
            facts.active_jobs = active;
            facts.pending_jobs = active - running;
        });
    }
}
