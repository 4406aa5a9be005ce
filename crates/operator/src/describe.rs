//! Errors in words, for log lines, conditions and Events.

use std::error::Error;
use std::fmt;

/// An error and what caused it on one line. Of the API server's answer only what it says, not how it is built: the
/// rest of a `Status` names objects and fields of whatever was sent.
pub fn describe<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    Described(error)
}

struct Described<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        let mut next = Some(self.0);
        while let Some(cause) = next {
            let (text, is_last) = match cause.downcast_ref::<kube::Error>() {
                Some(kube::Error::Api(status)) => (status.message.clone(), true),
                _ => (cause.to_string(), false),
            };
            // Many errors of libraries repeat their source in their own text.
            if said.is_empty() {
                f.write_str(&text)?;
                said = text;
            } else if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            next = cause.source().filter(|_| !is_last);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use kube::core::response::StatusDetails;

    use super::describe;
    use crate::finalizer;

    #[test]
    fn of_a_refusal_only_its_message_is_told() {
        let details: StatusDetails =
            serde_json::from_value(serde_json::json!({ "name": "the-details" })).unwrap();
        let status =
            Status::failure("the object is being deleted", "Conflict").with_code(409).with_details(details);
        let source = kube::Error::Api(Box::new(status));
        let error = finalizer::Error::Patch { name: "blue".into(), source };
        let told = "failed to patch the finalizers of blue: the object is being deleted";
        assert_eq!(describe(&error).to_string(), told);
    }

    #[test]
    fn a_cause_that_its_error_repeats_is_told_once() {
        let source = std::io::Error::other("no route");
        let error = kube::Error::Service(Box::new(source));
        assert_eq!(describe(&error).to_string(), "ServiceError: no route");
    }
}
