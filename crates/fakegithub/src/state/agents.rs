//! Runner records (protocol §2.3 to §2.6): minted offline, good for one job.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::State;
use super::grants::Subject;
use super::sessions::Note;
use crate::jwt::{Error as JwtError, Parsed};
use crate::rsa::{RsaKey, Scheme};
use crate::settings::JitDialect;

/// How long a dead record is remembered, so that its session can decay as GitHub's do. Not scaled.
const MEMORY: SignedDuration = SignedDuration::from_mins(10);

/// Where a runner is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Organization(String),
    Repository { owner: String, name: String },
}

impl Scope {
    pub(crate) fn owner(&self) -> &str {
        match self {
            Scope::Organization(owner) | Scope::Repository { owner, .. } => owner,
        }
    }

    /// Names are compared without regard to case, as GitHub does.
    pub(crate) fn same(&self, other: &Scope) -> bool {
        match (self, other) {
            (Scope::Organization(a), Scope::Organization(b)) => a.eq_ignore_ascii_case(b),
            (Scope::Repository { owner: a, name: m }, Scope::Repository { owner: b, name: n }) => {
                a.eq_ignore_ascii_case(b) && m.eq_ignore_ascii_case(n)
            }
            _ => false,
        }
    }

    /// Whether a runner registered here may run jobs of `owner/name`.
    fn serves(&self, repository: &str) -> bool {
        let Some((job_owner, job_name)) = repository.split_once('/') else { return false };
        match self {
            Scope::Organization(owner) => owner.eq_ignore_ascii_case(job_owner),
            Scope::Repository { owner, name } => {
                owner.eq_ignore_ascii_case(job_owner) && name.eq_ignore_ascii_case(job_name)
            }
        }
    }
}

/// Whether a record still is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Alive,
    /// Its job ended: some more polls are answered with nothing, then it is unknown everywhere.
    Consumed {
        empty_polls: u32,
        since: Timestamp,
    },
    /// Removed by R6.
    Deleted {
        since: Timestamp,
    },
}

/// A runner record.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) group: u64,
    pub(crate) labels: Vec<String>,
    pub(crate) scope: Scope,
    pub(crate) client_id: String,
    pub(crate) key: Arc<RsaKey>,
    pub(crate) scheme: Scheme,
    pub(crate) os: String,
    pub(crate) version: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) fate: Fate,
    pub(crate) session: Option<Uuid>,
    /// The unfinished job that it claimed.
    pub(crate) job: Option<u64>,
    /// Cancellations that no session has taken yet.
    pub(super) kept: VecDeque<Note>,
    connected: bool,
    /// Token calls that still fail because the registration has not spread.
    unknown_calls: u32,
}

impl Agent {
    pub(crate) fn is_alive(&self) -> bool {
        self.fate == Fate::Alive
    }

    /// Whether it could run a job of `repository` that asks for `labels`.
    pub(crate) fn fits(&self, repository: &str, labels: &[String]) -> bool {
        self.scope.serves(repository)
            && labels.iter().all(|label| self.labels.iter().any(|own| own.eq_ignore_ascii_case(label)))
    }

    /// Where it gets its tokens. Part of `.credentials`, and the `aud` of its assertions.
    pub(crate) fn authorization_url(&self, base: &str) -> String {
        format!("{base}/tenant-1/_apis/oauth2/token/{}", self.client_id)
    }

    /// The same at the service that tokens move to (protocol §3.3).
    pub(crate) fn authorization_url_v2(&self, base: &str) -> String {
        format!("{base}/tenant-1/_apis/oauth2/v2/token/{}", self.client_id)
    }
}

/// Why a runner is not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameTaken;

/// Why a runner cannot be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeleteError {
    NotFound,
    Busy(String),
}

/// Why a runner gets no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Unknown, consumed or deleted.
    NoClient,
    /// Known, but not everywhere yet (protocol §2.4).
    Spreading,
    /// The times are off.
    Clock(JwtError),
    /// Anything else about the assertion.
    Assertion(JwtError),
    /// Asked at the address that tokens have moved away from.
    Moved,
}

/// At which address a token is asked for (protocol §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenService {
    /// `authorizationUrl`.
    First,
    /// `authorizationUrlV2`.
    Second,
}

impl State {
    pub(crate) fn register_agent(
        &mut self,
        scope: Scope,
        name: &str,
        group: u64,
        labels: Vec<String>,
        key: Arc<RsaKey>,
        now: Timestamp,
    ) -> Result<&Agent, NameTaken> {
        if self.agent_named(&scope, name).is_some() {
            return Err(NameTaken);
        }
        let dialect = *self.settings.choices.jit_dialect.of(scope.owner());
        let fips = self.settings.fips && dialect != JitDialect::MissingKeys;
        let scheme = if fips { Scheme::Pss } else { Scheme::Pkcs1 };
        let id = self.ids.runner();
        let agent = Agent {
            id,
            name: name.to_owned(),
            group,
            labels,
            scope,
            client_id: self.ids.guid().to_string(),
            key,
            scheme,
            os: "unknown".into(),
            version: None,
            created: now,
            fate: Fate::Alive,
            session: None,
            job: None,
            kept: VecDeque::new(),
            connected: false,
            unknown_calls: self.settings.propagation_calls,
        };
        Ok(self.agents.entry(id).or_insert(agent))
    }

