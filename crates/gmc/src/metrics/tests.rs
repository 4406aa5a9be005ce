use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
