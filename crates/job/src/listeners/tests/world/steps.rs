//! What may happen to the world, in any order; the properties.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What one step of the world is.
#[derive(Debug, Clone)]
enum Step {
    /// A task ends.
    Ends(usize, Outcome),
    /// A session says something.
    Says(usize, Word),
    /// What was offered goes on.
    Goes(usize, Turn),
    Configured {
        max_listeners: usize,
        edited: bool,
        outdated: BTreeSet<u32>,
    },
    CredentialsBack,
    Intake(Intake),
    VersionChanged,
    /// Time passes, and timers come due.
    Passes(i64),
    /// Something is said again of an agent and a session that are long gone.
    Stray(usize, u64),
    /// The controller is killed, and another one starts.
    Restart,
    Drain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    OtherLabels,
    Failed,
    NoToken,
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Listening,
    /// Nobody is offered anything for long.
    Silence,
    Offer,
    RateLimited,
    Fails,
    Answered,
    VersionTooOld,
    Dead,
    Unusable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Claimed,
    Released,
    Over,
}

impl World {
    fn step(&mut self, step: Step) {
        let seats = self.machine.seats.len();
        self.go(step.clone());
        // Those that listen, those whose agent has a job or just had one, and those of others; or what is stored already.
        let clearing = self.tasks.iter().filter(|it| matches!(it, Task::Clear(..))).count();
        let in_use = self.machine.wanted + self.jobs.len() + clearing + self.foreign.len();
        let stored = self.stored.keys().max().map_or(0, |it| *it as usize + 1);
        let now = self.machine.seats.len();
        assert!(
            now <= seats || now <= in_use.max(stored),
            "{now} seats, {in_use} in use, {stored} stored, after {step:?}"
        );
    }

    fn go(&mut self, step: Step) {
        match step {
            Step::Ends(nth, outcome) if !self.tasks.is_empty() => {
                let task = self.tasks.swap_remove(nth % self.tasks.len());
                self.end(task, outcome);
            }
            Step::Says(nth, word) if !self.sessions.is_empty() => {
                let key = *self.sessions.keys().nth(nth % self.sessions.len()).unwrap();
                self.say(SessionKey { seat: key.0, number: key.1 }, word);
            }
            Step::Goes(nth, turn) if !self.jobs.is_empty() => {
                let (agent, claimed) = self.jobs.iter().nth(nth % self.jobs.len()).unwrap();
                self.turn(*agent, *claimed, turn);
            }
            Step::Configured { max_listeners, edited, outdated } => {
                self.max_listeners = max_listeners;
                self.tell(Event::Configured { max_listeners, edited, outdated });
            }
            Step::CredentialsBack => self.tell(Event::CredentialsBack),
            Step::Intake(intake) => {
                self.intake = intake;
                self.tell(Event::Intake(intake));
            }
            Step::VersionChanged => self.tell(Event::VersionChanged),
            Step::Passes(seconds) => self.pass(SignedDuration::from_secs(seconds)),
            Step::Stray(nth, number) => self.stray(nth, number),
            Step::Restart => self.restart(),
            Step::Drain => {
                self.drained = true;
                self.tell(Event::Drain);
            }
            Step::Ends(..) | Step::Says(..) | Step::Goes(..) => {}
        }
    }

    fn end(&mut self, task: Task, outcome: Outcome) {
        let fits = outcome != Outcome::OtherLabels;
        let failed = matches!(outcome, Outcome::Failed | Outcome::NoToken);
        let trouble = match outcome {
            Outcome::NoToken => Trouble::TokenUnavailable("no token".into()),
            _ => Trouble::Other("failed".into()),
        };
        if failed {
            *self.failures.entry(task.seat()).or_default() += 1;
        }
        let prepared = match task {
            Task::Clear(seat, generation) => {
                if !failed && self.stored.contains_key(&seat) {
                    self.stored.insert(seat, Stored::Consumed(generation));
                }
                return self.tell(Event::Cleared(seat));
            }
            _ if failed => Prepared::Failed(trouble),
            Task::Load(seat) if outcome == Outcome::Foreign && !self.stored.contains_key(&seat) => {
                self.foreign.insert(seat);
                Prepared::Foreign("somebody".into())
            }
            Task::Load(seat) => match self.stored.get(&seat).copied() {
                Some(Stored::Agent(agent)) => {
                    self.agents.insert(seat, agent);
                    Prepared::Loaded { agent, fits }
                }
                Some(Stored::Consumed(generation)) => Prepared::Nothing { generation },
                None => Prepared::Nothing { generation: FIRST_GENERATION },
            },
            Task::Register(seat, generation) => {
                let runner = RunnerId(self.fates.len() as u64 + 1);
                let agent = Agent { id: AgentId { seat, runner }, generation };
                self.fates.insert(agent.id, Fate::Alive);
                self.agents.insert(seat, agent);
                self.stored.insert(seat, Stored::Agent(agent));
                self.generations.insert(seat, generation);
                Prepared::Registered { agent, fits }
            }
        };
        self.tell(Event::Prepared(task.seat(), prepared));
    }

