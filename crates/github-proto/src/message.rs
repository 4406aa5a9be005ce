//! What the broker says to a session (protocol §4.4), and how it is decrypted (§4.8).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use zeroize::Zeroizing;

use crate::any_case::any_case;
use crate::id::{JobId, RequestId};
use crate::limits::BROKER_BODY;
use crate::reply::{BodyError, clip, json};
use crate::timestamp::parse_span;
use crate::url::handed_out;

/// The grace GitHub usually gives a cancelled job, for messages that do not say.
const USUAL_GRACE: Duration = Duration::from_secs(300);

/// A message to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A job waits to be claimed.
    JobRequest(RunnerJobRequest),
    /// A job shall end.
    JobCancellation(JobCancellation),
    /// The runner token shall be renewed now.
    ForceTokenRefresh,
    /// The server wants this runner to stop polling.
    Shutdown,
    /// A type that means nothing to a gateway.
    Ignored {
        /// Its type, clipped.
        message_type: String,
    },
    /// A type we handle, with a body that makes no sense.
    Malformed {
        /// Its type, clipped.
        message_type: String,
        /// What is wrong.
        error: MessageError,
    },
}

/// Why a body cannot be read. Never quotes it, never tells *why* decryption failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not the expected JSON.
    #[error(transparent)]
    Body(BodyError),
    /// An encrypted body that our key does not open.
    #[error("the body cannot be decrypted")]
    Decrypt,
    /// An offer without `run_service_url`: the job would have to be fetched from the legacy service.
    #[error("the offer names no run service, and jobs of the legacy service are not supported")]
    Unsupported,
}

/// An offer of a job. It names neither repository nor run: those are known after the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerJobRequest {
    /// This delivery; a redelivery has the same.
    pub request_id: RequestId,
    /// The broker wants to hear that the offer is taken, before it is claimed.
    pub should_acknowledge: bool,
    /// Base of the run service for this job, and for no other.
    pub run_service_url: Url,
    /// Echoed in the claim.
    pub billing_owner_id: Option<String>,
}

/// A job shall end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCancellation {
    /// The job.
    pub job_id: JobId,
    /// How long it may take to end by itself.
    pub timeout: Duration,
}

any_case! {
    struct Envelope {
        message_type: String = "messageType",
        iv: String = "iv",
        body: String = "body",
    }
}

any_case! {
    struct JobRequestBody {
        request_id: RequestId = "runner_request_id",
        should_acknowledge: bool = "should_acknowledge",
        run_service_url: String = "run_service_url",
        billing_owner_id: String = "billing_owner_id",
    }
}

any_case! {
    struct CancellationBody {
        job_id: JobId = "jobId",
        timeout: String = "timeout",
    }
}

/// A session's AES key.
#[derive(Clone)]
pub struct MessageKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey(redacted)")
    }
}

impl MessageKey {
    /// Takes the 32 bytes of a key; `None` for any other number.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// AES-256-CBC with PKCS#7; the IV stands beside the ciphertext, not in front of it.
    fn decrypt(&self, iv: &str, body: &str) -> Result<Vec<u8>, MessageError> {
        let decrypted = || {
            let iv: [u8; 16] = STANDARD.decode(iv).ok()?.try_into().ok()?;
            let mut body = STANDARD.decode(body).ok()?;
            let key = UnboundCipherKey::new(&AES_256, self.0.as_slice()).ok()?;
            let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
            let context = DecryptionContext::Iv128(FixedLength::from(&iv));
            let length = key.decrypt(&mut body, context).ok()?.len();
            body.truncate(length);
            Some(body)
        };
        decrypted().ok_or(MessageError::Decrypt)
    }
}

/// Reads an envelope and its body.
///
/// # Errors
/// Only when the envelope itself is no JSON object, as when the answer was cut; a bad body inside a
/// good envelope is [`Message::Malformed`].
pub fn decode(envelope: &[u8], key: Option<&MessageKey>) -> Result<Message, BodyError> {
    let envelope: Envelope = json(envelope, BROKER_BODY)?;
    let message_type = envelope.message_type.as_deref().unwrap_or_default();
    let body = || plain_body(&envelope, key);
    let decoded = match message_type.to_ascii_lowercase().as_str() {
        "runnerjobrequest" => body().and_then(|it| job_request(&it)).map(Message::JobRequest),
        "jobcancellation" => body().and_then(|it| cancellation(&it)).map(Message::JobCancellation),
        "forcetokenrefresh" => Ok(Message::ForceTokenRefresh),
        "runnershutdown" => Ok(Message::Shutdown),
        _ => Ok(Message::Ignored { message_type: clip(message_type) }),
    };
    Ok(decoded.unwrap_or_else(|error| Message::Malformed { message_type: clip(message_type), error }))
}

/// A body is encrypted when the session has a key *and* the envelope an IV.
fn plain_body(envelope: &Envelope, key: Option<&MessageKey>) -> Result<Vec<u8>, MessageError> {
    let body = envelope.body.as_deref().unwrap_or_default();
    match (key, envelope.iv.as_deref().filter(|iv| !iv.is_empty())) {
        (Some(key), Some(iv)) => key.decrypt(iv, body),
        _ => Ok(body.as_bytes().to_vec()),
    }
}

fn job_request(body: &[u8]) -> Result<RunnerJobRequest, MessageError> {
    let missing = |key| MessageError::Body(BodyError::Field(key));
    let body: JobRequestBody = json(body, BROKER_BODY).map_err(MessageError::Body)?;
    let request_id = body.request_id.ok_or_else(|| missing("runner_request_id"))?;
    let run_service_url = body.run_service_url.filter(|text| !text.trim().is_empty());
    let run_service_url = handed_out(&run_service_url.ok_or(MessageError::Unsupported)?);
    Ok(RunnerJobRequest {
        request_id,
        should_acknowledge: body.should_acknowledge.unwrap_or(false),
        run_service_url: run_service_url.map_err(|_| missing("run_service_url"))?,
        billing_owner_id: body.billing_owner_id.filter(|id| !id.is_empty()),
    })
}

fn cancellation(body: &[u8]) -> Result<JobCancellation, MessageError> {
    let missing = |key| MessageError::Body(BodyError::Field(key));
    let body: CancellationBody = json(body, BROKER_BODY).map_err(MessageError::Body)?;
    // The job must end even if we cannot tell how long it may take.
    let timeout = body.timeout.and_then(|text| parse_span(&text).ok());
    Ok(JobCancellation {
        job_id: body.job_id.ok_or_else(|| missing("jobId"))?,
        timeout: timeout.unwrap_or(USUAL_GRACE),
    })
}

#[cfg(test)]
mod tests;
