//! Holds the crates of the workspace to the layers of `ARCHITECTURE.md`: which of ours each one uses, and what the deciding
//! ones may not be linked with.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// A crate, and the crates of ours that it uses.
type Uses = (&'static str, &'static [&'static str]);

/// The layers of `ARCHITECTURE.md`. A crate uses only what stands above it.
const LAYERS: [(&str, &[Uses]); 4] = [
    (
        DECIDING,
        &[
            ("api", &[]),
            ("handoff", &[]),
            ("github-proto", &[]),
            ("signals", &[]),
            ("backoff", &[]),
            ("job", &["api", "backoff"]),
            ("admission", &[]),
        ],
    ),
    (
        "doing, shared",
        &[
            ("runtime", &["backoff", "signals"]),
            ("operator", &["api", "runtime", "signals"]),
            ("github", &["github-proto", "runtime"]),
        ],
    ),
    (
        PROGRAMS,
        &[
            ("gmc", &["api", "handoff", "github-proto", "operator", "runtime", "signals"]),
            (
                "agc",
                &[
                    "api",
                    "handoff",
                    "github-proto",
                    "job",
                    "admission",
                    "operator",
                    "github",
                    "runtime",
                    "signals",
                ],
            ),
            ("proxy", &["handoff", "runtime", "signals"]),
            ("worker", &["handoff"]),
            ("fakegithub", &["runtime"]),
        ],
    ),
    (
        "for developers",
        &[
            ("testkit", &[]),
            ("xtask", &[]),
            ("standin-runner", &[]),
            ("bench", &["runtime", "testkit"]),
            ("e2e", &["admission", "api", "handoff", "job"]),
        ],
    ),
];

const DECIDING: &str = "deciding";
const PROGRAMS: &str = "programs";

/// What a simulation on virtual time would run. `runtime` has the clock that is the system's.
const SIMULATED: [&str; 4] = ["operator", "github", "gmc", "agc"];

/// Sockets, the API server, TLS and chance. The clock has no crate of its own: `.clippy-deciding.toml` bans it.
const NOT_FOR_DECIDING: [&str; 7] =
    ["tokio", "kube-client", "kube-runtime", "hyper", "rustls", "rand", "getrandom"];

#[test]
fn each_crate_uses_exactly_the_crates_that_the_layers_name() {
    let named: BTreeMap<&str, BTreeSet<&str>> =
        members().map(|(name, uses)| (name, uses.iter().copied().collect())).collect();
    let members: BTreeSet<&str> = GRAPH.members.iter().map(String::as_str).collect();
    let used: BTreeMap<&str, BTreeSet<&str>> = members
        .iter()
        .map(|name| (*name, GRAPH.uses(name, Kinds::Shipped).filter(|it| members.contains(it)).collect()))
        .collect();
    assert_eq!(used, named, "left: as it is, right: as LAYERS says");
}

#[test]
fn a_crate_uses_only_what_stands_above_it() {
    let order: Vec<&str> = members().map(|(name, _)| name).collect();
    let place = |name: &str| order.iter().position(|it| *it == name).unwrap();
    for (name, uses) in members() {
        assert!(uses.iter().all(|it| place(it) < place(name)), "{name} uses what stands below it");
    }
    for name in layer(PROGRAMS) {
        let met: Vec<&str> =
            GRAPH.uses(name, Kinds::Shipped).filter(|it| layer(PROGRAMS).any(|p| p == *it)).collect();
        assert!(met.is_empty(), "a program uses another: {name} uses {met:?}");
    }
}

#[test]
fn nothing_that_decides_is_linked_with_sockets_or_chance() {
    for name in layer(DECIDING) {
        let linked = GRAPH.reach(name, Kinds::Shipped);
        let banned: Vec<&&str> = NOT_FOR_DECIDING.iter().filter(|it| linked.contains(**it)).collect();
        assert!(
            banned.is_empty(),
            "{name} is linked with {banned:?}: `cargo tree -p {name} -i NAME` says by what"
        );
    }
}

#[test]
fn what_decides_is_linted_against_clock_and_environment() {
    assert_linted(layer(DECIDING), ".clippy-deciding.toml");
}

#[test]
fn what_a_simulation_runs_is_linted_against_the_systems_clock_and_chance() {
    assert_linted(SIMULATED.into_iter(), ".clippy-simulated.toml");
}

/// Each crate's lints are those of this file, which has those of the workspace and bans the clock.
fn assert_linted(crates: impl Iterator<Item = &'static str>, file: &str) {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        fs::read_to_string(path).unwrap_or_default()
    };
    let bans = read(file);
    assert!(bans.starts_with(&read(".clippy.toml")), "{file} is to begin as .clippy.toml does");
    assert!(bans.contains("jiff::Timestamp::now"), "{file} lets the clock pass");
    for name in crates {
        let own = read(&format!("crates/{name}/.clippy.toml"));
        assert!(own == bans, "crates/{name}/.clippy.toml is to be a link to ../../{file}");
    }
}

#[test]
fn gmc_and_agc_never_meet() {
    for name in &GRAPH.members {
        let reached = GRAPH.reach(name, Kinds::All);
        assert!(!(reached.contains("gmc") && reached.contains("agc")), "{name} brings gmc and agc together");
    }
}

/// A misreading of the protocol must not be made twice.
#[test]
fn what_stands_in_for_github_shares_no_type_with_our_clients() {
    let fake = GRAPH.reach("fakegithub", Kinds::All);
    let stand_in = GRAPH.reach("standin-runner", Kinds::Shipped);
    for client in ["github", "github-proto"] {
        assert!(!fake.contains(client), "fakegithub reaches {client}");
        assert!(!stand_in.contains(client), "standin-runner reaches {client}");
    }
}

#[test]
fn what_is_known_to_be_linked_is_found_so() {
    let operator = GRAPH.reach("operator", Kinds::Shipped);
    for name in ["tokio", "kube-client", "kube-runtime", "hyper", "rustls", "rand"] {
        assert!(operator.contains(name), "operator is not seen to use {name}: the reader is broken");
    }
    assert!(!operator.contains("insta"), "dev-dependencies are taken for shipped ones");
}

fn members() -> impl Iterator<Item = Uses> {
    LAYERS.iter().flat_map(|(_, crates)| crates.iter().copied())
}

fn layer(layer: &str) -> impl Iterator<Item = &'static str> {
    LAYERS
        .iter()
        .filter(move |(name, _)| *name == layer)
        .flat_map(|(_, crates)| crates.iter().map(|(name, _)| *name))
}

