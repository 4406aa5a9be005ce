use super::*;

fn policy(suffixes: &[&str], ranges: &[&str]) -> Policy {
    let suffixes: Vec<String> = suffixes.iter().map(ToString::to_string).collect();
    Policy::new(&suffixes, ranges.iter().map(|it| it.parse().unwrap()).collect())
}

fn name(name: &str) -> Host {
    Host::Name(name.to_owned())
}

const PUBLIC: &str = "140.82.112.3";

#[track_caller]
fn check(policy: &Policy, host: &Host, port: u16, address: &str, expected: Result<&str, Denial>) {
    assert_eq!(policy.judge(host, port, address.parse().unwrap()), expected);
}

#[test]
fn a_suffix_admits_itself_and_what_is_below() {
    let policy = policy(&[".GitHub.com", "*.example.org"], &[]);
    check(&policy, &name("github.com"), 443, PUBLIC, Ok("github.com"));
    check(&policy, &name("api.github.com"), 443, PUBLIC, Ok("github.com"));
    check(&policy, &name("a.b.example.org"), 443, PUBLIC, Ok("example.org"));
    check(&policy, &name("notgithub.com"), 443, PUBLIC, Err(Denial::Host));
    check(&policy, &name("github.com.evil.net"), 443, PUBLIC, Err(Denial::Host));
    check(&policy, &name("com"), 443, PUBLIC, Err(Denial::Host));
}

#[test]
fn names_lead_to_https_only() {
    check(&policy(&["github.com"], &[]), &name("github.com"), 22, PUBLIC, Err(Denial::Port));
}

#[test]
fn without_names_githubs_own_hold() {
    let policy = policy(&["", " "], &[]);
    for host in
        ["api.github.com", "broker.actions.githubusercontent.com", "ghcr.io", "x.blob.core.windows.net"]
    {
        assert!(policy.may_resolve(host, 443).is_ok(), "{host}");
    }
    assert_eq!(policy.may_resolve("example.org", 443), Err(Denial::Host));
}

#[test]
fn an_allowed_name_at_an_address_that_is_not_public_is_denied() {
    let policy = policy(&["github.com"], &[]);
    let special = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::",
        "100::1",
    ];
    for address in special {
        check(&policy, &name("github.com"), 443, address, Err(Denial::Address));
    }
    for address in [
        PUBLIC,
        "172.32.0.1",
        "100.128.0.1",
        "::ffff:140.82.112.3",
        "2606:50c0:8000::153",
        "64:ff9b::8c52:7003",
    ] {
        check(&policy, &name("github.com"), 443, address, Ok("github.com"));
    }
}

#[test]
fn an_allowed_range_admits_its_addresses_under_any_name_and_port() {
    let policy = policy(&["github.com"], &["10.1.0.0/16", "fd00::/8"]);
    check(&policy, &name("github.com"), 443, "10.1.2.3", Ok("10.1.0.0/16"));
    check(&policy, &name("ghes.corp"), 8443, "10.1.2.3", Ok("10.1.0.0/16"));
    check(&policy, &name("ghes.corp"), 443, "::ffff:10.1.2.3", Ok("10.1.0.0/16"));
    check(&policy, &Host::Address("fd00::1".parse().unwrap()), 443, "fd00::1", Ok("fd00::/8"));
    check(&policy, &name("ghes.corp"), 443, "10.2.0.1", Err(Denial::Host));
    check(&policy, &name("github.com"), 443, "10.2.0.1", Err(Denial::Address));
}

#[test]
fn an_address_instead_of_a_name_needs_its_range_allowed() {
    let policy = policy(&["github.com"], &[]);
    check(&policy, &Host::Address(PUBLIC.parse().unwrap()), 443, PUBLIC, Err(Denial::Address));
}

#[test]
fn a_name_that_nothing_can_make_right_is_not_looked_up() {
    assert_eq!(policy(&["github.com"], &[]).may_resolve("secret.evil.net", 443), Err(Denial::Host));
    assert_eq!(policy(&["github.com"], &["10.1.0.0/16"]).may_resolve("ghes.corp", 443), Ok(()));
}
