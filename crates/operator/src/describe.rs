//! Errors in words, for log lines, conditions and Events.

use std::error::Error;
use std::fmt;

/// An error and what caused it on one line. Of the API server's answer only what it says, not how it is built: the
/// rest of a `Status` names objects and fields of whatever was sent.
pub fn describe(error: &(dyn Error + 'static)) -> impl fmt::Display + use<> {
    in_words(error)
}

fn in_words(error: &(dyn Error + 'static)) -> String {
    if let Some(kube::Error::Api(status)) = error.downcast_ref() {
        return status.message.clone();
    }
    let text = error.to_string();
    let Some(source) = error.source() else { return text };
    let (whole, cause) = (source.to_string(), in_words(source));
    // Many errors of libraries repeat their source in their own text.
    if !whole.is_empty() && text.contains(&whole) {
        text.replace(&whole, &cause)
    } else if text.contains(&cause) {
        text
    } else {
        format!("{text}: {cause}")
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use kube::core::response::StatusDetails;
    use kube::runtime::{controller, watcher};

    use super::describe;
    use crate::finalizer;

    fn refused(message: &str, reason: &str, code: u16) -> kube::Error {
        let details: StatusDetails =
            serde_json::from_value(serde_json::json!({ "name": "the-details" })).unwrap();
        kube::Error::Api(Box::new(Status::failure(message, reason).with_code(code).with_details(details)))
    }

    #[test]
    fn of_a_refusal_only_its_message_is_told() {
        let source = refused("the object is being deleted", "Conflict", 409);
        let error = finalizer::Error::Patch { name: "blue".into(), source };
        let told = "failed to patch the finalizers of blue: the object is being deleted";
        assert_eq!(describe(&error).to_string(), told);
    }

    #[test]
    fn of_a_watch_that_cannot_start_too() {
        let refused = || refused("pods is forbidden", "Forbidden", 403);
        let watch = watcher::Error::InitialListFailed(refused());
        assert_eq!(describe(&watch).to_string(), "failed to perform initial object list: pods is forbidden");
        let watch = watcher::Error::WatchStartFailed(refused());
        let queue: controller::Error<std::io::Error, _> = controller::Error::QueueError(watch);
        let told = "event queue error: failed to start watching object: pods is forbidden";
        assert_eq!(describe(&queue).to_string(), told);
    }

    #[test]
    fn a_cause_that_its_error_repeats_is_told_once() {
        let source = std::io::Error::other("no route");
        let error = kube::Error::Service(Box::new(source));
        assert_eq!(describe(&error).to_string(), "ServiceError: no route");
    }
}
