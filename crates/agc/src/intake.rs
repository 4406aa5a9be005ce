//! What the broker offers becomes what the dispatcher decides about.

use std::sync::Arc;

use api::runner_job::AgentRef;
use github::RunnerAuth;
use github_proto::message::RunnerJobRequest;
use github_proto::{JitBlob, SessionId};
use job::naming::RunnerJobName;

use crate::group::Group;

/// A job that GitHub offers to one agent of a group.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What its `RunnerJob` is called: the same for each repetition of the offer.
    pub name: RunnerJobName,
    /// The group, as it was when the offer came.
    pub group: Arc<Group>,
    /// The agent.
    pub agent: AgentRef,
    /// The agent's credentials, to claim with; `None` when its registration is lost.
    pub credentials: Option<Credentials>,
    /// GitHub's words.
    pub request: RunnerJobRequest,
    /// Where it was offered; `None` for one that a predecessor was offered.
    pub session: Option<OfferedTo>,
}

/// The session that a job was offered to, which alone may acknowledge the offer.
#[derive(Debug, Clone)]
pub struct OfferedTo {
    /// Its id at the broker.
    pub id: SessionId,
    /// The runner version that it reports.
    pub version: String,
}

/// What an agent claims with, and what its worker runs with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its token.
    pub auth: RunnerAuth,
    /// Its registration.
    pub jit: JitBlob,
}

impl Offer {
    /// Names the offer.
    #[must_use]
    pub fn new(
        group: Arc<Group>,
        agent: AgentRef,
        credentials: Credentials,
        request: RunnerJobRequest,
        session: OfferedTo,
    ) -> Self {
        let name = RunnerJobName::of_offer(&group.name, &group.uid, request.request_id.as_str());
        Self { name, group, agent, credentials: Some(credentials), request, session: Some(session) }
    }
}
