//! What the API server's answer to a dry run comes to, and what to do about a refusal. Pure.

use api::actions_gateway::SecurityProfile;
use operator::describe;

use crate::jobs::words::brief;
use crate::pod::refusal::Refusal;

/// What the API server says of a group's pod, the best first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Answer {
    /// It would take it.
    Accepted,
    /// It cannot say: an admission webhook does not take dry runs.
    Unsupported(String),
    /// It did not say.
    Unknown(String),
    /// A ResourceQuota has no room for it now.
    QuotaExceeded(String),
    /// It would refuse it every time: its words, and the remedy where it is known.
    Refused(String),
}

impl Answer {
    /// What this error says of the pod; `profile` is the gateway's.
    #[must_use]
    pub fn of(error: &kube::Error, profile: SecurityProfile) -> Self {
        let words = brief(&describe(error).to_string());
        match Refusal::of(error) {
            Some(Refusal::Quota) => Self::QuotaExceeded(words),
            Some(Refusal::Invalid) if words.contains("does not support dry run") => Self::Unsupported(words),
            Some(Refusal::Invalid) if lacks_account(&words) => Self::Unknown(words),
            Some(Refusal::Invalid) => Self::Refused(with_remedy(words, profile)),
            None => Self::Unknown(words),
        }
    }
}

/// The ServiceAccount of workers is the manager's to make: it will be there in a moment.
fn lacks_account(words: &str) -> bool {
    words.contains("error looking up service account")
}

/// The API server's words with what to do about them, where that is known.
fn with_remedy(words: String, profile: SecurityProfile) -> String {
    match remedy(&words, profile) {
        Some(remedy) => format!("{words}: {remedy}"),
        None => words,
    }
}

fn remedy(words: &str, profile: SecurityProfile) -> Option<String> {
    if let Some((_, after)) = words.split_once("violates PodSecurity \"") {
        return Some(pod_security(after.split([':', '"']).next().unwrap_or_default(), profile));
    }
    let known = [
        ("no PriorityClass with name", "create that PriorityClass, or name another one in priorityTiers"),
        (
            "must specify",
            "give each container of podTemplate these resources, or have the platform set defaults by a LimitRange",
        ),
        (
            "minimum cpu usage per Container",
            "request more in podTemplate; the gateway's own install container requests 10m, which the LimitRange has to allow",
        ),
        (
            "minimum memory usage per Container",
            "request more in podTemplate; the gateway's own install container requests 32Mi, which the LimitRange has to allow",
        ),
        ("maximum", "ask for less in podTemplate, or have the platform raise the LimitRange"),
        ("volumeMounts", "add the volume to podTemplate.spec.volumes, or remove the mount"),
        ("RuntimeClass", "name a RuntimeClass that exists in podTemplate.spec.runtimeClassName"),
    ];
    known.into_iter().find(|(said, _)| words.contains(said)).map(|(_, remedy)| remedy.to_owned())
}

/// The namespace enforces a level of the Pod Security Standards that the pod does not meet.
fn pod_security(level: &str, profile: SecurityProfile) -> String {
    let own = <&str>::from(profile);
    let strictness = |it: &str| ["privileged", "baseline", "restricted"].iter().position(|name| *name == it);
    if strictness(own) < strictness(level) {
        format!(
            "the namespace enforces {level}, and spec.securityProfile of the gateway is {own}: set it to {level}"
        )
    } else {
        format!("the namespace enforces {level}: correct the fields of podTemplate that are named here")
    }
}

#[cfg(test)]
mod tests;
