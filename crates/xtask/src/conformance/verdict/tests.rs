use std::path::PathBuf;

use serde_json::json;

use super::*;

const EXCLUDED: &str = "[sig-network] Netpol over SCTP # the kernel has none\n";

fn lists() -> Lists {
    Lists::parse("# why\n[sig-node] Pods run\n", "[sig-network] Netpol denies\n", EXCLUDED).unwrap()
}

/// A report of these specs: container, text, state.
fn report(specs: &[(&str, &str, &str)]) -> String {
    let specs = specs.iter().map(|(container, text, state)| {
        json!({"LeafNodeType": "It", "ContainerHierarchyTexts": [container], "LeafNodeText": text, "State": state})
    });
    let suite = json!({"LeafNodeType": "SynchronizedBeforeSuite", "State": "passed"});
    json!([{"SpecReports": specs.chain([suite]).collect::<Vec<_>>()}]).to_string()
}

const GOOD: [(&str, &str, &str); 4] = [
    ("[sig-node] Pods", "run", "passed"),
    ("[sig-network] Netpol", "denies", "passed"),
    ("[sig-network] Netpol", "over SCTP", "skipped"),
    ("[sig-storage] Disks", "spin", "skipped"),
];

fn judged(change: impl FnOnce(&mut Vec<(&str, &str, &str)>)) -> Result<()> {
    let mut specs = GOOD.to_vec();
    change(&mut specs);
    Verdict::of(&report(&specs), &lists())?.into_result()
}

#[test]
fn a_run_in_which_all_listed_specs_pass_is_good_and_says_so() {
    let verdict = Verdict::of(&report(&GOOD), &lists()).unwrap();
    let said = verdict.to_string();
    assert!(
        said.ends_with("listed 2 (1 conformance, 1 NetworkPolicy), run 2, passed 2, failed 0, excluded 1")
    );
    assert!(said.contains("excluded: [sig-network] Netpol over SCTP: the kernel has none\n"), "{said}");
    verdict.into_result().unwrap();
}

#[test]
fn a_spec_that_fails_fails_the_run() {
    for state in ["failed", "panicked", "timedout", "interrupted", "aborted", ""] {
        assert!(judged(|specs| specs[0].2 = state).is_err(), "{state}");
    }
}

#[test]
fn a_listed_spec_that_does_not_run_fails_the_run() {
    assert!(judged(|specs| specs[0].2 = "skipped").is_err());
    assert!(judged(|specs| _ = specs.remove(0)).is_err());
}

#[test]
fn a_spec_about_network_policies_that_no_list_names_fails_the_run() {
    let error = judged(|specs| specs.push(("[sig-network] Netpol", "is new", "skipped"))).unwrap_err();
    assert!(error.to_string().contains("1 in no list"), "{error}");
}

#[test]
fn excluding_what_is_not_there_fails_the_run() {
    assert!(judged(|specs| specs.truncate(2)).is_err());
}

#[test]
fn an_exclusion_needs_a_reason_and_a_list_needs_specs() {
    assert!(Lists::parse("a", "b", "[sig-network] Netpol over SCTP").is_err());
    assert!(Lists::parse("# nothing\n", "b", "").is_err());
    assert!(Lists::parse("a", "", "").is_err());
}

#[test]
fn the_committed_lists_are_of_use() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/cluster/conformance/specs");
    let lists = Lists::read(&folder).unwrap();
    assert!(lists.network_policy.iter().all(|it| it.starts_with(NETWORK_POLICY)));
    assert_eq!(lists.required().count(), lists.conformance.len() + lists.network_policy.len());
}
