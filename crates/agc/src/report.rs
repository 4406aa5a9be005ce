//! Turns what happened into metric, Event, log line and span: in one place, so that they say the same.
//!
//! Nothing else in this program counts or publishes.

mod admission;
mod agents;
mod calls;
mod groups;
mod job_line;
mod metrics;
mod outcomes;
mod starts;
mod trace;

use std::sync::Arc;

use api::Kind;
use api::events::Reason;
use api::runner_job::JobIdentity;
use api::runner_job::JobResult;
use api::{FailureClass, FailureReason, StopReason};
use jiff::SignedDuration;
use job::naming::RunnerJobName;
use job::{Fact, NotAcquired, Outcome, Waiting};
use k8s_openapi::api::core::v1::ObjectReference;
use operator::events::Events;

use crate::jobs::snapshot::PodFacts;
use crate::jobs::words;
use crate::runner_group::group::GroupId;
pub(crate) use job_line::{JobFields, job_line};
pub use metrics::Metrics;
pub use outcomes::{AcquisitionError, ForceCancel};
pub use trace::JobTrace;

/// Says what happened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    metrics: Arc<Metrics>,
    events: Events,
    namespace: String,
}

/// The job that something happened to.
pub struct Subject<'a> {
    /// Its `RunnerJob`.
    pub name: &'a RunnerJobName,
    /// The object's uid.
    pub uid: Option<&'a str>,
    /// Its group.
    pub group: &'a GroupId,
    /// Which job it is, once that is known.
    pub identity: Option<&'a JobIdentity>,
    /// Its pod.
    pub pod: Option<&'a PodFacts>,
    /// What the cluster said of it last, for people.
    pub words: Option<&'a str>,
    /// Its spans.
    pub trace: &'a mut JobTrace,
}

impl<'a> Subject<'a> {
    /// What a line about it is found by.
    fn line(&self) -> JobFields<'a> {
        JobFields { runner_group: &self.group.name, runner_job: self.name.as_str(), identity: self.identity }
    }
}

impl Reporter {
    /// Counts in `metrics`, tells in `events`.
    #[must_use]
    pub fn new(metrics: Metrics, events: Events, namespace: &str) -> Self {
        Self { metrics: Arc::new(metrics), events, namespace: namespace.to_owned() }
    }

    /// Something happened to a job.
    pub fn fact(&self, subject: Subject<'_>, fact: &Fact) {
        match fact {
            Fact::Acquired => self.acquired(&subject),
            Fact::NotAcquired(NotAcquired::Refused) => {}
            Fact::NotAcquired(NotAcquired::Failed) => self.log(&subject, "job not acquired"),
            Fact::Scheduled(after) => {
                let latency = self.metrics.pod_creation_latency.with_label_values(&[self.namespace.as_str()]);
                latency.observe(after.as_secs_f64());
            }
            Fact::Started(_) => self.log(&subject, "job started"),
            Fact::RenewFailed => {
                self.metrics.renewjob_errors.with_label_values(&[self.namespace.as_str()]).inc();
            }
            Fact::NotPlaced(waiting) => self.not_placed(&subject, *waiting),
            Fact::Waiting(waiting) => self.waiting(&subject, *waiting),
            Fact::Hindered => self.hindered(&subject),
            Fact::PodRejected => self.pod_rejected(&subject),
            Fact::Stopping(reason) => self.stopping(&subject, *reason),
            Fact::Finished(outcome, took) => self.finished(subject, outcome, *took),
            Fact::Refused(_) => self.log(&subject, "GitHub refused to re-run the failed jobs of the run"),
            Fact::Settled => job_line!(debug, subject.line(), "job settled"),
        }
    }

    fn acquired(&self, subject: &Subject<'_>) {
        self.metrics.jobs_acquired.with_label_values(&self.of_group(subject)).inc();
        self.log(subject, "job acquired");
    }

    /// The same words each time: the Event counts.
    fn not_placed(&self, subject: &Subject<'_>, waiting: Waiting) {
        let what = match waiting {
            Waiting::Quota => "no pod of job {} was created: exceeded quota; trying again",
            Waiting::Admission => "the pod of job {} was refused; trying again after a dry run that passes",
            Waiting::Secret => "the payload Secret of job {} was not created; trying again",
            Waiting::Pod => "the pod of job {} was not created; trying again",
        };
        let note = what.replace("{}", subject.name.as_str());
        self.events.say_about(subject.group.reference.clone(), Reason::WorkerPodCreateFailed, note);
    }

