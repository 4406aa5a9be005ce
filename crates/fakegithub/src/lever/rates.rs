//! Rate limits as faults.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fault::Fault;

/// How a rate limit shows (protocol §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateForm {
    /// 403 with nothing remaining.
    #[serde(rename = "primary-403")]
    Primary403,
    /// 429 with nothing remaining.
    #[serde(rename = "primary-429")]
    Primary429,
    /// 403 with `retry-after`.
    #[serde(rename = "secondary-403")]
    Secondary403,
    /// 429 with `retry-after`.
    #[serde(rename = "secondary-429")]
    Secondary429,
    /// 403 that only says so in its message.
    SecondaryBare,
}

/// The answer of a limited request. `reset` is a time in seconds.
pub(super) fn limit(endpoint: &str, form: RateForm, retry_after: Option<String>, reset: i64) -> Fault {
    let primary = matches!(form, RateForm::Primary403 | RateForm::Primary429);
    let status = match form {
        RateForm::Primary429 | RateForm::Secondary429 => 429,
        _ => 403,
    };
    let text = match primary {
        true => "API rate limit exceeded",
        false => "You have exceeded a secondary rate limit.",
    };
    let body = json!({"message": text, "documentation_url": "https://docs.github.example/rest"});
    let fault = Fault::new(endpoint).answering(status).with_body(body);
    match form {
        _ if primary => fault
            .with_header("x-ratelimit-limit", "5000")
            .with_header("x-ratelimit-remaining", "0")
            .with_header("x-ratelimit-used", "5000")
            .with_header("x-ratelimit-reset", &reset.to_string())
            .with_header("x-ratelimit-resource", "core"),
        RateForm::SecondaryBare => fault,
        _ => fault.with_header("retry-after", retry_after.as_deref().unwrap_or("60")),
    }
}
