//! The machine against a small model of GitHub, the agents' Secrets and the dispatcher, in any order of events.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::*;

mod steps;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Load(u32),
    Register(u32, u32),
    Clear(u32, u32),
}

impl Task {
    fn seat(self) -> u32 {
        match self {
            Self::Load(seat) | Self::Register(seat, _) | Self::Clear(seat, _) => seat,
        }
    }
}

/// What a Secret holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Agent(Agent),
    Consumed(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Alive,
    /// It died, or was deleted: nobody may connect with it, but a start cannot know that.
    Gone,
    /// Its job is over: nobody may ever connect with it.
    Consumed,
}

struct Open {
    /// What its polls say; none while it waits to hear what becomes of its offer.
    status: Option<Status>,
    is_open: bool,
    /// Polls in a row that failed.
    failed: u32,
}

/// A job from its offer to its end: whether it is claimed.
type Jobs = BTreeMap<AgentId, bool>;

/// Everything around the machine.
struct World {
    machine: Listeners,
    now: Timestamp,
    max_listeners: usize,
    intake: Intake,
    drained: bool,
    tasks: Vec<Task>,
    sessions: BTreeMap<(u32, u64), Open>,
    /// Who sits where, as the shell knows it.
    agents: HashMap<u32, Agent>,
    jobs: Jobs,
    fates: BTreeMap<AgentId, Fate>,
    stored: BTreeMap<u32, Stored>,
    /// The last generation that was registered for a seat.
    generations: HashMap<u32, u32>,
    timers: Vec<(Timer, Timestamp)>,
    /// Who asked for a replacement of whom.
    asked: HashMap<Ticket, AgentId>,
    /// How often writing had failed when that was first asked for.
    failed_before: HashMap<AgentId, usize>,
    tickets: u64,
    failures: HashMap<u32, usize>,
    foreign: HashSet<u32>,
}

impl World {
    fn new(max_listeners: usize) -> Self {
        let (machine, effects) = Listeners::start(max_listeners, Inherited::default(), 7, EPOCH);
        let mut world = Self {
            machine,
            now: EPOCH,
            max_listeners,
            intake: Intake::Open,
            drained: false,
            tasks: Vec::new(),
            sessions: BTreeMap::new(),
            agents: HashMap::new(),
            jobs: Jobs::new(),
            fates: BTreeMap::new(),
            stored: BTreeMap::new(),
            generations: HashMap::new(),
            timers: Vec::new(),
            asked: HashMap::new(),
            failed_before: HashMap::new(),
            tickets: 0,
            failures: HashMap::new(),
            foreign: HashSet::new(),
        };
        world.perform(effects, None);
        world
    }

    fn tell(&mut self, event: Event) {
        let effects = self.machine.handle(event.clone(), self.now);
        self.perform(effects, Some(&event));
        self.judge(&event);
    }

    /// Does what is asked, and holds each effect against what it may be.
    fn perform(&mut self, effects: Vec<Effect>, cause: Option<&Event>) {
        for effect in effects {
            let is_silent = matches!(effect, Effect::Replaced(_) | Effect::Close(_) | Effect::Abandon(_));
            assert!(is_silent || !self.drained, "{effect:?} after the drain");
            match effect {
                Effect::Load { seat } => self.begin(Task::Load(seat)),
                Effect::Register { seat, generation } => {
                    let last = self.generations.get(&seat).copied().unwrap_or_default();
                    assert!(generation > last, "seat {seat}: {generation} after {last}");
                    self.begin(Task::Register(seat, generation));
                }
                Effect::Clear { seat, generation } => self.begin(Task::Clear(seat, generation)),
                Effect::Discard(agent) => {
                    assert!(!self.jobs.contains_key(&agent.id), "{agent:?} has a job");
                    assert!(!self.has_session(agent.id.seat), "{agent:?} has a session");
                    self.fates.insert(agent.id, Fate::Gone);
                }
                Effect::Open { session, status, .. } => self.open(session, status),
                Effect::SetStatus(session, status) => {
                    let agent = self.agents[&session.seat].id;
                    assert_ne!(
                        self.jobs.get(&agent),
                        Some(&false),
                        "{agent:?} polls while its claim is open"
                    );
                    self.sessions.get_mut(&number(session)).expect("a session").status = Some(status);
                }
                Effect::Close(session) => {
                    let agent = self.agents[&session.seat].id;
                    assert!(!self.jobs.contains_key(&agent), "{session:?} is closed, and has a job");
                    assert!(self.fates[&agent] != Fate::Consumed, "{session:?} is GitHub's to drop");
                    self.sessions.remove(&number(session)).expect("a session");
                }
                Effect::Abandon(session) => {
                    let over = matches!(cause, Some(Event::Replace(it, _)) if it.seat == session.seat);
                    assert!(over || self.drained, "{session:?} is abandoned, and its job is not over");
                    self.sessions.remove(&number(session)).expect("a session");
                }
                Effect::Offer(session) => {
                    let agent = self.agents[&session.seat].id;
                    assert_eq!(self.jobs.insert(agent, false), None, "{agent:?} has a job");
                    self.sessions.get_mut(&number(session)).expect("a session").status = None;
                }
                Effect::Replaced(ticket) => self.replaced(ticket),
                Effect::Wake(timer, at) => {
                    assert!(at > self.now);
                    self.timers.push((timer, at));
                }
                Effect::Report(_) => {}
            }
        }
    }

