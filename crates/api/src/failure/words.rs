//! What each failure reason means, and what to do about it: the source of `docs/reference/failure-reasons.md`.

use super::FailureReason;

impl FailureReason {
    /// What happened, in one sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.words().0
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        const NODE: &str =
            "Nothing is wrong with the job: run it again. If it happens often, look at the node.";
        match self {
            Self::OomKilled => (
                "The kernel killed the runner container for memory.",
                "Raise the memory limit of the `runner` container, or use less.",
            ),
            Self::OomSubprocess => (
                "The kernel killed a process of a step for memory, and the job failed.",
                "Raise the memory limit of the `runner` container, or use less.",
            ),
            Self::EvictedMemory => (
                "The node ran short of memory, and the kubelet evicted the worker.",
                "Give the `runner` container a memory request that covers what it uses.",
            ),
            Self::EvictedDisk => (
                "The node ran short of disk, and the kubelet evicted the worker.",
                "Give the `runner` container a request for ephemeral storage, or use less.",
            ),
            Self::EvictedOther => {
                ("The kubelet ended the worker: another pressure, or a node that shuts down.", NODE)
            }
            Self::Preempted => (
                "A pod of higher priority took the worker's place.",
                "Choose a higher class in `priorityTiers`, or add nodes.",
            ),
            Self::NodeLost => ("The worker's node is gone or does not answer.", NODE),
            Self::Drained => (
                "The worker's node was drained while the job ran.",
                "Run the job again, or drain nodes when they are idle.",
            ),
            Self::PodDeleted => (
                "Somebody deleted the worker pod.",
                "Run the job again. To cancel a job, cancel its run at GitHub or delete its RunnerJob.",
            ),
            Self::Unschedulable => (
                "The scheduler found no node for the worker within `pendingPodDeadline`.",
                "Compare the template's requests, selectors and tolerations with the nodes; where they were only full, \
                 run the job again.",
            ),
            Self::NodeRejected => (
                "The kubelet refused the worker before any of its containers started.",
                "Compare the template's requests, `nodeName` and selectors with the node; where it was only full or \
                 restarting, run the job again.",
            ),
            Self::ImagePull => (
                "The registry refused the image, its name is malformed, or it may not be pulled and is not there.",
                "Correct the image's name, or the credentials for its registry.",
            ),
            Self::ContainerConfig => (
                "A container of the worker cannot be created as the template says.",
                "Correct the template, or create what it refers to.",
            ),
            Self::InitContainerFailed => (
                "An init container of the template failed, so the runner never started.",
                "Read the log of that init container in the pod; run the job again when its cause is mended.",
            ),
            Self::QuotaRejected => (
                "A ResourceQuota had no room for the worker's pod or its Secret, however often it was tried.",
                "Raise the quota, lower `maxWorkers` so that fewer jobs are claimed, or raise `maxQuotaRetries`.",
            ),
            Self::PodRefused => (
                "The API server refused the worker's pod, which was never created.",
                "Correct what the API server names: the template, `securityProfile`, or what they refer to.",
            ),
            Self::PodNotCreated => (
                "The worker's pod was never created: the API server took no request for it, or for its Secret.",
                "Look at the API server and its admission webhooks.",
            ),
            Self::PendingDeadline => (
                "The worker did not start within `pendingPodDeadline`.",
                "Mend what hindered it, and run the job again. Volumes that cannot be mounted stand in the pod's Events only.",
            ),
            Self::LifetimeExceeded => {
                ("The job ran longer than `maxWorkerLifetime`.", "Raise it, or make the job shorter.")
            }
            Self::LockLost => (
                "GitHub no longer held the job for us, so the worker was stopped.",
                "Look for failed renewals (`actions_gateway_renewjob_errors_total`) and for what cut the way to GitHub.",
            ),
            Self::WrapperError => (
                "The wrapper could not be installed, could not hand the job to the runner, or left no report.",
                "Read the logs of containers `actions-gateway-install` and `runner`; the template is not at fault.",
            ),
            Self::RunnerError => (
                "GitHub's runner ended without a result.",
                "Read the worker's log; compare the image with GitHub's runner image.",
            ),
            Self::Cancelled => ("The run was cancelled, or the RunnerJob deleted.", "Nothing."),
            Self::ClaimLost => (
                "The controller ended between GitHub's answer to the claim and writing it down.",
                "Run the job again; GitHub ends it by itself within a quarter of an hour.",
            ),
            Self::PayloadTooLarge => (
                "The job message does not fit into a Secret even when compressed.",
                "Hand less from job to job: large outputs of needed jobs and large secrets do not compress.",
            ),
            Self::Unknown => ("The worker is gone and nothing says why.", NODE),
        }
    }
}
