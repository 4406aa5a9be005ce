use super::*;

#[test]
fn every_constructor_registers_what_it_makes() {
    let registry = Registry::new();
    int_counter(&registry, "a_total", "A.").unwrap().inc();
    int_counter_vec(&registry, "b_total", "B.", &["reason"]).unwrap().with_label_values(&["other"]).inc_by(2);
    int_gauge(&registry, "c", "C.").unwrap().set(-3);
    int_gauge_vec(&registry, "d", "D.", &["name"]).unwrap().with_label_values(&["x"]).set(4);
    gauge_vec(&registry, "e", "E.", &["name"]).unwrap().with_label_values(&["x"]).set(0.5);
    histogram(&registry, "f_seconds", "F.", &[1.0]).unwrap().observe(0.5);
    histogram_vec(&registry, "g_seconds", "G.", &[1.0], &["name"])
        .unwrap()
        .with_label_values(&["x"])
        .observe(2.0);
    insta::assert_snapshot!(render(&registry).unwrap(), @r#"
    # HELP a_total A.
    # TYPE a_total counter
    a_total 1
    # HELP b_total B.
    # TYPE b_total counter
    b_total{reason="other"} 2
    # HELP c C.
    # TYPE c gauge
    c -3
    # HELP d D.
    # TYPE d gauge
    d{name="x"} 4
    # HELP e E.
    # TYPE e gauge
    e{name="x"} 0.5
    # HELP f_seconds F.
    # TYPE f_seconds histogram
    f_seconds_bucket{le="1"} 1
    f_seconds_bucket{le="+Inf"} 1
    f_seconds_sum 0.5
    f_seconds_count 1
    # HELP g_seconds G.
    # TYPE g_seconds histogram
    g_seconds_bucket{name="x",le="1"} 0
    g_seconds_bucket{name="x",le="+Inf"} 1
    g_seconds_sum{name="x"} 2
    g_seconds_count{name="x"} 1
    "#);
}

#[test]
fn a_name_is_taken_once() {
    let registry = Registry::new();
    int_counter(&registry, "a_total", "A.").unwrap();
    assert!(int_counter(&registry, "a_total", "A.").is_err());
}
