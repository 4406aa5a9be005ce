//! The levers of the control API (protocol §11.3): everything that a test can turn while the server runs.

mod rates;
mod turn;

pub use rates::RateForm;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::Encryption;
use crate::fault::{Effect, Fault, Faults, Naming};
use crate::settings::{
    AcknowledgedEffect, CancellationTo, DeclinedTo, JitDialect, Repeat, Settings, ShouldAcknowledge,
    UnstartedCompletion,
};
use crate::state::State;
use crate::state::grants::TokenKind;

/// One turn of one lever. In JSON: `{"lever": "fan-out", "sessions": 3}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "lever", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub enum Lever {
    /// The next requests to an endpoint go wrong.
    Fail(Fault),
    /// The next polls are accepted and never answered.
    BlackHolePoll {
        #[serde(default = "one")]
        count: u64,
        #[serde(default)]
        agent: Option<String>,
    },
    /// The next requests to an endpoint are rate limited.
    RateLimit {
        endpoint: String,
        #[serde(default)]
        account: Option<String>,
        form: RateForm,
        #[serde(default = "one")]
        count: u64,
        /// The value of `retry-after`: seconds, or an HTTP date.
        #[serde(default)]
        retry_after: Option<String>,
        /// Seconds until `x-ratelimit-reset`.
        #[serde(default)]
        reset_after: Option<i64>,
    },
    /// The next re-runs are refused with a text.
    RefuseRerun {
        #[serde(default = "one")]
        count: u64,
        #[serde(default = "already_running")]
        text: String,
    },
    /// The next session creations are refused with 409.
    SessionConflict {
        #[serde(default = "one")]
        count: u64,
        #[serde(default)]
        agent: Option<String>,
    },
    /// Tokens of a kind are invalid from now on.
    ExpireTokens { kind: TokenKind },
    /// Tokens of a kind that are minted from now on live this long.
    TokenLife { kind: TokenKind, seconds: i64 },
    /// New runner records are unknown to the token endpoint for so many calls.
    OauthPropagation { calls: u32 },
    /// Waiting faults are taken back.
    ClearFaults {
        #[serde(default)]
        endpoint: Option<String>,
        #[serde(default)]
        account: Option<String>,
        #[serde(default)]
        agent: Option<String>,
    },
    /// A runner's session is forgotten.
    DropSession { agent: String },
    /// A runner's record is consumed, as if its job had ended.
    ConsumeRecord { agent: String },
    /// A message goes to a runner's session.
    SendMessage { agent: String, message_type: String, body: Value },
    /// To how many idle sessions a job is offered.
    FanOut { sessions: usize },
    /// Whether sibling offers can be claimed after another one was, and whether they share one request id.
    Siblings {
        #[serde(default)]
        claim: Option<bool>,
        #[serde(default)]
        equal_request_ids: Option<bool>,
    },
    /// After how long an unclaimed offer is delivered again.
    Redelivery { seconds: f64 },
    /// What becomes of an offer that is acknowledged and not claimed.
    Acknowledged {
        effect: AcknowledgedEffect,
        #[serde(default)]
        account: Option<String>,
    },
    /// How an offer comes again that is not claimed.
    Declined {
        #[serde(default)]
        seconds: Option<f64>,
        #[serde(default)]
        times: Option<u32>,
        #[serde(default)]
        to: DeclinedTo,
        #[serde(default)]
        account: Option<String>,
    },
    /// Whether busy sessions are shown jobs.
    BusyOffers {
        on: bool,
        #[serde(default)]
        account: Option<String>,
    },
    /// What notifications say of `should_acknowledge`.
    ShouldAcknowledge {
        value: ShouldAcknowledge,
        #[serde(default)]
        account: Option<String>,
    },
    /// Whether notifications name no run service.
    RunServiceUrl {
        empty: bool,
        #[serde(default)]
        account: Option<String>,
    },
    /// Sets or leaves out variables of job messages.
    MessageVariables {
        variables: BTreeMap<String, Option<String>>,
        #[serde(default)]
        account: Option<String>,
    },
    /// How long polls are held.
    PollHold { seconds: f64 },
    /// What divides every timer.
    TimeFactor { factor: f64 },
    /// What the server's clock shows beyond the machine's.
    ClockOffset { seconds: i64 },
    /// What a claimant gets who claims again: of this account, else of all that have no answer of their own.
    RepeatedAcquire {
        answer: Repeat,
        #[serde(default)]
        account: Option<String>,
    },
    /// How the files of new JIT configurations are written.
    JitDialect {
        dialect: JitDialect,
        #[serde(default)]
        account: Option<String>,
    },
    /// Whether only the second address of the token service issues tokens.
    TokenService {
        migrated: bool,
        #[serde(default)]
        account: Option<String>,
    },
    /// No runner with this label is registered.
    RefuseLabel { label: String },
    /// How message bodies of new sessions are encrypted.
    EncryptMessages { mode: Encryption },
    /// Whether new runner records demand PS256.
    RequireFips { on: bool },
    /// How running jobs are cancelled from now on.
    JobCancellation {
        #[serde(default)]
        timeout: Option<String>,
        #[serde(default = "once")]
        times: u32,
        #[serde(default)]
        send: CancellationTo,
        #[serde(default)]
        account: Option<String>,
    },
    /// What comes of `completejob` for a job that never started.
    UnstartedCompletion {
        effect: UnstartedCompletion,
        #[serde(default)]
        account: Option<String>,
    },
    /// Whether `jobId` may be the request id in renew and complete.
    AcceptRequestId { on: bool },
    /// Whether job messages lack `SystemVssConnection`.
    StripConnection { on: bool },
    /// Whether JSON bodies start with a byte order mark.
    ByteOrderMark { on: bool },
    /// Whether bodies are sent in chunks, without a length.
    Chunked { on: bool },
    /// Whether the bases of broker and run service end with a slash.
    TrailingSlash { on: bool },
    /// How long new installation tokens are.
    TokenLength { characters: usize },
    /// The oldest runner version that is served, of those without a date of their own.
    MinimumVersion { version: String },
    /// Until when runner versions are served: new ones, or other dates.
    ServedVersions { versions: BTreeMap<String, Option<Timestamp>> },
    /// Whether sessions of an old version are refused, and not only its polls.
    SessionRefusesVersions {
        on: bool,
        #[serde(default)]
        account: Option<String>,
    },
    /// Requests an hour for each App, installation and address.
    HourlyLimit { requests: u64 },
    /// The answer of `/meta`.
    Meta { body: Value },
    /// An App's installation is suspended, or not any more.
    Suspend { app_id: u64, on: bool },
    /// A run ends now, in this way.
    ForceConclude { run_id: u64, conclusion: String },
}

