//! What the kubelet's messages say of an image that it could not pull.

/// What a registry, or the runtime, says when trying again cannot help.
const REFUSED: [&str; 9] = [
    "not found",
    "manifest unknown",
    "unauthorized",
    "denied",
    "forbidden",
    "does not exist",
    "invalid reference",
    "no matching manifest",
    "no match for platform",
];

/// Signs of trouble on the way, whatever else the message says: a mirror that does not know the image may stand before a
/// registry that cannot be reached.
const ON_THE_WAY: [&str; 17] = [
    "no such host",
    "host not found",
    "server misbehaving",
    "temporary failure",
    "unreachable",
    "no route to host",
    "connection refused",
    "connection reset",
    "timeout",
    "timed out",
    "deadline exceeded",
    "too many requests",
    "toomanyrequests",
    "rate limit",
    "qps exceeded",
    "tls:",
    "x509:",
];

/// Whether the registry refused for good. Anything else may pass.
pub(super) fn is_refused(message: &str) -> bool {
    let message = prose(message);
    REFUSED.iter().any(|it| message.contains(it)) && !is_trouble(&message)
}

/// Whether something on the way failed, or took too long.
pub(super) fn is_on_the_way(message: &str) -> bool {
    is_trouble(&prose(message))
}

/// Whether the kubelet waits for its next try and leaves out why: older ones name the image only.
pub(super) fn hides_its_cause(message: &str) -> bool {
    message.is_empty() || (message.starts_with("Back-off pulling image") && message.ends_with('"'))
}

fn is_trouble(prose: &str) -> bool {
    ON_THE_WAY.iter().any(|it| prose.contains(it))
}

/// The message without names of images and addresses, which may hold any word.
fn prose(message: &str) -> String {
    let unquoted: String = message.split('"').step_by(2).collect();
    let words = unquoted.split_whitespace().filter(|it| !it.contains('/'));
    words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