    fn waiting(&self, subject: &Subject<'_>, waiting: Waiting) {
        let job = subject.identity.map_or("unknown", |it| it.name.as_str());
        let (reason, cause) = (words::reason(waiting), words::cause(waiting, subject.words));
        let reason = reason.as_str();
        let note = format!("job {job:?} has no pod: {reason}: {cause}; {}", words::outlook(waiting));
        self.events.say_about(self.object_of(subject), Reason::JobWaiting, note);
        let namespace = &self.namespace;
        job_line!(info, subject.line(), namespace, reason, error = cause, "job waits for its pod");
    }

    fn stopping(&self, subject: &Subject<'_>, reason: StopReason) {
        let group = self.of_group(subject);
        let pod = subject.pod.map_or("", |it| it.name.as_str());
        if matches!(
            reason,
            StopReason::PendingDeadline | StopReason::Unschedulable | StopReason::LifetimeExceeded
        ) {
            self.metrics.pods_reaped.with_label_values(&[group[0], group[1], reason.reaped_as()]).inc();
        }
        let said = match reason {
            StopReason::PendingDeadline | StopReason::Unschedulable => {
                Some((Reason::WorkerPodStuckPending, "did not start within pendingPodDeadline"))
            }
            StopReason::LifetimeExceeded => {
                Some((Reason::WorkerPodLifetimeExceeded, "outlived maxWorkerLifetime"))
            }
            _ => None,
        };
        if let Some((event, what)) = said {
            let note = format!("worker pod {pod} of job {} {what}; its job is stopped", subject.name);
            self.events.say_about(subject.group.reference.clone(), event, note);
        }
        let pod = subject.pod.map(|it| it.name.as_str());
        let (namespace, reason) = (&self.namespace, reason.as_str());
        job_line!(info, subject.line(), namespace, pod, reason, "stopping the worker");
    }

    fn finished(&self, subject: Subject<'_>, outcome: &Outcome, took: SignedDuration) {
        let [namespace, group] = self.of_group(&subject);
        let result = outcome.result.as_str();
        self.metrics.job_duration.with_label_values(&[namespace, group]).observe(took.as_secs_f64());
        self.metrics.jobs_finished.with_label_values(&[namespace, group, result]).inc();
        if let (JobResult::Failed, Some(reason)) = (outcome.result, outcome.reason) {
            let class = reason.class().as_str();
            self.metrics.job_failures.with_label_values(&[namespace, group, reason.as_str(), class]).inc();
            self.say_failure(&subject, reason);
        }
        job_line!(
            info,
            subject.line(),
            namespace,
            result,
            failure_reason = outcome.reason.map(FailureReason::as_str),
            failure_class = outcome.class().map(FailureClass::as_str),
            exit_code = outcome.exit_code,
            duration_seconds = took.as_secs_f64(),
            pod = subject.pod.map(|it| it.name.as_str()),
            node = subject.pod.and_then(|it| it.node.as_deref()),
            "job finished"
        );
        if let Some(root) = subject.trace.root.take() {
            root.record(
                "pod.phase",
                if outcome.result == JobResult::Succeeded { "Succeeded" } else { "Failed" },
            );
            if let Some(reason) = outcome.reason {
                root.record("pod.reason", reason.as_str());
            }
            root.record("duration_seconds", took.as_secs_f64());
        }
        subject.trace.wait = None;
    }

    fn say_failure(&self, subject: &Subject<'_>, reason: FailureReason) {
        let event = if reason == FailureReason::ClaimLost { Reason::JobClaimLost } else { Reason::JobFailed };
        let job = subject.identity.map_or("unknown", |it| it.name.as_str());
        let (meaning, remedy) = (reason.meaning(), reason.remedy());
        let said = subject.words.map(|it| format!(" {}{}", words::SAYS, words::brief(it)));
        let said = said.unwrap_or_default();
        let note = format!("job {job:?} failed: {}. {meaning} {remedy}{said}", reason.as_str());
        self.events.say_about(self.object_of(subject), event, note);
    }

    fn object_of(&self, subject: &Subject<'_>) -> ObjectReference {
        ObjectReference {
            api_version: Some("actions-gateway.github.com/v1alpha1".to_owned()),
            kind: Some(Kind::RunnerJob.as_str().to_owned()),
            name: Some(subject.name.to_string()),
            namespace: Some(self.namespace.clone()),
            uid: subject.uid.map(str::to_owned),
            ..ObjectReference::default()
        }
    }

    fn of_group<'a>(&'a self, subject: &Subject<'a>) -> [&'a str; 2] {
        [&self.namespace, &subject.group.name]
    }

    fn log(&self, subject: &Subject<'_>, what: &str) {
        let pod = subject.pod.map(|it| it.name.as_str());
        job_line!(info, subject.line(), namespace = self.namespace, pod, "{what}");
    }
}

#[cfg(test)]
mod tests;
