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
