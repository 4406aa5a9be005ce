//! What a `RunnerJob` remembers of its job: written and read here, and nowhere else. Pure.

mod conditions;

use std::str::FromStr as _;

use api::conditions::{Reason, Type, find, settle};
use api::runner_job::{JobIdentity, JobResult, Phase, PodRef, RunnerJobStatus, Times as Written};
use api::{FailureReason, RunnerJob};
use jiff::Timestamp;
use job::{Ended, Kept, Outcome, Recovered, Times, Verdict, Waiting};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::jobs::snapshot::{JobSnapshot, PodFacts};
use crate::jobs::words;

/// What outlives the controller of a job, beside its payload and its pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Which job it is; known once it is acquired.
    pub identity: Option<JobIdentity>,
    /// Whether its payload was stored.
    pub payload_stored: bool,
    /// Its pod, once W4 named it.
    pub pod: Option<PodRef>,
    /// The pod before it, which a node rejected.
    pub rejected_pod: Option<PodRef>,
    /// What it waits for, or waited for to its end, that has no pod; and the API server's words for it.
    pub waiting: Option<(Waiting, String)>,
    /// Whether something hinders the pod's start.
    pub is_hindered: bool,
    /// When it came to where. When the pod was scheduled is the pod's to say.
    pub times: Times,
    /// End of the lock.
    pub locked_until: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// What a person decided about a call that GitHub had refused.
    pub decided: Option<Verdict>,
    /// Trace id of the run attempt.
    pub trace_id: Option<String>,
    /// What the cluster said last of its pod, for people.
    pub words: Option<String>,
}

impl Memory {
    /// What is to be remembered of a job as it is now.
    #[must_use]
    pub fn of(snapshot: &JobSnapshot) -> Self {
        let pod = snapshot.pod.as_ref();
        let letter = snapshot.dead_letter;
        let said = snapshot.cluster_words.as_deref();
        let rejected = snapshot.rejected_pod.as_ref();
        let standing = pod.filter(|pod| rejected.is_none_or(|it| it.uid != pod.uid));
        let ended = snapshot.outcome.clone().map(|outcome| match letter.filter(|it| it.verdict.is_none()) {
            _ if snapshot.phase == Phase::AwaitingRerun => Ended::AwaitingRerun(outcome),
            Some(letter) => Ended::DeadLetter(outcome, letter.call),
            None => Ended::Complete(outcome),
        });
        Self {
            identity: snapshot.identity.clone(),
            payload_stored: snapshot.payload_stored,
            waiting: snapshot.waiting.filter(|_| standing.is_none()).map(|it| (it, words::cause(it, said))),
            words: said.map(words::brief),
            pod: pod.map(reference),
            rejected_pod: snapshot.rejected_pod.as_ref().map(reference),
            is_hindered: snapshot.is_hindered,
            times: Times { scheduled: None, ..snapshot.times },
            locked_until: snapshot.locked_until,
            ended,
            decided: letter.and_then(|it| it.verdict),
            trace_id: snapshot.acquired.as_ref().map(|it| it.run.trace_id.clone()),
        }
    }

    /// What the object remembers.
    #[must_use]
    pub fn read(status: Option<&RunnerJobStatus>) -> Self {
        let Some(status) = status else { return Self::default() };
        let time = |it: &Option<Time>| it.as_ref().map(|it| it.0);
        let Written { offered, acquired, pod_created, started, finished } = &status.times;
        Self {
            identity: status.job.clone(),
            payload_stored: conditions::payload_stored(&status.conditions),
            pod: status.pod.clone(),
            waiting: conditions::waiting(&status.conditions),
            rejected_pod: status.rejected_pod.clone(),
            is_hindered: conditions::is_hindered(&status.conditions),
            times: Times {
                offered: time(offered),
                acquired: time(acquired),
                pod_created: time(pod_created),
                scheduled: None,
                started: time(started),
                finished: time(finished),
            },
            locked_until: time(&status.locked_until),
            ended: ended(status),
            decided: conditions::decided(&status.conditions),
            trace_id: status.trace_id.clone(),
            words: conditions::words(&status.conditions),
        }
    }

