use super::*;

#[test]
fn the_series_have_the_names_and_buckets_that_users_know() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    metrics.tunnel_seconds.observe(4000.0);
    metrics.outcome("tunnel");
    metrics.meters("github.com").up.inc_by(7);
    insta::assert_snapshot!(runtime::metrics::render(&registry).unwrap());
}

#[test]
fn what_the_program_serves_is_what_the_table_says() {
    let registry = runtime::metrics::registry("proxy").unwrap();
    let metrics = Metrics::register(&registry).unwrap();
    metrics.outcome("tunnel");
    metrics.meters("github.com").down.inc();
    let table = signals::program("proxy").unwrap().series();
    assert_eq!(runtime::metrics::differences(&registry, table), [] as [String; 0]);
}
