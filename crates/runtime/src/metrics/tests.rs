use signals::{agc, controller, gmc, process, program, proxy};

use super::*;

#[test]
fn every_constructor_registers_what_it_makes() {
    let registry = Registry::new();
    counter(&registry, &proxy::CONNECTIONS).unwrap().inc();
    counter_vec(&registry, &agc::RENEWJOB_ERRORS).unwrap().with_label_values(&["team-a"]).inc_by(2);
    gauge(&registry, &gmc::MANAGED_GATEWAYS).unwrap().set(-3);
    gauge_vec(&registry, &controller::LEADER).unwrap().with_label_values(&["x"]).set(4);
    histogram(&registry, &proxy::TUNNEL_DURATION).unwrap().observe(0.5);
    histogram_vec(&registry, &agc::POD_CREATION_LATENCY).unwrap().with_label_values(&["team-a"]).observe(2.0);
    insta::assert_snapshot!(render(&registry).unwrap());
    let table = [
        &proxy::CONNECTIONS,
        &agc::RENEWJOB_ERRORS,
        &gmc::MANAGED_GATEWAYS,
        &controller::LEADER,
        &proxy::TUNNEL_DURATION,
        &agc::POD_CREATION_LATENCY,
    ];
    assert_eq!(differences(&registry, table), [] as [String; 0]);
}

#[test]
fn a_name_is_taken_once() {
    let registry = Registry::new();
    counter(&registry, &proxy::CONNECTIONS).unwrap();
    assert!(counter(&registry, &proxy::CONNECTIONS).is_err());
}

#[test]
fn a_family_is_registered_as_what_the_table_says_that_it_is() {
    let registry = Registry::new();
    assert!(gauge(&registry, &proxy::CONNECTIONS).is_err());
    assert!(counter(&registry, &proxy::REQUESTS).is_err());
    assert!(counter_vec(&registry, &proxy::CONNECTIONS).is_err());
    assert!(histogram(&registry, &agc::JOB_DURATION).is_err());
}

#[test]
fn a_new_registry_holds_the_series_of_every_process() {
    assert_eq!(differences(&registry("proxy").unwrap(), process::ALL.iter().copied()), [] as [String; 0]);
}

#[test]
fn what_only_one_of_registry_and_table_has_is_told() {
    let registry = registry("gmc").unwrap();
    let missing: Vec<String> = differences(&registry, program("proxy").unwrap().series());
    assert!(missing.iter().all(|it| it.starts_with("not registered: ")), "{missing:?}");
    assert_eq!(missing.len(), proxy::ALL.len());
    let other = Series { buckets: &[1.0], ..proxy::TUNNEL_DURATION };
    histogram(&registry, &other).unwrap();
    let told = differences(&registry, process::ALL.iter().copied().chain([&proxy::TUNNEL_DURATION]));
    assert_eq!(told.len(), 2, "{told:?}");
}
