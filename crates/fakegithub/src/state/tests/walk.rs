//! Random walks through the whole state: whatever clients do, its parts agree with each other.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::state::claims::Completion;
use crate::state::life::Phase;

#[derive(Debug, Clone)]
enum Step {
    Submit,
    Open(usize),
    Close(usize),
    Poll(usize),
    Acquire(usize),
    Start(usize),
    Complete(usize, Conclusion),
    Cancel(usize),
    Force(usize),
    Rerun(usize),
    Delete(usize),
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let n = 0usize..4;
    let one = prop_oneof![
        2 => Just(Step::Submit),
        3 => n.clone().prop_map(Step::Open),
        1 => n.clone().prop_map(Step::Close),
        6 => n.clone().prop_map(Step::Poll),
        5 => n.clone().prop_map(Step::Acquire),
        2 => n.clone().prop_map(Step::Start),
        2 => (n.clone(), prop_oneof![Just(Conclusion::Success), Just(Conclusion::Failure)])
            .prop_map(|(n, conclusion)| Step::Complete(n, conclusion)),
        1 => n.clone().prop_map(Step::Cancel),
        1 => n.clone().prop_map(Step::Force),
        2 => n.clone().prop_map(Step::Rerun),
        1 => n.prop_map(Step::Delete),
    ];
    // Mostly seconds, sometimes long enough for any timer.
    (one, prop_oneof![8 => 0i64..5, 1 => 60i64..1000])
}

/// A state with what its four clients remember.
struct Walk {
    state: State,
    now: Timestamp,
    agents: [u64; 4],
    /// What each client was offered last: the request and the number of the run service.
    offers: BTreeMap<usize, (Uuid, u64)>,
    runs: Vec<u64>,
}

impl Walk {
    fn new() -> Self {
        let mut state = state();
        let agents = std::array::from_fn(|n| register(&mut state, &format!("agent-{n}")));
        Self { state, now: EPOCH, agents, offers: BTreeMap::new(), runs: Vec::new() }
    }

    /// The client's record: a new one when the old one is gone.
    fn agent(&mut self, n: usize) -> u64 {
        if !self.state.agent(self.agents[n]).is_some_and(|agent| agent.is_alive()) {
            self.agents[n] = register(&mut self.state, &format!("agent-{n}"));
        }
        self.agents[n]
    }

    fn session(&self, agent: u64) -> Option<Uuid> {
        self.state.agent(agent)?.session
    }

    fn run(&self, n: usize) -> Option<u64> {
        self.runs.iter().rev().nth(n).copied()
    }

    fn play(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Submit => {
                let text =
                    "repository: acme/demo\njobs: {a: {runs-on: linux}, b: {runs-on: linux, needs: a}}\n";
                self.runs.push(self.state.submit(workflow::parse(text).unwrap(), now).unwrap());
            }
            Step::Open(n) => {
                let agent = self.agent(n);
                let _ = self.state.create_session(agent, "owner", None, "2.337.0", now);
            }
            Step::Close(n) => {
                let _ = self.state.delete_session(self.agents[n]);
            }
            Step::Poll(n) => self.poll(n),
            Step::Acquire(n) => {
                if let Some((request, service)) = self.offers.get(&n).copied() {
                    let _ = self.state.acquire(self.agents[n], request, service, now);
                }
            }
            Step::Start(n) => {
                if let Some(job) = self.state.agent(self.agents[n]).and_then(|agent| agent.job) {
                    self.state.update_steps(job, Vec::new(), now);
                }
            }
            Step::Complete(n, conclusion) => {
                if let Some(job) = self.state.agent(self.agents[n]).and_then(|agent| agent.job) {
                    let (plan, guid) = (self.state.plan_of(job), self.state.job(job).unwrap().guid);
                    let completion = Completion {
                        conclusion,
                        word: String::new(),
                        outputs: serde_json::json!({}),
                        annotations: Vec::new(),
                    };
                    self.state.complete(job, plan, guid, completion, now).unwrap();
                }
            }
            Step::Cancel(n) => drop(self.run(n).map(|run| self.state.cancel(run, now))),
            Step::Force(n) => drop(self.run(n).map(|run| self.state.force(run, Conclusion::Cancelled, now))),
            Step::Rerun(n) => drop(self.run(n).map(|run| self.state.rerun(run, Rerun::Failed, now))),
            Step::Delete(n) => {
                let _ = self.state.delete_agent(&Scope::Organization("acme".into()), self.agents[n], now);
            }
        }
    }

    fn poll(&mut self, n: usize) {
        let agent = self.agents[n];
        let Some(session) = self.session(agent) else { return };
        let turn = self.state.begin_poll(agent, session, self.now);
        if let Ok(Poll::Message(message)) = self.state.poll(agent, session, turn, Status::Online, self.now)
            && message.kind == "RunnerJobRequest"
        {
            let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            let request = Uuid::parse_str(body["runner_request_id"].as_str().unwrap()).unwrap();
            let service =
                body["run_service_url"].as_str().unwrap().trim_end_matches('/').rsplit('/').next().unwrap();
            self.offers.insert(n, (request, service.parse().unwrap()));
        }
        self.state.end_poll(session, turn, self.now);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let state = &self.state;
        for job in state.jobs.values() {
            prop_assert_eq!(state.open.contains(&job.id), !job.life.is_done());
            prop_assert_eq!(state.waiting.contains(&job.id), job.life.phase == Phase::Queued);
            prop_assert!(job.life.claims.len() <= 1 && job.life.open_offers() <= 1);
            prop_assert_eq!(job.completed.is_some(), job.life.is_done());
            if let (Phase::Claimed(_), Some(claim)) = (&job.life.phase, job.life.claims.first()) {
                prop_assert_eq!(state.agent(claim.agent).and_then(|agent| agent.job), Some(job.id));
            }
        }
        for agent in state.agents.values() {
            let pinned = agent.job.and_then(|job| state.job(job));
            prop_assert!(pinned.is_none_or(|job| !job.life.is_done() && agent.is_alive()));
            prop_assert!(
                agent.session.is_none_or(|id| state.sessions.get(&id).is_some_and(|it| it.agent == agent.id))
            );
        }
        for run in state.runs.values() {
            for attempt in &run.attempts {
                let over = attempt.jobs.iter().all(|id| state.job(*id).unwrap().life.is_done());
                prop_assert_eq!(attempt.conclusion.is_some(), over);
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_parts_of_the_state_agree(steps in prop::collection::vec(step(), 0..80)) {
        let mut walk = Walk::new();
        let mut ended: BTreeMap<(u64, u64), Option<Conclusion>> = BTreeMap::new();
        for (step, seconds) in steps {
            walk.now += SignedDuration::from_secs(seconds);
            walk.state.tick(walk.now);
            walk.play(&step);
            walk.check()?;
            for run in walk.state.runs.values() {
                for attempt in run.attempts.iter().filter(|attempt| attempt.conclusion.is_some()) {
                    let first = ended.entry((run.id, attempt.number)).or_insert(attempt.conclusion);
                    prop_assert_eq!(*first, attempt.conclusion);
                }
            }
        }
    }
}
