//! Does what a job's machine asks: calls GitHub, writes objects. Owns nothing but the calls under way.
//!
//! What is written for one job is written in order, by one task of that job; calls to GitHub go beside it. Every
//! answer becomes a message to the dispatcher.

mod broker;
mod calls;
mod complete;
mod rerun;
mod runner_job;
mod stops;
mod waits;
mod writer;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use api::RunnerJob;
use api::actions_gateway::NeverStarted;
use jiff::Timestamp;
use job::effect::{Call, Write};
use job::naming::RunnerJobName;
use job::{Event, Step, StepOutcome};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Api, Client};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::github::GitHub;
use crate::jobs::message::Message;
use crate::jobs::snapshot::JobSnapshot;
use crate::pod::build::Platform;
use crate::report::{Reporter, job_line};

/// Requests to the API server at once. Its own fairness gives one client about as many seats.
const API_CALLS: usize = 32;

/// Calls to GitHub at once, beside the polls: a storm of a thousand jobs renews a thousand locks a minute.
const GITHUB_CALLS: usize = 64;

/// Jobs whose end GitHub is being told at once. Apart from the calls: a report is repeated for minutes while GitHub is
/// in trouble, and no lock may lapse for it.
const REPORTS: usize = 64;

/// Writes of one job that wait to be done. A machine never has more than a dozen outstanding.
const QUEUE: usize = 64;

/// How long a settled job waits for its agent's successor, before it leaves that to the pool.
const REPLACEMENT: Duration = Duration::from_secs(120);

/// Where answers go, and what calls are made with. Shared by all tasks.
pub(crate) struct Shared {
    jobs: Api<RunnerJob>,
    pods: Api<Pod>,
    secrets: Api<Secret>,
    github: GitHub,
    platform: Arc<Platform>,
    never_started: NeverStarted,
    reporter: Reporter,
    dispatcher: mpsc::WeakSender<Message>,
    api_calls: Semaphore,
    github_calls: Semaphore,
    reports: Semaphore,
    /// The process ends: what fails now is left to the next start.
    ending: CancellationToken,
}

impl Shared {
    /// Tells the dispatcher. When it has ended nobody needs to know.
    async fn tell(&self, message: Message) {
        if let Some(dispatcher) = self.dispatcher.upgrade() {
            let _ = dispatcher.send(message).await;
        }
    }

    async fn event(&self, name: &RunnerJobName, event: Event) {
        self.tell(Message::Event(name.clone(), event)).await;
    }

    fn now(&self) -> Timestamp {
        self.github.clock.now()
    }
}

/// Starts what is asked for. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// The task that writes for one job.
#[derive(Debug, Clone)]
pub struct JobWriter {
    /// In this order.
    writes: mpsc::Sender<(Write, JobSnapshot)>,
    /// What the job waits for, beside them: only the last counts.
    waits: watch::Sender<Option<JobSnapshot>>,
}

impl JobWriter {
    /// Does this after everything that was asked for before; the answer comes as a message.
    pub fn write(&self, write: Write, snapshot: JobSnapshot) {
        if write == Write::PatchWaiting {
            self.waits.send_replace(Some(snapshot));
        } else if let Err(refused) = self.writes.try_send((write, snapshot)) {
            let (_, snapshot) = refused.into_inner();
            // Cannot happen while the machine keeps to its bound; the next start would mend it.
            job_line!(error, snapshot.line(), "failed to queue a write of the job: the queue is full");
        }
    }
}

impl Executor {
    /// Answers go to `dispatcher`, which does not outlive its own handles for it.
    #[must_use]
    pub fn new(
        client: Client,
        github: GitHub,
        platform: Arc<Platform>,
        never_started: NeverStarted,
        reporter: Reporter,
        dispatcher: mpsc::WeakSender<Message>,
    ) -> Self {
        let namespace = platform.namespace.clone();
        let shared = Shared {
            jobs: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client.clone(), &namespace),
            secrets: Api::namespaced(client, &namespace),
            github,
            platform,
            never_started,
            reporter,
            dispatcher,
            api_calls: Semaphore::new(API_CALLS),
            github_calls: Semaphore::new(GITHUB_CALLS),
            reports: Semaphore::new(REPORTS),
            ending: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared), tasks: TaskTracker::new() }
    }

    /// Begins to write for a job; `found` is its `RunnerJob` when a predecessor wrote it. Ends when the writer is
    /// dropped and everything that was asked for is done.
    #[must_use]
    pub fn writer(&self, found: Option<RunnerJob>) -> JobWriter {
        let (writes, queue) = mpsc::channel(QUEUE);
        let (waits, asked) = watch::channel(None);
        self.tasks.spawn(writer::run(self.shared.clone(), queue, asked, found));
        JobWriter { writes, waits }
    }

    /// Calls GitHub, beside everything else; the answer comes as a message.
    pub fn call(&self, call: Call, snapshot: JobSnapshot) {
        let shared = self.shared.clone();
        match call {
            Call::AcquireJob => drop(self.tasks.spawn(calls::acquire(shared, snapshot))),
            Call::RenewJob => drop(self.tasks.spawn(calls::renew(shared, snapshot))),
            Call::GetRunner => drop(self.tasks.spawn(calls::look_whether_acquired(shared, snapshot))),
            Call::CompleteJob(what) => drop(self.tasks.spawn(complete::tell(shared, snapshot, what))),
            Call::RerunFailedJobs => drop(self.tasks.spawn(rerun::rerun_failed_jobs(shared, snapshot))),
        }
    }

    /// Waits until the agent's place has another, or puts that off; a pool that is gone needs none.
    pub fn await_replacement(&self, name: RunnerJobName, replaced: oneshot::Receiver<()>) {
        let shared = self.shared.clone();
        self.tasks.spawn(async move {
            // Late, or never: the pool goes on by itself.
            let _ = timeout(REPLACEMENT, replaced).await;
            shared.event(&name, Event::StepTaken(Step::ReplaceAgent, StepOutcome::Done)).await;
        });
    }

    /// Removes our finalizer from a `RunnerJob` that somebody deleted and that has no machine.
    pub fn release(&self, record: Arc<RunnerJob>) {
        let shared = self.shared.clone();
        self.tasks.spawn(async move { runner_job::release(&shared, &record).await });
    }

    /// Waits until everything that was asked for is done. A write that fails from here on is not tried again.
    pub async fn finish(&self) {
        self.shared.ending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