    fn begin(&mut self, task: Task) {
        let seat = task.seat();
        assert!(self.tasks.iter().all(|it| it.seat() != seat), "{task:?} beside another task");
        assert!(!self.has_session(seat), "{task:?} beside a session");
        self.tasks.push(task);
    }

    fn open(&mut self, session: SessionKey, status: Status) {
        assert!(!self.has_session(session.seat), "{session:?} is the seat's second session");
        let agent = self.agents[&session.seat];
        assert!(self.jobs.contains_key(&agent.id) || self.intake != Intake::Closed, "{agent:?} listens");
        let expected = match self.jobs.get(&agent.id) {
            Some(true) => Status::Busy,
            Some(false) => panic!("{agent:?} listens while its claim is open"),
            None => self.listening_status(),
        };
        assert_eq!(status, expected, "{agent:?}");
        assert!(
            self.jobs.contains_key(&agent.id) || self.fates[&agent.id] == Fate::Alive,
            "{agent:?} is of no use to anybody"
        );
        self.sessions.insert(number(session), Open { status: Some(status), is_open: false, failed: 0 });
    }

    fn replaced(&mut self, ticket: Ticket) {
        let agent = self.asked.remove(&ticket).expect("asked, and not answered before");
        let written = self.stored.get(&agent.seat).is_none_or(|it| match it {
            Stored::Agent(stored) => stored.id != agent,
            Stored::Consumed(_) => true,
        });
        let put_off = self.drained
            || self.failures.get(&agent.seat).copied().unwrap_or_default() > self.failed_before[&agent]
            || self.foreign.contains(&agent.seat)
            || matches!(self.machine.seats[agent.seat as usize], Seat::Parked { .. });
        assert!(written || put_off, "{agent:?} is still stored as if it had no job");
    }

    fn has_session(&self, seat: u32) -> bool {
        self.sessions.keys().any(|it| it.0 == seat)
    }

    fn listening_status(&self) -> Status {
        if self.intake == Intake::Open { Status::Online } else { Status::Busy }
    }

    /// What holds after each event.
    fn judge(&self, event: &Event) {
        let Listeners { seats, wanted, version_pause, .. } = &self.machine;
        if self.drained {
            assert!(self.sessions.is_empty() && self.asked.is_empty(), "left after the drain");
            return;
        }
        assert!((1..=self.max_listeners).contains(wanted), "{wanted} wanted after {event:?}");
        let known = seats.iter().filter_map(|it| match it {
            Seat::Session(session) => Some(number(session.key())),
            _ => None,
        });
        let open: BTreeSet<(u32, u64)> = self.sessions.keys().copied().collect();
        assert_eq!(known.collect::<BTreeSet<_>>(), open, "a session is open and forgotten, after {event:?}");
        let census = self.machine.census(self.now);
        self.judge_listening(census, event);
        let somebody = census.listening + census.opening + census.parked > 0;
        let may_listen = !*version_pause && self.intake != Intake::Closed;
        assert!(somebody || !may_listen, "nobody listens, or will, after {event:?}: {seats:?}");
        let preparing = seats.iter().filter(|it| matches!(it, Seat::Preparing { .. })).count();
        let under_way = self.tasks.iter().filter(|it| !matches!(it, Task::Clear(..))).count();
        assert_eq!(preparing, under_way, "a seat waits for nothing: {seats:?}");
        for ((seat, _), open) in &self.sessions {
            let expected = match self.jobs.get(&self.agents[seat].id) {
                Some(true) => Some(Status::Busy),
                Some(false) => None,
                None if self.intake == Intake::Closed => panic!("seat {seat} listens after {event:?}"),
                None => Some(self.listening_status()),
            };
            assert_eq!(open.status, expected, "seat {seat} after {event:?}");
        }
    }

    /// One that was offered a job does not poll, and what failed once is a question of time.
    fn judge_listening(&self, census: Census, event: &Event) {
        let count = |counts: &dyn Fn(&Open, bool) -> bool| {
            let sessions = self.sessions.iter().filter(|((seat, _), open)| {
                let job = self.jobs.get(&self.agents[seat].id);
                open.is_open && job != Some(&true) && counts(open, job.is_some())
            });
            sessions.count()
        };
        let surely = count(&|open, offered| offered || open.failed == 0);
        let perhaps = count(&|open, offered| offered || open.failed < 2);
        assert!((surely..=perhaps).contains(&census.listening), "{census:?} after {event:?}");
    }
}

fn number(session: SessionKey) -> (u32, u64) {
    (session.seat, session.number)
}
