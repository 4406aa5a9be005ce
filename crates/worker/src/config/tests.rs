use super::*;

fn config(variables: &[(&str, &str)]) -> Result<Config, Error> {
    Config::from_env(|name| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).into()))
}

#[test]
fn without_variables_the_stock_image_is_assumed() {
    let config = config(&[]).unwrap();
    assert_eq!(config.home, PathBuf::from("/home/runner"));
    assert_eq!(config.run_dir, PathBuf::from("/run/actions-gateway"));
    assert_eq!(config.payload_dir, PathBuf::from("/run/secrets/job-payload"));
    assert_eq!(config.grace, Duration::from_secs(25));
    assert_eq!(config.log_level, Level::Info);
    assert!(config.extra_cas.is_empty());
    assert_eq!(report_path(|_| None), PathBuf::from("/dev/termination-log"));
}

#[test]
fn a_grace_is_a_duration_with_units_or_a_number_of_seconds() {
    let grace = |value| config(&[("WORKER_SHUTDOWN_GRACE", value)]).map(|it| it.grace);
    assert_eq!(grace("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(grace("1m30s"), Ok(Duration::from_secs(90)));
    assert_eq!(grace("200ms"), Ok(Duration::from_millis(200)));
    assert_eq!(grace("0.2"), Ok(Duration::from_millis(200)));
    assert_eq!(grace("25"), Ok(Duration::from_secs(25)));
    assert_eq!(grace(""), Ok(Duration::from_secs(25)));
    for value in ["soon", "-5s", "-5", "NaN", "5 parsecs"] {
        assert!(grace(value).is_err(), "{value}");
    }
}

#[test]
fn an_error_names_the_variable_and_what_it_wants() {
    let error = config(&[("LOG_LEVEL", "loud")]).unwrap_err().to_string();
    assert_eq!(error, "environment variable LOG_LEVEL: \"loud\" is not debug, info, warn or error");
}

#[test]
fn a_bundle_that_the_image_chose_goes_before_the_systems() {
    let config =
        config(&[("SSL_CERT_FILE", "/own.pem"), ("PROXY_CA_CERT_PATH", "/p"), ("GITHUB_CA_CERT_PATH", "/g")]);
    let config = config.unwrap();
    assert_eq!(config.system_cas[0], PathBuf::from("/own.pem"));
    assert_eq!(config.system_cas.len(), 1 + ca::SYSTEM_BUNDLES.len());
    assert_eq!(config.extra_cas, [PathBuf::from("/p"), PathBuf::from("/g")]);
}