/// Which dependencies count.
#[derive(Clone, Copy)]
enum Kinds {
    /// What is built into the crate.
    Shipped,
    /// What its tests use too. What those dependencies have for tests of their own is never compiled, and does not count.
    All,
}

/// What cargo knows of the workspace, by names. Its features are those of a build of the whole workspace: what a crate is
/// not linked with here, it is linked with in no other build.
struct Graph {
    members: BTreeSet<String>,
    shipped: BTreeMap<String, BTreeSet<String>>,
    for_tests: BTreeMap<String, BTreeSet<String>>,
}

static GRAPH: LazyLock<Graph> = LazyLock::new(Graph::read);

impl Graph {
    fn read() -> Self {
        let host = stdout(Command::new("rustc").args(["--print", "host-tuple"]));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host.trim()]);
        let metadata: Value = serde_json::from_str(&stdout(&mut command)).unwrap();
        let names: BTreeMap<&str, &str> =
            list(&metadata["packages"]).map(|it| (text(&it["id"]), text(&it["name"]))).collect();
        let mut graph = Self {
            members: list(&metadata["workspace_members"]).map(|it| names[text(it)].to_owned()).collect(),
            shipped: BTreeMap::new(),
            for_tests: BTreeMap::new(),
        };
        for node in list(&metadata["resolve"]["nodes"]) {
            let name = names[text(&node["id"])];
            for dependency in list(&node["deps"]) {
                let used = names[text(&dependency["pkg"])];
                let is_shipped = list(&dependency["dep_kinds"]).any(|it| it["kind"] != "dev");
                let edges = if is_shipped { &mut graph.shipped } else { &mut graph.for_tests };
                edges.entry(name.to_owned()).or_default().insert(used.to_owned());
            }
        }
        graph
    }

    /// The crates that `name` itself uses.
    fn uses(&self, name: &str, kinds: Kinds) -> impl Iterator<Item = &str> {
        let for_tests = match kinds {
            Kinds::Shipped => None,
            Kinds::All => self.for_tests.get(name),
        };
        self.shipped.get(name).into_iter().chain(for_tests).flatten().map(String::as_str)
    }

    /// `name`, the crates that it uses, those that they use, and so on.
    fn reach(&self, name: &str, kinds: Kinds) -> BTreeSet<&str> {
        let mut next: Vec<&str> = self.uses(name, kinds).collect();
        let mut reached: BTreeSet<&str> = self.members.get(name).map(String::as_str).into_iter().collect();
        while let Some(name) = next.pop() {
            if reached.insert(name) {
                next.extend(self.uses(name, Kinds::Shipped));
            }
        }
        reached
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
