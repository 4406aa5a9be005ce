//! Broker sessions and what their polls are answered (protocol §4).

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::State;
use super::agents::Fate;
use crate::envelope::{self, Encryption};

/// What a poll says about its runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Online,
    Busy,
    Offline,
}

impl Status {
    /// Reads the query parameter, in any case.
    pub(crate) fn from_query(text: &str) -> Option<Self> {
        [("online", Self::Online), ("busy", Self::Busy), ("offline", Self::Offline)]
            .into_iter()
            .find(|(word, _)| text.eq_ignore_ascii_case(word))
            .map(|(_, status)| status)
    }
}

/// One long-poll session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) agent: u64,
    pub(crate) owner: String,
    pub(crate) last_poll: Timestamp,
    /// Counts polls: only the latest one is answered with a message.
    turn: u64,
    pub(crate) parked: u32,
    inbox: VecDeque<Note>,
    key: Option<[u8; 32]>,
    /// The job that it is shown, unless that offer is closed by now. One at a time: others would keep jobs from
    /// sessions that could take them.
    offered: Option<u64>,
}

/// A message that waits for its session.
#[derive(Debug, Clone)]
pub(super) struct Note {
    kind: String,
    body: String,
    /// Cancellations reach a busy runner; nothing else does.
    urgent: bool,
}

/// A message on the wire.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) kind: String,
    pub(crate) body: String,
    pub(crate) iv: Option<String>,
}

/// Why a session is refused or a poll ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionError {
    /// The record was consumed: `401`.
    Unauthorized,
    /// The record was deleted.
    RunnerNotFound,
    /// No such session of this record.
    Invalid,
    /// The record has a session already.
    Conflict,
}

/// What a poll sees at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Poll {
    Message(Message),
    /// The record is gone: an empty 200, at once.
    Gone,
    /// A later poll of the session took over.
    Superseded,
    /// Nothing yet; look again at a change, or at this time.
    Wait(Option<Timestamp>),
}

impl State {
    /// Opens the session of an agent. Returns its id and `encryptionKey`.
    pub(crate) fn create_session(
        &mut self,
        agent_id: u64,
        owner: &str,
        os: Option<&str>,
        version: &str,
        now: Timestamp,
    ) -> Result<(Uuid, Option<Value>), SessionError> {
        self.check_alive(agent_id)?;
        if self.agents.get(&agent_id).is_some_and(|agent| agent.session.is_some()) {
            return Err(SessionError::Conflict);
        }
        let (id, key) = (self.ids.guid(), self.ids.bytes());
        let mode = self.settings.encryption;
        let agent = self.agents.get_mut(&agent_id).ok_or(SessionError::Unauthorized)?;
        let wrapped = envelope::session_key(mode, &key, &agent.key).unwrap_or_default();
        agent.session = Some(id);
        let inbox = std::mem::take(&mut agent.kept);
        let account = agent.scope.owner().to_owned();
        let session = Session {
            id,
            agent: agent_id,
            owner: owner.to_owned(),
            last_poll: now,
            turn: 0,
            parked: 0,
            inbox,
            key: (mode != Encryption::Off).then_some(key),
            offered: None,
        };
        self.sessions.insert(id, session);
        if mode != Encryption::Off {
            self.note_secret(&account, "session-key", STANDARD.encode(key));
        }
        self.note_connected(agent_id, os, version);
        self.touch();
        Ok((id, wrapped))
    }

    /// Ends the session of an agent, which is found by its token.
    pub(crate) fn delete_session(&mut self, agent: u64) -> Result<(), SessionError> {
        self.check_alive(agent)?;
        let session = self.agents.get(&agent).and_then(|agent| agent.session).ok_or(SessionError::Invalid)?;
        self.drop_session(session);
        Ok(())
    }

