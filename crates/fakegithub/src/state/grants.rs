//! Tokens: what each one is for, and until when (protocol §0.4).

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::State;
use super::agents::Scope;
use super::runs::Run;
use crate::jwt;

/// The kinds of token that the server mints and can expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// `ghs_…`, for the REST API.
    Installation,
    /// For `config.sh`.
    Registration,
    /// Of a runner record, for the broker and `acquirejob`.
    Runner,
    /// Of a claimed job, for the run service and the results service.
    Job,
    /// `GITHUB_TOKEN` of a job's steps.
    Workflow,
}

impl TokenKind {
    /// The word that the record of requests shows.
    pub(crate) fn word(self) -> &'static str {
        match self {
            TokenKind::Installation => "installation",
            TokenKind::Registration => "registration",
            TokenKind::Runner => "runner",
            TokenKind::Job => "job",
            TokenKind::Workflow => "workflow",
        }
    }

    /// The word of its canaries.
    fn secret(self) -> &'static str {
        match self {
            TokenKind::Installation => "installation-token",
            TokenKind::Registration => "registration-token",
            TokenKind::Runner => "runner-token",
            TokenKind::Job => "job-token",
            TokenKind::Workflow => "workflow-token",
        }
    }
}

/// What an installation token may do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InstallationGrant {
    pub(crate) app: u64,
    pub(crate) account: String,
    /// Names without owner; none means all.
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) permissions: BTreeMap<String, String>,
}

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subject {
    Installation(InstallationGrant),
    Registration(Scope),
    Runner { agent: u64 },
    Job { job: u64 },
    Workflow { job: u64 },
}

impl Subject {
    pub(crate) fn kind(&self) -> TokenKind {
        match self {
            Subject::Installation(_) => TokenKind::Installation,
            Subject::Registration(_) => TokenKind::Registration,
            Subject::Runner { .. } => TokenKind::Runner,
            Subject::Job { .. } => TokenKind::Job,
            Subject::Workflow { .. } => TokenKind::Workflow,
        }
    }
}

/// A token that was minted.
#[derive(Clone, PartialEq)]
pub(crate) struct Grant {
    pub(crate) subject: Subject,
    pub(crate) expires: Timestamp,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("kind", &self.subject.kind()).field("expires", &self.expires).finish()
    }
}

impl State {
    /// The valid grant behind a token.
    pub(crate) fn grant(&self, token: &str, now: Timestamp) -> Option<&Grant> {
        self.grants.get(token).filter(|grant| grant.expires > now)
    }

    /// Mints a token. Returns it with its expiry.
    pub(super) fn mint(&mut self, subject: Subject, now: Timestamp) -> (String, Timestamp) {
        let lives = &self.settings.lives;
        let expires = now
            + match subject.kind() {
                TokenKind::Installation | TokenKind::Workflow => lives.installation,
                TokenKind::Registration => lives.registration,
                TokenKind::Runner => lives.runner,
                TokenKind::Job => lives.job,
            };
        let token = self.token_text(&subject, expires);
        let account = self.account_of(&subject).to_owned();
        self.note_secret(&account, subject.kind().secret(), &token);
        self.grants.insert(token.clone(), Grant { subject, expires });
        (token, expires)
    }

    /// The account that a token belongs to.
    pub(crate) fn account_of<'a>(&'a self, subject: &'a Subject) -> &'a str {
        match subject {
            Subject::Installation(grant) => &grant.account,
            Subject::Registration(scope) => scope.owner(),
            Subject::Runner { agent } => self.agent(*agent).map_or("", |agent| agent.scope.owner()),
            Subject::Job { job } | Subject::Workflow { job } => self.run_of_job(*job).map_or("", Run::owner),
        }
    }

    fn token_text(&mut self, subject: &Subject, expires: Timestamp) -> String {
        let (id, exp) = (self.ids.guid(), expires.as_second());
        match subject {
            Subject::Installation(_) | Subject::Workflow { .. } => {
                format!("ghs_{}", self.ids.text(self.settings.token_length))
            }
            Subject::Registration(_) => self.ids.text(29).to_ascii_uppercase(),
            Subject::Runner { agent } => jwt::sign(
                &self.ids.secret,
                &json!({"jti": id, "exp": exp, "runner_id": agent, "runner_group_id": 1, "is_ephemeral": true}),
            ),
            Subject::Job { job } => {
                let orchestration = self.orchestration_id(*job).unwrap_or_default();
                jwt::sign(&self.ids.secret, &json!({"jti": id, "exp": exp, "orch_id": orchestration}))
            }
        }
    }

    /// Mints a registration token (protocol §2.1).
    pub(crate) fn mint_registration(&mut self, scope: Scope, now: Timestamp) -> (String, Timestamp) {
        self.mint(Subject::Registration(scope), now)
    }

    /// Makes every token of a kind invalid.
    pub(crate) fn expire_tokens(&mut self, kind: TokenKind) {
        self.grants.retain(|_, grant| grant.subject.kind() != kind);
        self.touch();
    }

    /// Sets how long tokens of a kind live that are minted from now on.
    pub(crate) fn set_token_life(&mut self, kind: TokenKind, life: SignedDuration) {
        let lives = &mut self.settings.lives;
        match kind {
            TokenKind::Installation | TokenKind::Workflow => lives.installation = life,
            TokenKind::Registration => lives.registration = life,
            TokenKind::Runner => lives.runner = life,
            TokenKind::Job => lives.job = life,
        }
    }

    pub(super) fn tick_grants(&mut self, now: Timestamp) {
        self.grants.retain(|_, grant| grant.expires > now);
        self.assertions.retain(|_, expires| *expires > now);
    }
}
