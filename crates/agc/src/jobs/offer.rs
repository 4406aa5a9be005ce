//! A job that GitHub offers: what the dispatcher decides about.

use std::sync::Arc;

use api::runner_job::AgentRef;
use github::RunnerAuth;
use github_proto::message::RunnerJobRequest;
use github_proto::{JitBlob, SessionId};
use job::naming::RunnerJobName;

use crate::runner_group::group::{Group, GroupId};

/// A job that GitHub offers to a group.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What its `RunnerJob` is called: the same for each repetition of the offer.
    pub name: RunnerJobName,
    /// The group.
    pub group: Arc<GroupId>,
    /// What the group asked for when the offer came. `None` for a job that a predecessor left and whose group's spec cannot be
    /// honoured now: it is seen to its end, and gets no pod any more.
    pub spec: Option<Arc<Group>>,
    /// Who offers it, and what it is acquired with.
    pub source: Source,
}

/// Who offers a job. Whoever does not acquire it needs not know.
#[derive(Debug, Clone)]
pub enum Source {
    /// GitHub's broker, to one agent of the group.
    Broker(BrokerOffer),
}

/// An offer of GitHub's broker.
#[derive(Debug, Clone)]
pub struct BrokerOffer {
    /// The agent.
    pub agent: AgentRef,
    /// The agent's credentials, to acquire with; `None` when its registration is lost.
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

/// What an agent acquires with, and what its worker runs with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its token.
    pub auth: RunnerAuth,
    /// Its registration.
    pub jit: JitBlob,
}

impl Offer {
    /// How the job is treated.
    #[must_use]
    pub fn policy(&self) -> job::Policy {
        self.spec.as_ref().map(|it| it.policy.clone()).unwrap_or_default()
    }

    /// An offer of the broker to one agent of `group`, in this session.
    #[must_use]
    pub fn of_broker(
        group: Arc<Group>,
        agent: AgentRef,
        credentials: Credentials,
        request: RunnerJobRequest,
        session: OfferedTo,
    ) -> Self {
        let name = RunnerJobName::of_offer(&group.id.name, &group.id.uid, request.request_id.as_str());
        let offer = BrokerOffer { agent, credentials: Some(credentials), request, session: Some(session) };
        Self { name, group: group.id.clone(), spec: Some(group), source: Source::Broker(offer) }
    }
}

impl Source {
    /// The runner that GitHub shows the job with, once it is acquired.
    #[must_use]
    pub fn runner_name(&self) -> &str {
        match self {
            Self::Broker(offer) => &offer.agent.name,
        }
    }
}
