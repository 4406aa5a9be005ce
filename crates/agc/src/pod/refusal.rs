//! What the API server's refusal of a pod, or of another object that a job needs, means. Pure.

/// What the API server means by refusing an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A ResourceQuota has no room now.
    Quota,
    /// It is refused until it, or what the namespace demands, is another.
    Invalid,
}

impl Refusal {
    /// What the error says; `None` when the error is no judgement of the object.
    #[must_use]
    pub fn of(error: &kube::Error) -> Option<Self> {
        let kube::Error::Api(status) = error else { return None };
        let says = |words| status.message.contains(words);
        match status.code {
            403 if says("exceeded quota") => Some(Self::Quota),
            // A quota that is a moment old, and not reckoned yet.
            403 if says("status unknown for quota") => None,
            400 | 403 | 404 | 422 => Some(Self::Invalid),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
