//! What happens to the agents of a group and to their sessions.

use github::session::PollError;
use github_proto::message::MessageError;

use super::Reporter;
use super::outcomes::{AcquisitionError, bad_message};
use crate::agents::Trigger;

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

    /// GitHub gives no session to the runner version that was reported.
    pub fn version_refused(&self) {
        self.not_acquired(AcquisitionError::VersionTooOld);
    }

    /// An agent was registered anew.
    pub fn agent_recycled(&self, group: &str, trigger: Trigger) {
        let labels = [self.namespace.as_str(), group, trigger.as_str()];
        self.metrics.agent_recycles.with_label_values(&labels).inc();
    }

    /// An agent could not be registered anew.
    pub fn agent_not_recycled(&self, group: &str) {
        self.metrics.agent_recycle_errors.with_label_values(&[self.namespace.as_str(), group]).inc();
    }
}
