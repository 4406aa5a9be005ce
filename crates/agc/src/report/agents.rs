//! What happens to the agents of a group and to their sessions.

use github::session::PollError;
use github_proto::message::MessageError;
use job::listeners::{Agent, Fact, Trigger, Trouble};

use super::Reporter;
use super::outcomes::{AcquisitionError, bad_message};
use crate::runner_group::group::GroupId;

impl Reporter {
    /// So many sessions of the group listen, and so many stay open for the job that they were given.
    pub fn sessions(&self, group: &str, listening: usize, busy: usize) {
        let labels = [self.namespace.as_str(), group];
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.active_sessions.with_label_values(&labels).set(gauge(listening));
        self.metrics.busy_sessions.with_label_values(&labels).set(gauge(busy));
    }

    /// A poll failed.
    pub fn poll_failed(&self, error: PollError) {
        self.metrics.poll_errors.with_label_values(&[self.namespace.as_str(), error.as_str()]).inc();
    }

    /// A message of the broker could not be used and was dropped.
    pub fn message_dropped(&self, group: &str, error: &MessageError) {
        let labels = [self.namespace.as_str(), group, bad_message(error)];
        self.metrics.bad_messages.with_label_values(&labels).inc();
    }

    /// Something happened to the agents of a group.
    pub fn agents(&self, group: &GroupId, fact: &Fact) {
        let name = |agent: &Agent| group.agents().agent(agent.id.seat, agent.generation);
        match fact {
            Fact::Registered { agent, trigger } => {
                self.registered(&group.name, *trigger);
                tracing::debug!(agent = name(agent), runner_id = agent.id.runner.0, "registered a runner");
            }
            Fact::NoAgent { seat, trouble, is_news } => self.no_agent(&group.name, *seat, trouble, *is_news),
            Fact::SeatTaken { seat, words } => {
                self.not_registered(&group.name);
                tracing::warn!(runner_group = group.name, seat, error = words, "failed to register a runner");
            }
            Fact::LabelsDiffer(agent) => {
                let agent = name(agent);
                tracing::info!(agent, "replacing a runner: its labels differ from its RunnerGroup's");
            }
            Fact::Dead { agent, why } => {
                tracing::info!(agent = name(agent), why, "replacing a runner: its session ended for good");
            }
            Fact::BusySessionEnded { agent, why } => {
                let agent = name(agent);
                tracing::debug!(agent, why, "the session of a busy runner ended: creating another");
            }
            Fact::VersionRefused { words, is_news } => {
                self.not_acquired(AcquisitionError::VersionTooOld);
                if *is_news {
                    tracing::warn!(
                        runner_group = group.name,
                        error = words,
                        "GitHub refused the runner version"
                    );
                }
            }
        }
    }

    fn registered(&self, group: &str, trigger: Option<Trigger>) {
        if let Some(trigger) = trigger {
            let labels = [self.namespace.as_str(), group, trigger.as_str()];
            self.metrics.agent_recycles.with_label_values(&labels).inc();
        }
    }

    /// Of missing credentials whoever fetches the token speaks.
    fn no_agent(&self, runner_group: &str, seat: u32, trouble: &Trouble, is_news: bool) {
        self.not_registered(runner_group);
        let error = trouble.words();
        let what = match trouble {
            Trouble::SessionRefused(_) => "failed to create a session for a registered runner",
            _ => "failed to register a runner",
        };
        if is_news && !matches!(trouble, Trouble::TokenUnavailable(_)) {
            tracing::warn!(runner_group, seat, error, "{what}");
        } else {
            tracing::debug!(runner_group, seat, error, "{what}");
        }
    }

    fn not_registered(&self, group: &str) {
        self.metrics.agent_recycle_errors.with_label_values(&[self.namespace.as_str(), group]).inc();
    }
}
