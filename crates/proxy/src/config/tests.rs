use std::collections::BTreeMap;

use super::*;
use crate::connect::Host;

fn config(variables: &[(&str, &str)]) -> Result<Config, InvalidRange> {
    let required = [("PROXY_TLS_CERT_FILE", "/tls/tls.crt"), ("PROXY_TLS_KEY_FILE", "/tls/tls.key")];
    let env: BTreeMap<_, _> =
        required.iter().chain(variables).map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Config::from_env(ProxyEnv::from_env(&env).unwrap())
}

#[test]
fn without_variables_the_documented_values_hold() {
    let config = config(&[]).unwrap();
    assert_eq!((config.port, config.health_port), (8080, 8081));
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn a_single_address_is_a_range_of_one() {
    let config = config(&[("PROXY_ALLOWED_CIDRS", "10.1.0.0/16, 127.0.0.1")]).unwrap();
    let judge = |address: &str| {
        let address = address.parse().unwrap();
        config.policy.judge(&Host::Address(address), 443, address).map(str::to_owned)
    };
    assert_eq!(judge("127.0.0.1"), Ok("127.0.0.1/32".to_owned()));
    assert_eq!(judge("10.1.9.9"), Ok("10.1.0.0/16".to_owned()));
    assert!(judge("127.0.0.2").is_err());
}

#[test]
fn an_invalid_range_is_named() {
    let error = config(&[("PROXY_ALLOWED_CIDRS", "10.1.0.0/33")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PROXY_ALLOWED_CIDRS: \"10.1.0.0/33\" is not an address range such as 10.1.0.0/16"
    );
}

#[test]
fn lingering_ends_with_the_drain() {
    let config = config(&[("PROXY_SHUTDOWN_DRAIN_TIMEOUT", "3s")]).unwrap();
    assert_eq!(config.limits.linger, Duration::from_secs(3));
}
