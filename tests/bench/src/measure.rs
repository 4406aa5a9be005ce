//! What is measured, in its order: starts, rest, one job after another, many sessions.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use crate::controller::{Controller, Installation};
use crate::figures::{Figure, count, millis};
use crate::github::{Asked, GitHub};
use crate::kubelet::Kubelet;
use crate::tally::Tally;
use crate::timeline::{figures, timelines};
use crate::wait::until;
use crate::world::World;

/// GitHub allows no larger matrix.
const MATRIX: usize = 256;
/// One job, from its push to its last write but the reaper's.
const JOB: Duration = Duration::from_secs(30);
/// The reaper looks every few seconds.
const REAPED: Duration = Duration::from_secs(30);
/// A session for each of a thousand jobs, on a slow machine.
const SESSIONS: Duration = Duration::from_secs(600);
/// After a burst, until what it left in hand is done and allocators have settled.
const SETTLE: Duration = Duration::from_secs(5);

/// Jobs before those that count: by then every place of the pool has had its agent, one more than there are listeners.
const WARM_UP: usize = 20;

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Amounts {
    /// How often the controller is started.
    #[arg(long, default_value_t = 10)]
    pub starts: usize,
    /// How many seconds it is left at rest, and with many sessions.
    #[arg(long, default_value_t = 60)]
    pub rest: u64,
    /// How many jobs run one after another.
    #[arg(long, default_value_t = 200)]
    pub jobs: usize,
    /// How many sessions are held at the same time.
    #[arg(long, default_value_t = 1000)]
    pub sessions: usize,
}

/// One world under measurement.
pub struct Bench<'a> {
    /// The API server.
    pub world: &'a World,
    /// GitHub.
    pub github: &'a GitHub,
    /// The nodes.
    pub kubelet: Kubelet,
    /// The controller's installation.
    pub installation: Installation,
    /// How much.
    pub amounts: &'a Amounts,
    /// The figures so far.
    pub figures: Vec<Figure>,
}

