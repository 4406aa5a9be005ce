//! B3: the broker hears that an offered job is taken, right before it is claimed (protocol §4.5).

use github_proto::broker::{self, Architecture, BrokerError, BrokerErrorKind, PollQuery, RunnerStatus};
use github_proto::limits::BROKER_BODY;
use github_proto::{RequestId, SessionId};
use runtime::telemetry::chain;
use tokio::time::timeout;

use crate::Timeouts;
use crate::auth::{AuthError, RunnerAuth};
use crate::client::{self, Client, Deadline};

/// What the broker says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Heard.
    Accepted,
    /// The job has gone: the claim may be spared.
    JobGone,
    /// No answer in time, or one that says nothing of the job: claim it all the same.
    Unanswered,
}

/// No answer that tells anything.
#[derive(Debug, thiserror::Error)]
enum AcknowledgeError {
    #[error("no token for the acknowledgement")]
    Auth(#[source] AuthError),
    #[error("failed to reach the broker")]
    Send(#[source] client::Error),
    #[error("the broker refused the acknowledgement")]
    Refused(#[source] BrokerError),
}

/// B3, once, within a few seconds. For an offer that wants it ([`should_acknowledge`]) and that is claimed next, and
/// for no other. `version` and `architecture` are the session's.
///
/// [`should_acknowledge`]: github_proto::message::RunnerJobRequest::should_acknowledge
pub async fn acknowledge(
    client: &Client,
    auth: &RunnerAuth,
    session: &SessionId,
    version: &str,
    architecture: Architecture,
    request: &RequestId,
    timeouts: &Timeouts,
) -> Acknowledgement {
    let query = PollQuery { session, status: RunnerStatus::Online, version, architecture };
    let Ok(answer) = timeout(timeouts.acknowledge, once(client, auth, query, request, timeouts)).await else {
        tracing::debug!(%request, "an offer was not acknowledged in time");
        return Acknowledgement::Unanswered;
    };
    match answer {
        Ok(()) => Acknowledgement::Accepted,
        Err(AcknowledgeError::Refused(error)) if error.kind == BrokerErrorKind::JobNotFound => {
            Acknowledgement::JobGone
        }
        Err(error) => {
            tracing::debug!(%request, error = %chain(&error), "an offer was not acknowledged");
            Acknowledgement::Unanswered
        }
    }
}

async fn once(
    client: &Client,
    auth: &RunnerAuth,
    query: PollQuery<'_>,
    request: &RequestId,
    timeouts: &Timeouts,
) -> Result<(), AcknowledgeError> {
    let token = auth.token().await.map_err(AcknowledgeError::Auth)?;
    let request = broker::acknowledge(&auth.jit().runner.broker, &token, query, request)
        .map_err(|error| AcknowledgeError::Send(client::Error::Build(error)))?;
    let deadline = Deadline::within(timeouts.acknowledge, BROKER_BODY);
    let reply = client.send(request, deadline).await.map_err(AcknowledgeError::Send)?;
    broker::decode_acknowledgement(&reply).map_err(AcknowledgeError::Refused)
}
