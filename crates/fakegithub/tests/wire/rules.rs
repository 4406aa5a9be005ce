//! The rules of the protocol, in bytes on a socket. `rules.md` says which test holds which rule.

mod app_tokens;
mod claims;
mod locks;
mod oauth;
mod polls;
mod runners;
mod sessions;

use std::collections::BTreeSet;
use std::process::Command;

const TABLE: &str = include_str!("rules.md");

/// The tests that a row of the table names: accepting and refusing.
fn named(row: &str) -> [&str; 2] {
    let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
    let [_, section, rule, accepting, refusing, _] = cells[..] else { panic!("five bars in {row}") };
    assert!(!section.is_empty() && !rule.is_empty(), "{row}");
    [accepting, refusing]
}

fn rows() -> impl Iterator<Item = &'static str> {
    TABLE.lines().skip_while(|line| !line.starts_with("|---")).skip(1)
}

/// The tests of this binary, as it lists them itself.
fn tests() -> BTreeSet<String> {
    let listing = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    listing.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[test]
fn every_rule_names_two_tests_that_there_are() {
    let tests = tests();
    for row in rows() {
        for name in named(row) {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
    }
}

#[test]
fn every_test_of_a_rule_is_in_the_table() {
    let named: BTreeSet<&str> = rows().flat_map(named).collect();
    let of_rules = |name: &String| name.strip_prefix("rules::").is_some_and(|rest| rest.contains("::"));
    let unnamed: Vec<String> =
        tests().into_iter().filter(of_rules).filter(|name| !named.contains(name.as_str())).collect();
    assert_eq!(unnamed, Vec::<String>::new());
}