    /// The live record of that name in a scope.
    pub(crate) fn agent_named(&self, scope: &Scope, name: &str) -> Option<&Agent> {
        self.agents_of(scope).find(|agent| agent.name.eq_ignore_ascii_case(name))
    }

    /// All live records of a scope.
    pub(crate) fn agents_of(&self, scope: &Scope) -> impl Iterator<Item = &Agent> {
        self.agents.values().filter(move |agent| agent.is_alive() && agent.scope.same(scope))
    }

    pub(crate) fn agent(&self, id: u64) -> Option<&Agent> {
        self.agents.get(&id)
    }

    pub(crate) fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// Removes a record for its owner (protocol §2.6).
    pub(crate) fn delete_agent(&mut self, scope: &Scope, id: u64, now: Timestamp) -> Result<(), DeleteError> {
        let agent = self
            .agents
            .get_mut(&id)
            .filter(|agent| agent.is_alive() && agent.scope.same(scope))
            .ok_or(DeleteError::NotFound)?;
        if agent.job.is_some() {
            return Err(DeleteError::Busy(agent.name.clone()));
        }
        agent.fate = Fate::Deleted { since: now };
        if let Some(session) = agent.session.take() {
            self.drop_session(session);
        }
        self.touch();
        Ok(())
    }

    /// The record did its job: GitHub forgets it (protocol §4.7).
    pub(crate) fn consume_agent(&mut self, id: u64, now: Timestamp) {
        let empty_polls = self.settings.empty_polls;
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.is_alive()) else { return };
        agent.fate = Fate::Consumed { empty_polls, since: now };
        agent.job = None;
        if let Some(session) = agent.session {
            self.withdraw_offer(session);
        }
        self.touch();
    }

    /// A record that opens a session shows what it is.
    pub(super) fn note_connected(&mut self, id: u64, os: Option<&str>, version: &str) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.connected = true;
            agent.version = Some(version.to_owned());
            if let Some(os) = os {
                agent.os = os.to_owned();
            }
        }
    }

    /// The runner whose client id that is, alive or not.
    pub(crate) fn agent_of_client(&self, client_id: &str) -> Option<&Agent> {
        self.agents.values().find(|agent| agent.client_id == client_id)
    }

    /// Judges a client assertion and mints a runner token (protocol §3).
    pub(crate) fn mint_runner(
        &mut self,
        service: TokenService,
        client_id: &str,
        assertion: &str,
        now: Timestamp,
    ) -> Result<(String, Timestamp), TokenError> {
        let migrated = &self.settings.choices.token_service_migrated;
        let agent = self
            .agents
            .values_mut()
            .find(|agent| agent.is_alive() && agent.client_id == client_id)
            .ok_or(TokenError::NoClient)?;
        if service == TokenService::First && *migrated.of(agent.scope.owner()) {
            return Err(TokenError::Moved);
        }
        if agent.unknown_calls > 0 {
            agent.unknown_calls -= 1;
            return Err(TokenError::Spreading);
        }
        let audience = match service {
            TokenService::First => agent.authorization_url(&self.base),
            TokenService::Second => agent.authorization_url_v2(&self.base),
        };
        let (jti, forget) = Parsed::new(assertion)
            .and_then(|parsed| parsed.judge_runner(&agent.key, agent.scheme, client_id, &audience, now))
            .map_err(|error| match error {
                JwtError::Time(_) => TokenError::Clock(error),
                _ => TokenError::Assertion(error),
            })?;
        if self.assertions.insert(jti, forget).is_some() {
            return Err(TokenError::Assertion(JwtError::Replayed));
        }
        let (agent, account) = (agent.id, agent.scope.owner().to_owned());
        self.note_secret(&account, "client-assertion", assertion);
        Ok(self.mint(Subject::Runner { agent }, now))
    }

    pub(super) fn tick_agents(&mut self, now: Timestamp) {
        let day = self.settings.timers.day();
        let mut expired = Vec::new();
        for agent in self.agents.values() {
            match agent.fate {
                Fate::Alive if !agent.connected && agent.created + day <= now => expired.push(agent.id),
                // Long enough for its session to notice; afterwards an unknown client gets the same answers.
                Fate::Consumed { since, .. } | Fate::Deleted { since } if since + MEMORY <= now => {
                    expired.push(agent.id);
                }
                _ => {}
            }
        }
        for id in expired {
            if let Some(session) = self.agents.remove(&id).and_then(|agent| agent.session) {
                self.drop_session(session);
            }
        }
    }
}