fn one() -> u64 {
    1
}

fn once() -> u32 {
    1
}

fn already_running() -> String {
    "This workflow is already running".into()
}

/// Why a lever cannot be turned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No live runner has that name.
    #[error("no runner is called '{0}'")]
    NoAgent(String),
    /// No App or run has that id, or the run is over.
    #[error("there is nothing with id {0} that this applies to")]
    NoObject(u64),
    /// The value makes no sense.
    #[error("'{0}' is out of range")]
    Range(&'static str),
}

impl Lever {
    /// What a lever adds to the waiting faults, if it is of that sort.
    pub(crate) fn fault(&self, now: i64) -> Option<Fault> {
        Some(match self.clone() {
            Lever::Fail(fault) => fault,
            Lever::BlackHolePoll { count, agent } => {
                Fault { agent, effect: Effect::Withhold, ..Fault::new("B2").times(count) }
            }
            Lever::RateLimit { endpoint, account, form, count, retry_after, reset_after } => {
                let fault = rates::limit(&endpoint, form, retry_after, now + reset_after.unwrap_or(60));
                Fault { account, ..fault.times(count) }
            }
            Lever::RefuseRerun { count, text } => Fault::new("J1")
                .times(count)
                .answering(403)
                .with_body(json!({"message": text, "status": "403"})),
            Lever::SessionConflict { count, agent } => {
                let body = json!({
                    "source": "actions-broker-listener", "errorKind": "SessionConflict", "statusCode": 409,
                    "errorMessage": "the runner has a session already",
                });
                Fault { agent, ..Fault::new("B1").times(count).answering(409).with_body(body) }
            }
            _ => return None,
        })
    }

    /// Which waiting faults a lever takes back, if it is of that sort.
    pub(crate) fn takes_back(&self) -> Option<Naming> {
        match self.clone() {
            Lever::ClearFaults { endpoint, account, agent } => Some(Naming { endpoint, account, agent }),
            _ => None,
        }
    }
}

/// Puts every setting back to what it was at the start, and forgets the faults.
pub(crate) fn reset(state: &mut State, faults: &mut Faults, initial: &Settings) {
    state.settings = initial.clone();
    state.touch();
    faults.clear();
}
