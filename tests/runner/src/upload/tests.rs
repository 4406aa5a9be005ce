use super::*;

fn update(id: &str, status: u8) -> StepUpdate {
    StepUpdate {
        external_id: id.into(),
        number: 1,
        name: id.into(),
        status,
        started_at: None,
        completed_at: None,
        conclusion: 0,
    }
}

#[test]
fn of_a_step_the_last_state_is_told_in_the_place_of_the_first() {
    let updates = Updates::default();
    for (id, status) in [("a", 3), ("b", 5), ("a", 6)] {
        updates.put(update(id, status));
    }
    assert_eq!(updates.take(), [update("a", 6), update("b", 5)]);
    assert!(updates.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_results_service_ends_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("job.1");
    fs::write(&file, "x").unwrap();
    let uploads = Uploads::start(None, Diagnostics::default());
    uploads.step(update("a", 3));
    let of = crate::log::LogOf::Job;
    uploads.file(Upload::Block(Block { of, file: file.clone(), first: true, last: true, lines: 1 }));
    let start = tokio::time::Instant::now();
    uploads.finish().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(!file.exists());
}