    fn say(&mut self, session: SessionKey, word: Word) {
        let heard = Heard { session, is_current: true };
        match word {
            Word::Listening => {
                let open = self.sessions.get_mut(&number(session)).unwrap();
                open.failed = if open.is_open { open.failed } else { 0 };
                open.is_open = true;
                self.tell(Event::Listening(session));
            }
            Word::Silence => self.silence(),
            Word::Offer => {
                self.sessions.get_mut(&number(session)).unwrap().failed = 0;
                self.tell(Event::Offered(heard));
            }
            Word::RateLimited => self.tell(Event::RateLimited(session)),
            Word::Fails => {
                self.sessions.get_mut(&number(session)).unwrap().failed += 1;
                self.tell(Event::PollFailed(session, "no route".into()));
            }
            Word::Answered => {
                self.sessions.get_mut(&number(session)).unwrap().failed = 0;
                self.tell(Event::Answered(session));
            }
            Word::VersionTooOld => {
                self.sessions.remove(&number(session));
                self.tell(Event::VersionRefused(session, "too old".into()));
            }
            Word::Dead | Word::Unusable => {
                self.sessions.remove(&number(session));
                self.fates.insert(self.agents[&session.seat].id, Fate::Gone);
                let death = Death { why: "shutdown", words: None };
                let is_dead = word == Word::Dead || self.jobs.contains_key(&self.agents[&session.seat].id);
                self.tell(if is_dead { Event::Dead(session, death) } else { Event::Unusable(session) });
            }
        }
    }

    fn silence(&mut self) {
        for (seat, number) in self.sessions.keys().copied().collect::<Vec<_>>() {
            let heard = Heard { session: SessionKey { seat, number }, is_current: true };
            self.sessions.get_mut(&(seat, number)).unwrap().failed = 0;
            for _ in 0..EMPTY_POLLS {
                self.tell(Event::EmptyPoll(heard));
            }
        }
    }

    fn turn(&mut self, agent: AgentId, claimed: bool, turn: Turn) {
        match (claimed, turn) {
            (false, Turn::Claimed) => {
                self.jobs.insert(agent, true);
                self.tell(Event::Claimed(agent));
            }
            (false, Turn::Released) => {
                self.jobs.remove(&agent);
                self.tell(Event::Released(agent));
            }
            (true, Turn::Over) => {
                self.jobs.remove(&agent);
                self.fates.insert(agent, Fate::Consumed);
                self.ask(agent);
            }
            _ => {}
        }
    }

