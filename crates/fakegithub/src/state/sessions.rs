//! Broker sessions and what their polls are answered (protocol §4).

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
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
    /// The word of the query parameter.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Busy => "Busy",
            Self::Offline => "Offline",
        }
    }

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
    /// What that poll said.
    pub(crate) last_status: Option<Status>,
    /// Counts polls: only the latest one is answered with a message.
    turn: u64,
    pub(crate) parked: u32,
    inbox: VecDeque<Note>,
    key: Option<[u8; 32]>,
    /// The job that it was shown last. It is shown another one only when that one does not come again: others would
    /// keep jobs from sessions that could take them.
    pub(super) offered: Option<u64>,
}

/// A message that waits for its session.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) kind: String,
    pub(super) body: String,
    /// Cancellations reach a busy runner; nothing else does.
    pub(super) urgent: bool,
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
            last_status: None,
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
        session.last_status = Some(status);
        let due = session.inbox.iter().position(|note| note.urgent || status == Status::Online);
        if let Some(note) = due.and_then(|index| session.inbox.remove(index)) {
            return Ok(Poll::Message(self.envelop(session_id, note)));
        }
        let busy_offers = *self.settings.choices.busy_offers.of(agent.scope.owner());
        let takes = status == Status::Online || (status == Status::Busy && busy_offers);
        if !takes || agent.job.is_some() {
            return Ok(Poll::Wait(None));
        }
        Ok(self.offer(agent_id, session_id, now))
    }

    fn envelop(&mut self, session: Uuid, note: Note) -> Message {
        let id = self.ids.message();
        self.envelop_as(id, session, note)
    }

    pub(super) fn envelop_as(&mut self, id: i64, session: Uuid, note: Note) -> Message {
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
