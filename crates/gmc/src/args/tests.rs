use super::*;

const REQUIRED: [&str; 5] = [
    "gmc",
    "--agc-image=agc:1",
    "--wrapper-image=worker:1",
    "--worker-image=runner:1",
    "--pod-namespace=system",
];

fn parse(more: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from(REQUIRED.iter().chain(more))
}

#[test]
fn the_defaults_are_the_fields() {
    let args = parse(&[]).unwrap();
    assert_eq!(args.metrics_bind_address.0.unwrap().to_string(), "0.0.0.0:8080");
    assert_eq!(args.health_probe_bind_address.0.unwrap().to_string(), "0.0.0.0:8081");
    assert_eq!(args.runner_version, RUNNER_VERSION);
    assert!(!args.leader_elect);
    assert!(args.leader_elect_release_on_cancel);
    assert_eq!(args.leader_elect_lease_duration.to_string(), "15s");
    assert_eq!(args.leader_elect_renew_deadline.to_string(), "10s");
    assert_eq!(args.leader_elect_retry_period.to_string(), "2s");
}

#[test]
fn a_boolean_flag_may_carry_its_value_or_stand_alone() {
    assert!(parse(&["--leader-elect"]).unwrap().leader_elect);
    assert!(parse(&["--leader-elect=true"]).unwrap().leader_elect);
    assert!(!parse(&["--leader-elect=false"]).unwrap().leader_elect);
    assert!(!parse(&["--leader-elect-release-on-cancel=false"]).unwrap().leader_elect_release_on_cancel);
}

#[test]
fn zero_turns_metrics_off() {
    assert_eq!(parse(&["--metrics-bind-address=0"]).unwrap().metrics_bind_address, BindAddress(None));
}

#[test]
fn an_address_without_a_port_is_refused() {
    for bad in ["8080", ":", ":http", "localhost:8080", ":65536", ""] {
        assert_eq!(bad.parse::<BindAddress>(), Err(NotAnAddress(bad.to_owned())), "{bad}");
    }
}

#[test]
fn a_pull_policy_that_kubernetes_does_not_know_is_refused() {
    assert!(parse(&["--image-pull-policy=Sometimes"]).is_err());
}

#[test]
fn a_runner_version_is_three_numbers() {
    assert_eq!(parse(&["--runner-version=2.336.0"]).unwrap().runner_version, "2.336.0");
    for bad in ["", "2.336", "v2.336.0", "2.336.0-beta", "2..0", "2.336.000000000000000000000000000"] {
        let refused = parse(&[&format!("--runner-version={bad}")]).unwrap_err().to_string();
        assert!(refused.contains("three numbers") || bad.is_empty(), "{refused}");
    }
}
