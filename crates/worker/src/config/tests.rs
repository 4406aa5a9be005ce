use super::*;

fn config(variables: &[(&str, &str)]) -> Result<Config, Error> {
    Config::from_env(|name| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).into()))
}

#[test]
fn without_variables_the_stock_image_is_assumed() {
    let config = config(&[]).unwrap();
    assert_eq!(config.home, PathBuf::from("/home/runner"));
    assert_eq!(config.run_dir, PathBuf::from("/run/actions-gateway"));
    assert_eq!(config.claim, PathBuf::from("claim"));
    assert_eq!(config.payload_dir, PathBuf::from("/run/secrets/job-payload"));
    assert_eq!(config.stop_file, PathBuf::from("/etc/actions-gateway/pod/stop"));
    assert_eq!(config.limits, Limits::new(Duration::from_secs(30), None));
    assert_eq!(config.log_level, Level::Info);
    assert_eq!((config.proxy_ca, config.github_ca), (None, None));
    assert_eq!(config.doubts, []);
    assert_eq!(report_path(|_| None), PathBuf::from("/dev/termination-log"));
}

#[test]
fn a_grace_is_a_duration_with_units_or_a_number_of_seconds() {
    let grace = |value| {
        config(&[("POD_TERMINATION_GRACE_SECONDS", "600"), ("WORKER_SHUTDOWN_GRACE", value)])
            .map(|it| it.limits.total)
    };
    assert_eq!(grace("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(grace("1m30s"), Ok(Duration::from_secs(90)));
    assert_eq!(grace("200ms"), Ok(Duration::from_millis(200)));
    assert_eq!(grace("0.2"), Ok(Duration::from_millis(200)));
    assert_eq!(grace("25"), Ok(Duration::from_secs(25)));
    assert_eq!(grace(""), Ok(Duration::from_secs(595)));
    for value in ["soon", "-5s", "-5", "NaN", "5 parsecs"] {
        assert!(grace(value).is_err(), "{value}");
    }
}

#[test]
fn a_grace_beyond_the_pods_is_capped_and_never_refused() {
    let config =
        config(&[("POD_TERMINATION_GRACE_SECONDS", "45"), ("WORKER_SHUTDOWN_GRACE", "1m30s")]).unwrap();
    assert_eq!(config.limits.total, Duration::from_secs(40));
    let doubts: Vec<_> = config.doubts.iter().map(ToString::to_string).collect();
    let expected =
        "WORKER_SHUTDOWN_GRACE of 90s is capped at 40s, 5 s less than POD_TERMINATION_GRACE_SECONDS of 45s";
    assert_eq!(doubts, [expected]);
}

#[test]
fn a_grace_within_the_pods_is_taken_as_it_stands() {
    for (pod, grace) in [("", "25"), ("30", "25"), ("45", "40"), ("45", "0")] {
        let config =
            config(&[("POD_TERMINATION_GRACE_SECONDS", pod), ("WORKER_SHUTDOWN_GRACE", grace)]).unwrap();
        assert_eq!(config.limits.total.as_secs().to_string(), grace);
        assert_eq!(config.doubts, []);
    }
}

#[test]
fn a_log_level_that_is_not_known_is_info_and_a_doubt() {
    let config = config(&[("LOG_LEVEL", "loud")]).unwrap();
    assert_eq!(config.log_level, Level::Info);
    let doubts: Vec<_> = config.doubts.iter().map(ToString::to_string).collect();
    assert_eq!(doubts, ["LOG_LEVEL: \"loud\" is not debug, info, warn or error; info is used"]);
}

#[test]
fn an_error_names_the_variable_and_what_it_wants() {
    let error = config(&[("POD_TERMINATION_GRACE_SECONDS", "30s")]).unwrap_err().to_string();
    let expected =
        "environment variable POD_TERMINATION_GRACE_SECONDS: \"30s\" is not a whole number of seconds";
    assert_eq!(error, expected);
}

#[test]
fn a_bundle_that_the_image_chose_goes_before_the_systems() {
    let config =
        config(&[("SSL_CERT_FILE", "/own.pem"), ("PROXY_CA_CERT_PATH", "/p"), ("GITHUB_CA_CERT_PATH", "/g")]);
    let config = config.unwrap();
    assert_eq!(config.system_cas[0], PathBuf::from("/own.pem"));
    assert_eq!(config.system_cas.len(), 1 + ca::SYSTEM_BUNDLES.len());
    assert_eq!((config.proxy_ca, config.github_ca), (Some("/p".into()), Some("/g".into())));
}