    /// The status that says it; `old` gives the conditions their transition times, and what this memory does not know.
    #[must_use]
    pub fn write(
        self,
        phase: Phase,
        old: &RunnerJobStatus,
        generation: Option<i64>,
        now: Timestamp,
    ) -> RunnerJobStatus {
        let memory = self.or(Self::read(Some(old)));
        let conditions = conditions::all(&memory, generation);
        let outcome = memory.outcome();
        let failure = outcome.and_then(|it| it.reason).map(FailureReason::as_str);
        let waiting = conditions::waiting_reason(&memory).filter(|_| outcome.is_none());
        let Times { offered, acquired, pod_created, scheduled: _, started, finished } = memory.times;
        RunnerJobStatus {
            phase: Some(phase),
            reason: failure.or(waiting.map(Reason::as_str)).map(str::to_owned),
            times: Written {
                offered: offered.map(Time),
                acquired: acquired.map(Time),
                pod_created: pod_created.map(Time),
                started: started.map(Time),
                finished: finished.map(Time),
            },
            locked_until: memory.locked_until.map(Time),
            result: outcome.map(|it| it.result).filter(|it| *it != JobResult::Duplicate),
            failure_reason: failure.map(str::to_owned),
            failure_class: outcome.and_then(Outcome::class),
            exit_code: outcome.and_then(|it| it.exit_code),
            conditions: conditions.into_iter().map(|it| settle(&old.conditions, it, now)).collect(),
            trace_id: memory.trace_id,
            job: memory.identity,
            pod: memory.pod,
            rejected_pod: memory.rejected_pod,
        }
    }

    /// What a restart does not know again stays.
    fn or(self, old: Self) -> Self {
        let pod = self.pod.or(old.pod);
        let rejected_pod = self.rejected_pod.or(old.rejected_pod);
        let stands = pod.is_some() && pod != rejected_pod;
        Self {
            identity: self.identity.or(old.identity),
            payload_stored: self.payload_stored || old.payload_stored,
            waiting: self.waiting.or(old.waiting).filter(|_| !stands),
            pod,
            rejected_pod,
            words: self.words.or(old.words),
            trace_id: self.trace_id.or(old.trace_id),
            ..self
        }
    }

    /// Whether the pod that the status names is the one that a node rejected: the job is to get another.
    #[must_use]
    pub fn pod_is_rejected(&self) -> bool {
        self.pod.as_ref().is_some_and(|it| self.is_rejected(&it.uid))
    }

    /// Whether a node rejected the pod of this uid.
    #[must_use]
    pub fn is_rejected(&self, uid: &str) -> bool {
        self.rejected_pod.as_ref().is_some_and(|it| it.uid == uid)
    }

    /// How the job ended, whatever is left to do about it.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match self.ended.as_ref()? {
            Ended::Complete(outcome) | Ended::AwaitingRerun(outcome) | Ended::DeadLetter(outcome, _) => {
                Some(outcome)
            }
        }
    }

    /// Whether nothing about it is left to anybody: such jobs are history, and pruned.
    #[must_use]
    pub fn is_history(&self) -> bool {
        matches!(self.ended, Some(Ended::Complete(_)))
    }
}

/// What the machine needs to know of a job that a predecessor left; payload and pod are for the caller to look for.
#[must_use]
pub fn recovered(object: &RunnerJob) -> Recovered {
    let memory = Memory::read(object.status.as_ref());
    let pod_named = memory.pod.is_some() && !memory.pod_is_rejected();
    let created = object.metadata.creation_timestamp.as_ref().map(|it| it.0);
    Recovered {
        times: Times { offered: memory.times.offered.or(created), ..memory.times },
        ended: memory.ended,
        pod_named,
        rejected: memory.rejected_pod.is_some(),
        pod_is_rejected: false,
        // W5 is the first write that knows when the container started.
        running_written: memory.times.started.is_some(),
        locked_until: memory.locked_until,
        payload_stored: false,
        pod: None,
        waiting: memory.waiting.map(|it| it.0),
        deletion_requested: object.metadata.deletion_timestamp.is_some(),
    }
}

fn reference(pod: &PodFacts) -> PodRef {
    PodRef { name: pod.name.clone(), uid: pod.uid.clone(), node: pod.node.clone() }
}

/// When the job ended, as its status says.
#[must_use]
pub fn ended_at(object: &RunnerJob) -> Option<Timestamp> {
    let status = object.status.as_ref()?;
    let condition = find(&status.conditions, Type::Complete);
    status.times.finished.as_ref().or(condition.map(|it| &it.last_transition_time)).map(|it| it.0)
}

fn ended(status: &RunnerJobStatus) -> Option<Ended> {
    let complete = find(&status.conditions, Type::Complete)?;
    let outcome = Outcome {
        result: status.result.unwrap_or(JobResult::Duplicate),
        reason: status.failure_reason.as_deref().and_then(|it| FailureReason::from_str(it).ok()),
        exit_code: status.exit_code,
    };
    match complete.status.as_str() {
        "True" => Some(match conditions::kept(&status.conditions) {
            Some(call) => Ended::DeadLetter(outcome, call),
            None => Ended::Complete(outcome),
        }),
        _ if complete.reason == Reason::AwaitingRerun.as_str() => Some(Ended::AwaitingRerun(outcome)),
        _ => None,
    }
}

/// The word for a call that is kept, in a condition.
fn refused(call: Kept) -> Reason {
    match call {
        Kept::RerunFailedJobs => Reason::RerunRefused,
    }
}

#[cfg(test)]
pub(crate) mod tests;
