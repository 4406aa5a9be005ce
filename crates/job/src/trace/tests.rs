use super::*;

/// The vectors of `docs/reference/trace-ids.md`: others derive the same ids, so they never change.
#[test]
fn the_published_vectors_hold() {
    let page = include_str!("../../../../docs/reference/trace-ids.md");
    let traces = [(7_700_000_001, 1), (7_700_000_001, 2), (1, 1)];
    for (run_id, attempt) in traces {
        let row = format!("| `{run_id}` | `{attempt}` | `{}` |", trace_id_hex(run_id, attempt));
        assert!(page.contains(&row), "docs/reference/trace-ids.md lacks {row}");
    }
    let spans = [("91a40000-0000-4000-8000-00000000fa4e", "10b00000-0000-4000-8000-00000000fa4e")];
    for (plan_id, job_id) in spans {
        let row = format!("| `{plan_id}` | `{job_id}` | `{}` |", hex::encode(root_span_id(plan_id, job_id)));
        assert!(page.contains(&row), "docs/reference/trace-ids.md lacks {row}");
    }
}

#[test]
fn the_jobs_of_one_attempt_share_a_trace_and_have_spans_of_their_own() {
    assert_ne!(trace_id(1, 1), trace_id(1, 2));
    assert_ne!(root_span_id("p", "a"), root_span_id("p", "b"));
    assert_eq!(root_span_id("P", "A"), root_span_id("p", "a"));
}
