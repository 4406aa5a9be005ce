use super::*;

fn full() -> ProxyEnv {
    ProxyEnv {
        port: 3128,
        health_port: 9091,
        dial_timeout: Duration::from_millis(1500),
        drain_timeout: Duration::from_secs(45),
        linger: Duration::ZERO,
        tls_cert_file: "/tls/tls.crt".into(),
        tls_key_file: "/tls/tls.key".into(),
        allowed_host_suffixes: vec!["github.com".into(), "githubusercontent.com".into()],
        allowed_cidrs: vec!["192.0.2.0/24".into()],
        log_level: "debug".into(),
    }
}

#[test]
fn what_is_written_is_read_back() {
    assert_eq!(ProxyEnv::from_env(&full().to_env()), Ok(full()));
}

#[test]
fn the_certificate_must_be_named() {
    assert_eq!(ProxyEnv::from_env(&BTreeMap::new()), Err(EnvError::Missing("PROXY_TLS_CERT_FILE")));
}

#[test]
fn a_negative_time_is_refused() {
    let mut env = full().to_env();
    env.insert("PROXY_DIAL_TIMEOUT".into(), "-1s".into());
    let error = ProxyEnv::from_env(&env).unwrap_err().to_string();
    assert_eq!(
        error,
        "environment variable PROXY_DIAL_TIMEOUT: \"-1s\" is not a number of seconds, as in 45s"
    );
}

#[test]
fn what_a_client_is_told_is_read_back_and_stands_in_both_spellings() {
    let client = ClientEnv {
        http: Some("http://proxy:8080".into()),
        https: Some("https://proxy:8080".into()),
        none: Some("localhost,.svc".into()),
        ca_file: Some("/ca.crt".into()),
    };
    let env = client.to_env();
    assert_eq!(ClientEnv::from_env(&env), client);
    assert_eq!(env["https_proxy"], "https://proxy:8080");
    assert_eq!(env.len(), 7);
}

#[test]
fn a_client_without_a_proxy_is_told_nothing() {
    assert_eq!(ClientEnv::default().to_env(), BTreeMap::new());
    let emptied = BTreeMap::from([("HTTPS_PROXY".to_owned(), String::new())]);
    assert_eq!(ClientEnv::from_env(&emptied), ClientEnv::default());
}
