use jiff::Timestamp;

use super::*;

const ROLE: &str = "
{ kind: ServiceAccount, metadata: { name: agent } }
---
kind: ClusterRole
metadata: { name: agent }
rules:
- { apiGroups: [''], resources: [pods, secrets], verbs: [create, patch] }
- { apiGroups: [a.example], resources: [things/finalizers], verbs: [update] }
- { apiGroups: [rbac], resources: [clusterroles], resourceNames: [agent], verbs: [bind] }
---
{ kind: Role, metadata: { name: other }, rules: [{ apiGroups: [''], resources: [nodes], verbs: [get] }] }
";

fn entry(verb: &str, resource: &str, code: u16) -> Entry {
    Entry {
        user: "agent".into(),
        pod: None,
        user_agent: String::new(),
        verb: verb.into(),
        group: String::new(),
        resource: resource.into(),
        subresource: String::new(),
        namespace: "home".into(),
        name: "x".into(),
        dry_run: false,
        code,
        message: "no".into(),
        time: Timestamp::UNIX_EPOCH,
    }
}

/// What is found when the account did this.
fn check(done: &[(&str, &str, u16)], expected: &[&str]) {
    let entries: Vec<Entry> =
        done.iter().map(|(verb, resource, code)| entry(verb, resource, *code)).collect();
    let entries: Vec<&Entry> = entries.iter().collect();
    let found =
        faults(&granted(ROLE, "agent").unwrap(), &entries, &Excuses::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

const ALL: [(&str, &str, u16); 3] =
    [("create", "pods", 201), ("patch", "pods", 200), ("patch", "secrets", 201)];

#[test]
fn what_is_granted_and_used_is_fine() {
    check(&ALL, &[]);
}

#[test]
fn what_is_granted_and_not_used_is_found() {
    check(
        &ALL[..2],
        &["create secrets is granted and never used", "patch secrets is granted and never used"],
    );
}

#[test]
fn a_use_counts_for_every_grant_that_allows_it() {
    let grant = |name: Option<&str>| Grant {
        group: String::new(),
        target: "pods".into(),
        verb: "get".into(),
        name: name.map(str::to_owned),
    };
    let grants = [grant(None), grant(Some("x")), grant(Some("y"))].into();
    let used = entry("get", "pods", 200);
    let found = faults(&grants, &[&used], &Excuses::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(found.len(), 1, "only that of the other name: {found:?}");
}

#[test]
fn an_apply_that_changes_is_no_create() {
    check(&[ALL[0], ALL[1], ("patch", "secrets", 200)], &["create secrets is granted and never used"]);
}

#[test]
fn what_is_used_and_not_granted_is_found() {
    let done = [&ALL[..], &[("get", "nodes", 200)]].concat();
    check(&done, &["get nodes is used and not granted"]);
}

#[test]
fn a_refusal_is_found_unless_the_namespace_is_ending() {
    check(&[&ALL[..], &[("list", "secrets", 403)]].concat(), &["list secrets was refused: no"]);
    let ending = Entry { name: "home".into(), ..entry("delete", "namespaces", 200) };
    let refused = entry("list", "secrets", 403);
    assert!(Excuses::of(&[ending], Vec::new()).explain(&refused));
    let (begin, end) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1).unwrap());
    assert!(Excuses::of(&[], vec![(begin, end)]).explain(&refused));
    assert!(!Excuses::of(&[], vec![(end, end)]).explain(&refused));
}

#[test]
fn what_is_refused_for_another_reason_is_no_lack_of_a_grant() {
    for message in ["exceeded quota: none", "cannot find RESTMapping for a kind that is new"] {
        let refused = Entry { message: message.into(), ..entry("create", "pods", 403) };
        let found =
            faults(&granted(ROLE, "other").unwrap(), &[&refused], &Excuses::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(found.len(), 1, "only the grant that is not used: {found:?}");
    }
}

#[test]
fn a_dry_run_is_refused_for_what_it_asks_unless_it_may_not_ask() {
    let found = |message: &str| {
        let refused = Entry { dry_run: true, message: message.into(), ..entry("create", "pods", 403) };
        faults(&granted(ROLE, "other").unwrap(), &[&refused], &Excuses::default(), Timestamp::UNIX_EPOCH)
            .len()
    };
    assert_eq!(found("violates PodSecurity"), 1, "only the grant that is not used");
    assert_eq!(found("User \"agent\" cannot create resource \"pods\""), 2);
}

#[test]
fn what_an_earlier_version_did_is_no_fault_and_a_use() {
    let (earlier, since) = (entry("get", "secrets", 200), Timestamp::from_second(1).unwrap());
    let used = entry("get", "nodes", 200);
    let found = faults(&granted(ROLE, "other").unwrap(), &[&earlier, &used], &Excuses::default(), since);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_wildcard_is_no_grant_that_could_be_compared() {
    let role =
        "{ kind: Role, metadata: { name: a }, rules: [{ apiGroups: [''], resources: ['*'], verbs: [get] }] }";
    assert!(granted(role, "a").is_err());
    assert!(granted(ROLE, "nobody").is_err());
}
