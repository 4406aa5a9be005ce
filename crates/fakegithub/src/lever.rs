//! The levers of the control API (protocol §11.3): everything that a test can turn while the server runs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::Encryption;
use crate::fault::{Effect, Fault, Faults};
use crate::settings::{Cancellation, CancellationTo, JitDialect, Repeat, Settings, UnstartedCompletion};
use crate::state::State;
use crate::state::grants::TokenKind;
use crate::state::life::Conclusion;
use crate::state::versions::Release;
use crate::timespan;

/// How a rate limit shows (protocol §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateForm {
    /// 403 with nothing remaining.
    #[serde(rename = "primary-403")]
    Primary403,
    /// 429 with nothing remaining.
    #[serde(rename = "primary-429")]
    Primary429,
    /// 403 with `retry-after`.
    #[serde(rename = "secondary-403")]
    Secondary403,
    /// 429 with `retry-after`.
    #[serde(rename = "secondary-429")]
    Secondary429,
    /// 403 that only says so in its message.
    SecondaryBare,
}

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

/// Longest token: more would not fit into the headers that servers take.
const TOKEN_LIMIT: usize = 8_000;

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
                let fault = rate_limit(&endpoint, form, retry_after, now + reset_after.unwrap_or(60));
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

    /// Turns a lever that is not a fault.
    pub(crate) fn turn(self, state: &mut State, now: Timestamp) -> Result<(), Error> {
        let settings = &mut state.settings;
        match self {
            Lever::OauthPropagation { calls } => settings.propagation_calls = calls,
            Lever::FanOut { sessions } => settings.fan_out = sessions.max(1),
            Lever::Siblings { claim, equal_request_ids } => {
                settings.siblings_claim = claim.unwrap_or(settings.siblings_claim);
                settings.equal_request_ids = equal_request_ids.unwrap_or(settings.equal_request_ids);
            }
            Lever::Redelivery { seconds } => settings.timers.redelivery = positive(seconds)?,
            Lever::PollHold { seconds } => settings.timers.poll_hold = positive(seconds)?,
            Lever::TimeFactor { factor } if factor.is_finite() && factor > 0.0 => {
                settings.timers.factor = factor
            }
            Lever::TimeFactor { .. } => return Err(Error::Range("factor")),
            Lever::ClockOffset { seconds } => settings.clock_offset = bounded(seconds)?,
            Lever::RepeatedAcquire { answer, account: None } => settings.repeated_acquire = answer,
            Lever::RepeatedAcquire { answer, account: Some(account) } => {
                settings.repeated_acquire_by.insert(account.to_lowercase(), answer);
            }
            Lever::JitDialect { dialect, account } => settings.choices.jit_dialect.set(account, dialect),
            Lever::TokenService { migrated, account } => {
                settings.choices.token_service_migrated.set(account, migrated);
            }
            Lever::RefuseLabel { label } => {
                settings.refused_labels.insert(label);
            }
            Lever::EncryptMessages { mode } => settings.encryption = mode,
            Lever::RequireFips { on } => settings.fips = on,
            Lever::JobCancellation { timeout, times, send, account } => {
                let cancellation = Cancellation { timeout: timeout.map(time_span).transpose()?, times, send };
                settings.choices.job_cancellation.set(account, cancellation);
            }
            Lever::UnstartedCompletion { effect, account } => {
                settings.choices.unstarted_completion.set(account, effect);
            }
            Lever::AcceptRequestId { on } => settings.request_id_as_job_id = on,
            Lever::StripConnection { on } => settings.strip_connection = on,
            Lever::ByteOrderMark { on } => settings.byte_order_mark = on,
            Lever::Chunked { on } => settings.chunked = on,
            Lever::TrailingSlash { on } => settings.trailing_slash = on,
            Lever::TokenLength { characters } if (1..=TOKEN_LIMIT).contains(&characters) => {
                settings.token_length = characters;
            }
            Lever::TokenLength { .. } => return Err(Error::Range("characters")),
            Lever::MinimumVersion { version } => settings.versions.minimum = release(&version)?,
            Lever::ServedVersions { versions } => {
                let versions = versions.into_iter().map(|(version, end)| Ok((release(&version)?, end)));
                settings.versions.served.extend(versions.collect::<Result<Vec<_>, Error>>()?);
            }
            Lever::SessionRefusesVersions { on, account } => {
                settings.choices.session_refuses_versions.set(account, on);
            }
            Lever::HourlyLimit { requests } => settings.rate_limit = requests,
            Lever::Meta { body } => settings.meta = body,
            Lever::TokenLife { kind, seconds } => state.set_token_life(kind, bounded(seconds)?),
            Lever::ExpireTokens { kind } => state.expire_tokens(kind),
            act => return act.act(state, now),
        }
        state.touch();
        Ok(())
    }

    /// Levers that do something to one object.
    fn act(self, state: &mut State, now: Timestamp) -> Result<(), Error> {
        match self {
            Lever::DropSession { agent } => {
                let session = agent_named(state, &agent)?.1.ok_or(Error::NoAgent(agent))?;
                state.drop_session(session);
            }
            Lever::ConsumeRecord { agent } => {
                let id = agent_named(state, &agent)?.0;
                state.consume_agent(id, now);
            }
            Lever::SendMessage { agent, message_type, body } => {
                let id = agent_named(state, &agent)?.0;
                let urgent = message_type.eq_ignore_ascii_case("JobCancellation");
                if !state.send(id, &message_type, &body, urgent) {
                    return Err(Error::NoAgent(agent));
                }
            }
            Lever::Suspend { app_id, on } => {
                state.suspend_app(app_id, on.then_some(now)).ok_or(Error::NoObject(app_id))?;
            }
            Lever::ForceConclude { run_id, conclusion } => {
                let conclusion = Conclusion::from_rest(&conclusion).ok_or(Error::Range("conclusion"))?;
                state.force(run_id, conclusion, now).map_err(|_| Error::NoObject(run_id))?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Puts every setting back to what it was at the start, and forgets the faults.
pub(crate) fn reset(state: &mut State, faults: &mut Faults, initial: &Settings) {
    state.settings = initial.clone();
    state.touch();
    faults.clear();
}

/// The live runner of that name: its id and its session.
fn agent_named(state: &State, name: &str) -> Result<(u64, Option<uuid::Uuid>), Error> {
    let agent = state.agents().find(|agent| agent.is_alive() && agent.name == name);
    agent.map(|agent| (agent.id, agent.session)).ok_or_else(|| Error::NoAgent(name.to_owned()))
}

fn release(version: &str) -> Result<Release, Error> {
    version.parse().map_err(|_| Error::Range("version"))
}

/// A `timeout`, with the words that it is sent in.
fn time_span(text: String) -> Result<(String, SignedDuration), Error> {
    let duration = timespan::read(&text).ok_or(Error::Range("timeout"))?;
    Ok((text, duration))
}

fn positive(seconds: f64) -> Result<SignedDuration, Error> {
    match SignedDuration::try_from_secs_f64(seconds) {
        Ok(duration) if duration.is_positive() => Ok(duration),
        _ => Err(Error::Range("seconds")),
    }
}

/// Ten years either way, so that no date overflows.
fn bounded(seconds: i64) -> Result<SignedDuration, Error> {
    let limit = 10 * 365 * 86_400;
    match (-limit..=limit).contains(&seconds) {
        true => Ok(SignedDuration::from_secs(seconds)),
        false => Err(Error::Range("seconds")),
    }
}

fn rate_limit(endpoint: &str, form: RateForm, retry_after: Option<String>, reset: i64) -> Fault {
    let primary = matches!(form, RateForm::Primary403 | RateForm::Primary429);
    let status = match form {
        RateForm::Primary429 | RateForm::Secondary429 => 429,
        _ => 403,
    };
    let text = match primary {
        true => "API rate limit exceeded",
        false => "You have exceeded a secondary rate limit.",
    };
    let body = json!({"message": text, "documentation_url": "https://docs.github.example/rest"});
    let fault = Fault::new(endpoint).answering(status).with_body(body);
    match form {
        _ if primary => fault
            .with_header("x-ratelimit-limit", "5000")
            .with_header("x-ratelimit-remaining", "0")
            .with_header("x-ratelimit-used", "5000")
            .with_header("x-ratelimit-reset", &reset.to_string())
            .with_header("x-ratelimit-resource", "core"),
        RateForm::SecondaryBare => fault,
        _ => fault.with_header("retry-after", retry_after.as_deref().unwrap_or("60")),
    }
}
