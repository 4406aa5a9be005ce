use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use operator::metrics::{ControllerMetrics, ReconcileResult, RestMetrics};

use super::*;

#[test]
fn gateways_are_counted_at_each_scrape() {
    let registry = Registry::new();
    let gateways = Arc::new(AtomicUsize::new(2));
    let count = gateways.clone();
    ManagedGateways::register(&registry, move || count.load(Ordering::Relaxed)).unwrap();
    assert!(runtime::metrics::render(&registry).unwrap().contains("\nactions_gateway_managed_gateways 2\n"));
    gateways.store(1, Ordering::Relaxed);
    assert!(runtime::metrics::render(&registry).unwrap().contains("\nactions_gateway_managed_gateways 1\n"));
}

#[tokio::test]
async fn what_the_program_serves_is_what_the_table_says() {
    let registry = runtime::metrics::registry("gmc").unwrap();
    ManagedGateways::register(&registry, || 1).unwrap();
    let metrics = ControllerMetrics::register(&registry).unwrap();
    metrics.start("actionsgateway").finish(ReconcileResult::Success);
    metrics.failed("actionsgateway", "team-a/gw");
    metrics.leader("gmc").set(1);
    RestMetrics::register(&registry).unwrap().observe(&http::Method::GET, "api", None);
    let table = signals::program("gmc").unwrap().series();
    assert_eq!(runtime::metrics::differences(&registry, table), [] as [String; 0]);
}
