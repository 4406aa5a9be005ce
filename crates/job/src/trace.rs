//! Ids of traces and root spans, derived from what GitHub names, so that they join without being handed on.
//!
//! The trace id is the one that OpenTelemetry's GitHub receiver derives for a workflow run, so the jobs of one run
//! attempt stand in one waterfall with what other exporters say of it. `docs/reference/trace-ids.md` holds vectors.

use sha2::{Digest, Sha256};

/// Sixteen bytes that name the trace of one run attempt: the head of SHA-256 over `<run id><attempt>t`.
#[must_use]
pub fn trace_id(run_id: u64, run_attempt: u32) -> [u8; 16] {
    head(&format!("{run_id}{run_attempt}t"))
}

/// Eight bytes that name the root span of one job: the head of SHA-256 over `<plan id>/<job id>`, in lower case.
#[must_use]
pub fn root_span_id(plan_id: &str, job_id: &str) -> [u8; 8] {
    head(&format!("{plan_id}/{job_id}").to_ascii_lowercase())
}

/// The 32 hex digits that logs, annotations and status show.
#[must_use]
pub fn trace_id_hex(run_id: u64, run_attempt: u32) -> String {
    hex::encode(trace_id(run_id, run_attempt))
}

fn head<const N: usize>(text: &str) -> [u8; N] {
    let digest = Sha256::digest(text.as_bytes());
    let mut id = [0; N];
    id.copy_from_slice(&digest[..N]);
    id
}

#[cfg(test)]
mod tests;
