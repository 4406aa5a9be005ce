//! Worker pods that do not start.

use api::events::Reason;

use super::{Reporter, Subject, job_line};

impl Reporter {
    pub(super) fn hindered(&self, subject: &Subject<'_>) {
        let cause = subject.words.unwrap_or_default();
        let note = format!("the worker pod does not start: {cause}");
        self.events.say_about(self.object_of(subject), Reason::WorkerPodNotStarting, note);
        let (namespace, pod) = (&self.namespace, subject.pod.map(|it| it.name.as_str()));
        job_line!(info, subject.line(), namespace, pod, cause, "the worker pod does not start");
    }

    pub(super) fn pod_rejected(&self, subject: &Subject<'_>) {
        let cause = subject.words.unwrap_or_default();
        let note = format!("a node rejected the worker pod, which is created again: {cause}");
        self.events.say_about(self.object_of(subject), Reason::WorkerPodRejected, note);
        let node = subject.pod.and_then(|it| it.node.as_deref());
        let (namespace, pod) = (&self.namespace, subject.pod.map(|it| it.name.as_str()));
        job_line!(warn, subject.line(), namespace, pod, node, cause, "a node rejected the worker pod");
    }
}