impl Bench<'_> {
    /// Measures everything; the calls of the jobs that ran one at a time are for the caller to judge.
    ///
    /// # Errors
    /// Something does not come about within its limit, or breaks a contract.
    pub async fn run(&mut self) -> Result<Tally> {
        self.starts().await?;
        let mut controller = self.installation.start()?;
        controller.ready().await?;
        self.listening(0).await?;
        self.at_rest(&controller).await?;
        let tally = self.jobs().await?;
        self.weigh(&controller, &format!("1 session, after {} jobs", self.amounts.jobs))?;
        self.sessions(&mut controller).await?;
        let sessions = self.amounts.sessions;
        let stopped = controller.stop().await?;
        self.figures.push(Figure::single(&format!("SIGTERM → exit, {sessions} sessions"), "ms", stopped));
        self.github.check().await?;
        Ok(tally)
    }

    /// The first start registers an agent; the others find theirs.
    async fn starts(&mut self) -> Result<()> {
        let (mut ready, mut listening, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..=self.amounts.starts {
            let since = self.github.now().await?;
            let mut controller = self.installation.start()?;
            let answered = millis(controller.started, controller.ready().await?);
            let polled = millis(controller.started, self.listening(since).await?);
            if number == 0 {
                self.figures.push(Figure::single("start → first poll, registering", "ms", polled));
            } else {
                ready.push(answered);
                listening.push(polled);
            }
            let took = controller.stop().await?;
            stopped.push(took);
        }
        self.figures.extend(Figure::of("start → ready", "ms", ready));
        self.figures.extend(Figure::of("start → first poll", "ms", listening));
        self.figures.extend(Figure::of("SIGTERM → exit, 1 session", "ms", stopped));
        Ok(())
    }

    /// When the first poll after this request arrived.
    async fn listening(&self, since: u64) -> Result<Timestamp> {
        let poll = |it: &Asked| it.endpoint.as_deref() == Some("B2");
        until("a poll", JOB, async || {
            Ok(self.github.requests(since).await?.iter().find(|it| poll(it)).map(|it| it.time))
        })
        .await
    }

    async fn at_rest(&mut self, controller: &Controller) -> Result<()> {
        sleep(SETTLE).await;
        let start = Timestamp::now();
        self.processor(controller, "1 session").await?;
        self.weigh(controller, "1 session")?;
        let calls = self.world.calls.since(start)?;
        let writes = calls.iter().filter(|it| it.is_write() && it.resource != "leases").count();
        let reads =
            calls.iter().filter(|it| matches!(it.verb.as_str(), "get" | "list") && it.resource != "leases");
        let figure = Figure::single("writes at rest, without the Lease", "calls", count(writes));
        self.figures.push(figure);
        self.figures.push(Figure::single("reads at rest, without the Lease", "calls", count(reads.count())));
        Ok(())
    }

    /// One at a time, each when the one before is settled and somebody listens again. The first few make the pool of
    /// agents as large as it gets, which is no job's cost.
    async fn jobs(&mut self) -> Result<Tally> {
        self.work(WARM_UP).await?;
        let (since, start) = (self.github.now().await?, Timestamp::now());
        self.work(self.amounts.jobs).await?;
        let (asked, calls) = (self.github.requests(since).await?, self.world.calls.since(start)?);
        self.ways(start, "one at a time").await?;
        Ok(Tally::of(self.amounts.jobs, &calls, &asked))
    }

    /// Runs so many jobs, and returns when nothing is left of them to do.
    async fn work(&self, jobs: usize) -> Result<()> {
        for _ in 0..jobs {
            self.github.push(1).await?;
            until("a job's end", JOB, async || Ok(self.settled().await?.then_some(()))).await?;
        }
        let reaped = async || Ok(self.world.pods().await?.is_empty().then_some(()));
        until("the last pod's end", REAPED, reaped).await?;
        sleep(SETTLE).await;
        Ok(())
    }

    /// The way of every job that was claimed since `start`. The poll that was offered it may have begun before.
    async fn ways(&mut self, start: Timestamp, when: &str) -> Result<()> {
        let (asked, calls) = (self.github.requests(0).await?, self.world.calls.since(start)?);
        let ways = timelines(&self.world.runner_jobs().await?, &asked, &calls);
        self.figures.extend(figures(&ways, when));
        Ok(())
    }

    /// Nothing is queued or running at GitHub, no pod is held, and a new agent listens.
    async fn settled(&self) -> Result<bool> {
        let listens = self.github.listens_idly().await?;
        let held = |pod: &Value| pod["metadata"]["finalizers"].as_array().is_some_and(|it| !it.is_empty());
        Ok(listens && !self.world.pods().await?.iter().any(held))
    }

    /// Jobs that go on for ever, each of which keeps a session of its own, and one session that listens.
    async fn sessions(&mut self, controller: &mut Controller) -> Result<()> {
        self.kubelet.keep_running();
        let start = Timestamp::now();
        let wanted = self.amounts.sessions;
        let mut left = wanted.saturating_sub(1);
        while left > 0 {
            let jobs = left.min(MATRIX);
            self.github.push(jobs).await?;
            left -= jobs;
        }
        until("a session for each job", SESSIONS, async || {
            controller.process.check()?;
            sleep(Duration::from_millis(200)).await;
            Ok((self.github.parked().await? >= wanted).then_some(()))
        })
        .await?;
        let took = millis(start, Timestamp::now()) / 1000.0;
        self.figures.push(Figure::single(&format!("{wanted} sessions, from push to held polls"), "s", took));
        let connections = controller.process.connections_to(self.github.port)?;
        self.figures.push(Figure::single("TLS connections to GitHub then", "", count(connections)));
        sleep(SETTLE).await;
        self.ways(start, "in a burst").await?;
        self.processor(controller, &format!("{wanted} sessions")).await?;
        self.weigh(controller, &format!("{wanted} sessions"))
    }

    async fn processor(&mut self, controller: &Controller, when: &str) -> Result<()> {
        let before = controller.process.processor_ms()?;
        let rest = Duration::from_secs(self.amounts.rest);
        sleep(rest).await;
        let spent = controller.process.processor_ms()? - before;
        let name = format!("processor time a minute, {when}");
        self.figures.push(Figure::single(&name, "s", spent / 1000.0 / rest.as_secs_f64() * 60.0));
        Ok(())
    }

    fn weigh(&mut self, controller: &Controller, when: &str) -> Result<()> {
        let memory = controller.process.memory()?;
        let values = [
            ("resident", memory.resident),
            ("peak resident", memory.peak),
            ("proportional", memory.proportional),
            ("anonymous", memory.anonymous),
        ];
        let figures =
            values.map(|(name, value)| Figure::single(&format!("{name} memory, {when}"), "MiB", value));
        self.figures.extend(figures);
        Ok(())
    }
}