    /// Forgets a session and puts its offer back.
    pub(crate) fn drop_session(&mut self, id: Uuid) {
        self.withdraw_offer(id);
        if let Some(session) = self.sessions.remove(&id)
            && let Some(agent) = self.agents.get_mut(&session.agent)
        {
            agent.session = None;
            agent.kept.extend(session.inbox.into_iter().filter(|note| note.urgent));
        }
        self.touch();
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// A poll begins. Returns its turn, which [`State::poll`] and [`State::end_poll`] want back.
    pub(crate) fn begin_poll(&mut self, agent: u64, session: Uuid, now: Timestamp) -> u64 {
        let Some(session) = self.sessions.get_mut(&session).filter(|session| session.agent == agent) else {
            return 0;
        };
        session.turn += 1;
        session.parked += 1;
        session.last_poll = now;
        let (turn, others) = (session.turn, session.parked > 1);
        if others {
            self.touch(); // the earlier polls end now
        }
        turn
    }

    /// A poll was answered, or its client went away.
    pub(crate) fn end_poll(&mut self, session: Uuid, turn: u64, now: Timestamp) {
        if let Some(session) = self.sessions.get_mut(&session).filter(|_| turn > 0) {
            session.parked = session.parked.saturating_sub(1);
            session.last_poll = now;
        }
    }

    /// What a poll is answered at this moment.
    pub(crate) fn poll(
        &mut self,
        agent_id: u64,
        session_id: Uuid,
        turn: u64,
        status: Status,
        now: Timestamp,
    ) -> Result<Poll, SessionError> {
        let agent = self.agents.get_mut(&agent_id).ok_or(SessionError::Unauthorized)?;
        match &mut agent.fate {
            Fate::Alive => {}
            Fate::Deleted { .. } => return Err(SessionError::RunnerNotFound),
            Fate::Consumed { empty_polls: 0, .. } => return Err(SessionError::Unauthorized),
            Fate::Consumed { empty_polls, .. } => {
                *empty_polls -= 1;
                return Ok(Poll::Gone);
            }
        }
        let session = self
            .sessions
            .get_mut(&session_id)
            .filter(|session| session.agent == agent_id)
            .ok_or(SessionError::Invalid)?;
        if session.turn != turn {
            return Ok(Poll::Superseded);
        }
        let due = session.inbox.iter().position(|note| note.urgent || status == Status::Online);
        if let Some(note) = due.and_then(|index| session.inbox.remove(index)) {
            return Ok(Poll::Message(self.envelop(session_id, note)));
        }
        if status != Status::Online || agent.job.is_some() {
            return Ok(Poll::Wait(None));
        }
        Ok(self.offer(agent_id, session_id, now))
    }

    /// The job that a session is shown, if there is one.
    fn offer(&mut self, agent_id: u64, session_id: Uuid, now: Timestamp) -> Poll {
        let redelivery = self.settings.timers.redelivery();
        let offered = self.sessions.get(&session_id).and_then(|session| session.offered);
        let offer =
            offered.and_then(|id| self.jobs.get(&id)?.life.offers.get(&session_id).map(|offer| (id, offer)));
        if let Some((id, offer)) = offer.filter(|(_, offer)| offer.open) {
            let again = offer.delivered + redelivery;
            return match again <= now {
                true => self.deliver(id, agent_id, session_id, now),
                false => Poll::Wait(Some(again)),
            };
        }
        match self.next_job(agent_id) {
            Some(id) => self.deliver(id, agent_id, session_id, now),
            None => Poll::Wait(None),
        }
    }

    /// The oldest queued job that the agent fits and that few enough sessions are shown.
    fn next_job(&self, agent_id: u64) -> Option<u64> {
        let agent = self.agents.get(&agent_id)?;
        self.waiting.iter().copied().find(|id| {
            self.jobs.get(id).zip(self.run_of_job(*id)).is_some_and(|(job, run)| {
                job.life.open_offers() < self.settings.fan_out
                    && agent.fits(&run.repository, &job.plan.labels)
            })
        })
    }

    fn deliver(&mut self, job_id: u64, agent_id: u64, session_id: Uuid, now: Timestamp) -> Poll {
        let fresh = self.ids.guid();
        let equal = self.settings.equal_request_ids;
        let base = self.run_service_url(job_id);
        let Some(job) = self.jobs.get_mut(&job_id) else { return Poll::Wait(None) };
        let shared = job.life.offers.values().next().map(|offer| offer.request).filter(|_| equal);
        let request = job.life.deliver(session_id, agent_id, shared.unwrap_or(fresh), now);
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.offered = Some(job_id);
        }
        let id = self.ids.message();
        let body = json!({
            "id": id.to_string(),
            "runner_request_id": request,
            "should_acknowledge": true,
            "run_service_url": base,
            "billing_owner_id": super::message::BILLING_OWNER,
        });
        let note = Note { kind: "RunnerJobRequest".into(), body: body.to_string(), urgent: false };
        // Others that were offered the job at the same time may look for another one.
        self.touch();
        Poll::Message(self.envelop_as(id, session_id, note))
    }

