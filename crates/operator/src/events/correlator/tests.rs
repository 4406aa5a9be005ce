use k8s_openapi::api::core::v1::ObjectReference;

use super::*;

fn said(about: usize) -> Said {
    Said {
        regarding: ObjectReference { name: Some(about.to_string()), ..ObjectReference::default() },
        reason: Reason::Ready,
        note: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_about_many_objects_is_heard_in_bounded_memory() {
    let mut correlator = Correlator::default();
    for about in 0..3 * TIDY_AT {
        assert_eq!(correlator.hear(&said(about), Instant::now()), Verdict::Create);
    }
    assert!(correlator.entries.len() <= TIDY_AT + 1);
    assert!(correlator.budgets.len() <= TIDY_AT + 1);
}
