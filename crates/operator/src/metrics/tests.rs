use super::*;

#[tokio::test(start_paused = true)]
async fn a_reconcile_is_counted_by_its_result_and_timed() {
    let registry = Registry::new();
    let metrics = ControllerMetrics::register(&registry).unwrap();
    let timer = metrics.start("gateway");
    tokio::time::advance(Duration::from_millis(250)).await;
    assert_eq!(timer.finish(ReconcileResult::Success), Duration::from_millis(250));
    metrics.start("gateway").finish(ReconcileResult::Error);
    metrics.failed("gateway", "team-a/gw");
    metrics.leader("gmc").set(1);
    drop(metrics.start("gateway"));

    let text = runtime::metrics::render(&registry).unwrap();
    for line in [
        r#"controller_runtime_reconcile_total{controller="gateway",result="success"} 1"#,
        r#"controller_runtime_reconcile_total{controller="gateway",result="error"} 1"#,
        r#"controller_runtime_reconcile_errors_total{controller="gateway"} 1"#,
        r#"controller_runtime_reconcile_time_seconds_sum{controller="gateway"} 0.25"#,
        r#"controller_runtime_reconcile_time_seconds_count{controller="gateway"} 2"#,
        r#"controller_runtime_active_workers{controller="gateway"} 0"#,
        r#"actions_gateway_reconcile_errors_total{controller="gateway",resource="team-a/gw"} 1"#,
        r#"leader_election_master_status{name="gmc"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[tokio::test]
async fn the_series_are_those_of_the_table() {
    let registry = Registry::new();
    let metrics = ControllerMetrics::register(&registry).unwrap();
    metrics.start("gateway").finish(ReconcileResult::RequeueAfter);
    metrics.failed("gateway", "team-a/gw");
    metrics.leader("gmc").set(0);
    RestMetrics::register(&registry).unwrap().observe(&Method::GET, "api", None);
    let table = controller::ALL.iter().copied();
    assert_eq!(runtime::metrics::differences(&registry, table), [] as [String; 0]);
}

#[test]
fn results_are_the_words_of_the_table() {
    let results = [ReconcileResult::Success, ReconcileResult::RequeueAfter, ReconcileResult::Error];
    let values = controller::RECONCILES.label("result").unwrap().values;
    assert_eq!(results.map(ReconcileResult::as_str), values);
}

#[test]
fn an_object_that_is_gone_takes_its_series_with_it() {
    let registry = Registry::new();
    let metrics = ControllerMetrics::register(&registry).unwrap();
    metrics.failed("gateway", "team-a/gw");
    metrics.forget("gateway", "team-a/gw");
    metrics.forget("gateway", "team-a/never-failed");
    assert!(!runtime::metrics::render(&registry).unwrap().contains("team-a"));
}
