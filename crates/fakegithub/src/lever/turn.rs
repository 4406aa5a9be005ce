//! What each lever turns.

use jiff::{SignedDuration, Timestamp};

use super::{Error, Lever};
use crate::settings::{Cancellation, Declined};
use crate::state::State;
use crate::state::life::Conclusion;
use crate::state::versions::Release;
use crate::timespan;

/// Longest token: more would not fit into the headers that servers take.
const TOKEN_LIMIT: usize = 8_000;

impl Lever {
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
            Lever::Acknowledged { effect, account } => settings.choices.acknowledged.set(account, effect),
            Lever::Declined { seconds, times, to, account } => {
                let declined = Declined { after: seconds.map(positive).transpose()?, times, to };
                settings.choices.declined.set(account, declined);
            }
            Lever::BusyOffers { on, account } => settings.choices.busy_offers.set(account, on),
            Lever::ShouldAcknowledge { value, account } => {
                settings.choices.should_acknowledge.set(account, value);
            }
            Lever::RunServiceUrl { empty, account } => settings.choices.empty_run_service.set(account, empty),
            Lever::MessageVariables { variables, account } => {
                settings.choices.message_variables.edit(account).extend(variables);
            }
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