    fn envelop(&mut self, session: Uuid, note: Note) -> Message {
        let id = self.ids.message();
        self.envelop_as(id, session, note)
    }

    fn envelop_as(&mut self, id: i64, session: Uuid, note: Note) -> Message {
        let iv: [u8; 16] = self.ids.bytes();
        let key = self.sessions.get(&session).and_then(|session| session.key);
        let encrypted = key.and_then(|key| envelope::encrypt(&key, &iv, &note.body).ok());
        match encrypted {
            Some(body) => Message { id, kind: note.kind, body, iv: Some(STANDARD.encode(iv)) },
            None => Message { id, kind: note.kind, body: note.body, iv: None },
        }
    }

    /// Puts a message of any kind into a session's inbox.
    pub(crate) fn send(&mut self, agent: u64, kind: &str, body: &Value, urgent: bool) -> bool {
        let session = self.agents.get(&agent).and_then(|agent| agent.session);
        let Some(session) = session.and_then(|id| self.sessions.get_mut(&id)) else { return false };
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        session.inbox.push_back(Note { kind: kind.to_owned(), body, urgent });
        self.touch();
        true
    }

    /// The same, urgent; an agent without a session gets it with its next one.
    pub(super) fn send_or_keep(&mut self, agent: u64, kind: &str, body: &Value) {
        if self.send(agent, kind, body, true) {
            return;
        }
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.kept.push_back(Note { kind: kind.to_owned(), body: body.to_string(), urgent: true });
        }
    }

    /// Whether a request id was ever shown to an agent; that is all that an acknowledgement is checked for.
    pub(crate) fn acknowledges(&self, agent: u64, request: Uuid) -> bool {
        self.job_of_request(agent, request).is_some()
    }

    pub(super) fn job_of_request(&self, agent: u64, request: Uuid) -> Option<u64> {
        self.jobs
            .values()
            .rev()
            .find(|job| {
                job.life.offers.values().any(|offer| offer.request == request && offer.agent == agent)
            })
            .map(|job| job.id)
    }

    /// Takes back what a session is shown.
    pub(super) fn withdraw_offer(&mut self, session_id: Uuid) {
        let offered = self.sessions.get_mut(&session_id).and_then(|session| session.offered.take());
        if let Some(job) = offered.and_then(|id| self.jobs.get_mut(&id)) {
            job.life.withdraw(session_id);
        }
    }

    fn check_alive(&self, agent: u64) -> Result<(), SessionError> {
        match self.agents.get(&agent).map(|agent| agent.fate) {
            Some(Fate::Alive) => Ok(()),
            Some(Fate::Deleted { .. }) => Err(SessionError::RunnerNotFound),
            Some(Fate::Consumed { .. }) | None => Err(SessionError::Unauthorized),
        }
    }

    pub(super) fn tick_sessions(&mut self, now: Timestamp) {
        let life = self.settings.timers.session();
        let idle = |session: &&Session| session.parked == 0 && session.last_poll + life <= now;
        let idle: Vec<Uuid> = self.sessions.values().filter(idle).map(|session| session.id).collect();
        for id in idle {
            self.drop_session(id);
        }
    }
}