    fn ask(&mut self, agent: AgentId) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let failures = self.failures.get(&agent.seat).copied().unwrap_or_default();
        self.failed_before.entry(agent).or_insert(failures);
        self.asked.insert(ticket, agent);
        self.tell(Event::Replace(agent, ticket));
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now += time;
        let (due, left) = self.timers.iter().partition(|(_, at)| *at <= self.now);
        self.timers = left;
        let due: Vec<(Timer, Timestamp)> = due;
        for (timer, _) in due {
            self.tell(Event::Due(timer));
        }
    }

    fn stray(&mut self, nth: usize, number: u64) {
        let is_gone = |it: &&AgentId| self.fates[it] != Fate::Alive && !self.jobs.contains_key(it);
        let gone: Vec<AgentId> = self.fates.keys().filter(is_gone).copied().collect();
        let Some(agent) = gone.get(nth % gone.len().max(1)).copied() else { return };
        for event in [Event::Claimed(agent), Event::Released(agent), Event::Due(Timer::Reopen(agent))] {
            self.tell(event);
        }
        self.ask(agent);
        let seat = agent.seat;
        if !self.sessions.contains_key(&(seat, number)) {
            let session = SessionKey { seat, number };
            self.tell(Event::Listening(session));
            self.tell(Event::Offered(Heard { session, is_current: true }));
            self.tell(Event::Dead(session, Death { why: "gone", words: None }));
        }
        if !self.tasks.iter().any(|it| it.seat() == seat) {
            self.tell(Event::Cleared(seat));
            self.tell(Event::Prepared(seat, Prepared::Failed(Trouble::Other("late".into()))));
        }
    }

    /// A `RunnerJob` says what became of the agent that it names.
    fn restart(&mut self) {
        let of = |claimed: bool| -> HashSet<RunnerId> {
            self.jobs.iter().filter(|(_, it)| **it == claimed).map(|(agent, _)| agent.runner).collect()
        };
        let consumed =
            self.fates.iter().filter(|(_, it)| **it == Fate::Consumed).map(|(agent, _)| agent.runner);
        let inherited = Inherited {
            busy: of(true),
            reserved: of(false),
            consumed: consumed.collect(),
            seats: self.jobs.keys().map(|it| it.seat).collect(),
        };
        self.fates.values_mut().filter(|it| **it == Fate::Gone).for_each(|it| *it = Fate::Alive);
        (self.intake, self.drained) = (Intake::Open, false);
        self.tasks.clear();
        self.sessions.clear();
        self.agents.clear();
        self.timers.clear();
        self.asked.clear();
        let (machine, effects) = Listeners::start(self.max_listeners, inherited, 7, self.now);
        self.machine = machine;
        self.perform(effects, None);
    }

    /// Nothing fails any more, and everybody answers.
    fn calm_down(&mut self) {
        self.step(Step::Intake(Intake::Open));
        for _ in 0..12 {
            self.tell(Event::VersionChanged);
            self.pass(SignedDuration::from_mins(10));
            let max_listeners = self.max_listeners;
            self.tell(Event::Configured { max_listeners, edited: false, outdated: BTreeSet::new() });
            while let Some(task) = self.tasks.pop() {
                self.end(task, Outcome::Good);
            }
            let silent: Vec<(u32, u64)> =
                self.sessions.iter().filter(|(_, it)| !it.is_open).map(|(key, _)| *key).collect();
            for (seat, number) in silent {
                self.say(SessionKey { seat, number }, Word::Listening);
            }
        }
        for (seat, number) in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.say(SessionKey { seat, number }, Word::Answered);
        }
        assert!(self.machine.census(self.now).listening > 0, "nobody listens: {:?}", self.machine);
        assert!(self.asked.is_empty(), "not answered: {:?}", self.asked);
        for (agent, _) in self.jobs.iter().filter(|(_, claimed)| **claimed) {
            assert!(self.has_session(agent.seat), "{agent:?} is deaf: {:?}", self.machine);
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        20 => Just(Outcome::Good),
        1 => Just(Outcome::OtherLabels),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::NoToken),
        1 => Just(Outcome::Foreign),
    ];
    let word = prop_oneof![
        12 => Just(Word::Listening),
        4 => Just(Word::Silence),
        8 => Just(Word::Offer),
        1 => Just(Word::RateLimited),
        4 => Just(Word::Fails),
        2 => Just(Word::Answered),
        1 => Just(Word::VersionTooOld),
        2 => Just(Word::Dead),
        1 => Just(Word::Unusable),
    ];
    let turn = prop_oneof![3 => Just(Turn::Claimed), 1 => Just(Turn::Released), 3 => Just(Turn::Over)];
    let intake = prop_oneof![Just(Intake::Open), Just(Intake::Held), Just(Intake::Closed)];
    let seats = proptest::collection::btree_set(0u32..8, 0..8);
    prop_oneof![
        20 => (any::<usize>(), outcome).prop_map(|(nth, it)| Step::Ends(nth, it)),
        20 => (any::<usize>(), word).prop_map(|(nth, it)| Step::Says(nth, it)),
        20 => (any::<usize>(), turn).prop_map(|(nth, it)| Step::Goes(nth, it)),
        4 => (1usize..6, any::<bool>(), seats).prop_map(|(max_listeners, edited, outdated)| {
            Step::Configured { max_listeners, edited, outdated }
        }),
        1 => Just(Step::CredentialsBack),
        3 => intake.prop_map(Step::Intake),
        2 => Just(Step::VersionChanged),
        4 => (0i64..10).prop_map(Step::Passes),
        2 => (0i64..700).prop_map(Step::Passes),
        4 => (any::<usize>(), 0u64..40).prop_map(|(nth, number)| Step::Stray(nth, number)),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// No step breaks what [`World::perform`] and [`World::judge`] hold, and in the end somebody listens, everybody is
    /// answered, and no busy agent is deaf.
    #[test]
    fn ag1_to_ag7_hold_whatever_happens(max_listeners in 1usize..6, steps in vec(any_step(), 0..120)) {
        let mut world = World::new(max_listeners);
        steps.into_iter().for_each(|it| world.step(it));
        world.calm_down();
    }

    #[test]
    fn ag8_a_drain_ends_every_session_and_nothing_begins_after_it(
        max_listeners in 1usize..6,
        before in vec(any_step(), 0..60),
        after in vec(any_step(), 0..20),
    ) {
        let mut world = World::new(max_listeners);
        before.into_iter().for_each(|it| world.step(it));
        world.step(Step::Drain);
        world.tasks.clear(); // nobody hears of their end
        after.into_iter().filter(|it| !matches!(it, Step::Restart)).for_each(|it| world.step(it));
    }
}
