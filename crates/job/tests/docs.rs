//! The operators' page knows every failure reason, and no other; and it knows which of them nothing sets.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fs;

use job::FailureReason;
use strum::IntoEnumIterator as _;

fn root() -> String {
    format!("{}/../..", env!("CARGO_MANIFEST_DIR"))
}

/// The first words of the rows in each table of the section, table by table.
fn tables() -> Vec<BTreeSet<String>> {
    let page = fs::read_to_string(format!("{}/docs/operating/troubleshooting.md", root())).unwrap();
    let (_, section) = page.split_once("\n## By failure reason\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let word = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let table = |text: &str| text.lines().filter_map(word).collect::<BTreeSet<String>>();
    section.split("\n\n").map(table).filter(|it| !it.is_empty()).collect()
}

#[test]
fn every_failure_reason_has_an_entry_and_every_entry_is_a_failure_reason() {
    let [set, unset] = tables().try_into().unwrap();
    let named: BTreeSet<String> = set.union(&unset).cloned().collect();
    assert_eq!(named, FailureReason::iter().map(|it| it.as_str().to_owned()).collect());
    assert!(set.is_disjoint(&unset), "named twice: {:?}", set.intersection(&unset));
}

/// Whoever begins to set a reason moves its row, and whoever stops doing so, too.
#[test]
fn the_page_tells_which_reasons_are_set_and_which_are_not_yet() {
    let [set, unset] = tables().try_into().unwrap();
    let sources = deciding_sources();
    let is_set = |reason: &FailureReason| sources.contains(&format!("<{reason:?}>"));
    let (truly_set, truly_unset): (Vec<FailureReason>, Vec<FailureReason>) =
        FailureReason::iter().partition(is_set);
    let words = |reasons: Vec<FailureReason>| reasons.iter().map(|it| it.as_str().to_owned()).collect();
    assert_eq!((set, unset), (words(truly_set), words(truly_unset)));
}

/// Every mention of a reason that stands for setting it: the machine's files, and of the file that declares the reasons what
/// stands after the declarations.
fn deciding_sources() -> String {
    let outcome = fs::read_to_string(format!("{}/crates/job/src/outcome.rs", root())).unwrap();
    let (_, deciding) = outcome.split_once("/// Why we ended or removed a worker pod").unwrap();
    let machine = fs::read_dir(format!("{}/crates/job/src/job", root())).unwrap();
    let machine = machine.map(|it| it.unwrap().path()).filter(|it| it.is_file() && !it.ends_with("tests.rs"));
    let machine: String = machine.map(|it| fs::read_to_string(it).unwrap()).collect();
    let entry = fs::read_to_string(format!("{}/crates/job/src/job.rs", root())).unwrap();
    let all = deciding.to_owned() + &machine + &entry;
    all.lines().flat_map(reasons_named).collect::<Vec<String>>().join("\n")
}

/// `FailureReason::X`, and `Self::X` where the line turns something into one.
fn reasons_named(line: &str) -> Vec<String> {
    let after = |marker: &'static str| line.split(marker).skip(1);
    let name = |rest: &str| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    let turned = line.contains("Disruption::").then(|| after("=> Self::")).into_iter().flatten();
    after("FailureReason::").chain(turned).map(|rest| format!("<{}>", name(rest))).collect()
}
