//! What people are told of a job in the cluster's own words, and of what it waits for.

use api::conditions::Reason;
use job::Waiting;

/// So much of the cluster's words stands in a condition or an Event, in bytes: an Event's note has 1024 in all, and says
/// more than these.
const MOST: usize = 640;

/// What stands before them in a message of ours.
pub const SAYS: &str = "Kubernetes says: ";

/// The words in a message that has them.
#[must_use]
pub fn in_message(message: &str) -> Option<&str> {
    message.split_once(SAYS).map(|it| it.1)
}

/// The words, cut where they are too many.
#[must_use]
pub fn brief(words: &str) -> String {
    match words.floor_char_boundary(MOST) {
        end if end < words.len() => format!("{}…", &words[..end]),
        _ => words.to_owned(),
    }
}

/// Why condition `PodCreated` is not true.
#[must_use]
pub fn reason(waiting: Waiting) -> Reason {
    match waiting {
        Waiting::Quota => Reason::WaitingForQuota,
        Waiting::Admission => Reason::WaitingForAdmission,
        Waiting::Secret => Reason::WaitingForSecret,
        Waiting::Pod => Reason::WaitingForPod,
    }
}

/// What the API server says of the wait, or else what is awaited of it.
#[must_use]
pub fn cause(waiting: Waiting, said: Option<&str>) -> String {
    let awaited = match waiting {
        Waiting::Quota => "a ResourceQuota has no room",
        Waiting::Admission => "the API server refused the pod",
        Waiting::Secret => "the API server has not answered the POST of the payload Secret",
        Waiting::Pod => "the API server has not answered the POST of the pod",
    };
    said.map_or_else(|| awaited.to_owned(), brief)
}

/// How the wait may end.
#[must_use]
pub fn outlook(waiting: Waiting) -> &'static str {
    match waiting {
        Waiting::Quota => "tried again every quotaRetryDelay, at most maxQuotaRetries times",
        Waiting::Admission => "tried again once a dry run of the pod passes",
        Waiting::Secret | Waiting::Pod => "tried again until pendingPodDeadline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_between_characters() {
        assert_eq!(brief("short"), "short");
        let long = brief(&"é".repeat(MOST));
        assert!(long.len() <= MOST + '…'.len_utf8() && long.ends_with("é…"), "{long}");
    }

    #[test]
    fn the_api_servers_words_go_before_ours() {
        assert_eq!(cause(Waiting::Pod, Some("failed calling webhook")), "failed calling webhook");
        assert!(cause(Waiting::Pod, None).contains("not answered the POST of the pod"));
    }
}
