//! B1 and B4: opening and closing a session.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde::Serialize;
use url::Url;

use super::{ACCEPT, BrokerError, JSON};
use crate::any_case::any_case;
use crate::id::{RunnerId, SessionId};
use crate::limits::BROKER_BODY;
use crate::message::MessageKey;
use crate::reply::{BodyError, Reply, json};
use crate::request::{BuildError, Draft, Request};
use crate::rsa::RsaKey;
use crate::secret::RunnerToken;
use crate::url::join;

/// Who opens a session.
#[derive(Debug, Clone, Copy)]
pub struct Agent<'a> {
    /// The record; one session each.
    pub id: RunnerId,
    /// The record's name.
    pub name: &'a str,
    /// A real runner release that GitHub still serves: the one that will execute the job.
    pub version: &'a str,
    /// Operating system and release, as a person may read it. Its first word becomes the record's `os`.
    pub os_description: &'a str,
}

/// An open session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Goes into every poll.
    pub id: SessionId,
    /// Present when messages may be encrypted.
    pub key: Option<MessageKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionBody<'a> {
    session_id: &'static str,
    owner_name: &'a str,
    agent: AgentBody<'a>,
    use_fips_encryption: bool,
}

/// What the official client writes of an agent. The last three say nothing; they are sent because it sends them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AgentBody<'a> {
    id: RunnerId,
    name: &'a str,
    version: &'a str,
    os_description: &'a str,
    ephemeral: Option<bool>,
    status: u8,
    provisioning_state: Option<&'a str>,
}

any_case! {
    struct SessionAnswer {
        id: SessionId = "sessionId",
        encryption_key: EncryptionKey = "encryptionKey",
        fips: bool = "useFipsEncryption",
    }
}

any_case! {
    struct EncryptionKey {
        encrypted: bool = "encrypted",
        value: String = "value",
    }
}

/// B1: opens a session. `owner` is what a person sees as its holder.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn create_session(
    broker: &Url,
    token: &RunnerToken,
    owner: &str,
    agent: Agent<'_>,
) -> Result<Request, BuildError> {
    let Agent { id, name, version, os_description } = agent;
    let body = SessionBody {
        session_id: "00000000-0000-0000-0000-000000000000",
        owner_name: owner,
        agent: AgentBody {
            id,
            name,
            version,
            os_description,
            ephemeral: None,
            status: 0,
            provisioning_state: None,
        },
        use_fips_encryption: false,
    };
    Draft::new(Method::POST, join(broker, "session"), ACCEPT).bearer(token).json(JSON, &body).build()
}

/// Reads the answer to B1. `key` opens the session's encryption key, if it has one.
///
/// # Errors
/// [`BrokerError`], classified.
pub fn decode_session(reply: &Reply, key: &RsaKey) -> Result<Session, BrokerError> {
    if !matches!(reply.status(), StatusCode::OK | StatusCode::CREATED) {
        return Err(BrokerError::of_new_session(reply));
    }
    let malformed = |error: &BodyError| BrokerError::malformed(reply, error);
    let answer: SessionAnswer = json(reply.body(), BROKER_BODY).map_err(|error| malformed(&error))?;
    let fips = answer.fips.unwrap_or(false);
    let key = match answer.encryption_key {
        None => None,
        Some(wrapped) => {
            wrapped.open(key, fips).map_err(|()| malformed(&BodyError::Field("encryptionKey")))?
        }
    };
    let id = answer.id.filter(|id| !id.is_nil()).ok_or_else(|| malformed(&BodyError::Field("sessionId")))?;
    Ok(Session { id, key })
}

impl EncryptionKey {
    /// `Ok(None)` when there is no key in it: messages are plain then.
    fn open(self, key: &RsaKey, fips: bool) -> Result<Option<MessageKey>, ()> {
        let Some(value) = self.value.filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let mut bytes = zeroize::Zeroizing::new(STANDARD.decode(value).map_err(|_| ())?);
        if self.encrypted.unwrap_or(false) {
            bytes = key.unwrap_key(&bytes, fips).map_err(|_| ())?;
        }
        MessageKey::new(&bytes).map(Some).ok_or(())
    }
}

/// B4: closes *the* session of the token's agent, whichever that is by now. Send it once, and never
/// after a newer session was opened.
///
/// # Errors
/// [`BuildError`] when the token cannot be sent.
pub fn delete_session(broker: &Url, token: &RunnerToken) -> Result<Request, BuildError> {
    Draft::new(Method::DELETE, join(broker, "session"), ACCEPT).bearer(token).build()
}

/// Reads the answer to B4. A session or record that is not there is closed.
///
/// # Errors
/// [`BrokerError`], classified.
pub fn decode_session_end(reply: &Reply) -> Result<(), BrokerError> {
    match reply.status() {
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
        status if status.is_success() => Ok(()),
        _ => Err(BrokerError::of(reply)),
    }
}
