//! What came of the specs, held against the lists of what had to run.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Every spec whose name begins so is about NetworkPolicies.
const NETWORK_POLICY: &str = "[sig-network] Netpol ";

/// The committed lists: what is run, what is not, and why.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Conformance specs, and some of features that we use.
    conformance: BTreeSet<String>,
    /// All specs about NetworkPolicies, but for the excluded.
    network_policy: BTreeSet<String>,
    /// Specs about NetworkPolicies that are not run, by name, and why not.
    excluded: BTreeMap<String, String>,
}

impl Lists {
    /// Reads the lists of a folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let text = |name| {
            let file = folder.join(name);
            fs::read_to_string(&file).with_context(|| file.display().to_string())
        };
        Self::parse(&text("conformance.txt")?, &text("networkpolicy.txt")?, &text("excluded.txt")?)
    }

    fn parse(conformance: &str, network_policy: &str, excluded: &str) -> Result<Self> {
        let mut reasons = BTreeMap::new();
        for line in lines(excluded) {
            let (name, reason) =
                line.split_once(" # ").with_context(|| format!("no reason given: {line}"))?;
            reasons.insert(name.to_owned(), reason.to_owned());
        }
        let set = |text| lines(text).map(str::to_owned).collect::<BTreeSet<_>>();
        let lists =
            Self { conformance: set(conformance), network_policy: set(network_policy), excluded: reasons };
        if lists.conformance.is_empty() || lists.network_policy.is_empty() {
            bail!("a list of specs is empty");
        }
        Ok(lists)
    }

    /// Names of all specs that must run and pass.
    pub(super) fn required(&self) -> impl Iterator<Item = &str> {
        self.conformance.union(&self.network_policy).map(String::as_str)
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|it| !it.is_empty() && !it.starts_with('#'))
}

/// How the run is judged.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    conformance: usize,
    network_policy: usize,
    passed: usize,
    failed: Vec<String>,
    /// Required and not run.
    missing: Vec<String>,
    /// About NetworkPolicies and in no list.
    unlisted: Vec<String>,
    /// Excluded, by name, with the reason.
    excluded: BTreeMap<String, String>,
    /// Excluded, and unknown to upstream.
    unknown: Vec<String>,
}

impl Verdict {
    /// Judges ginkgo's JSON report of one suite.
    pub(super) fn of(report: &str, lists: &Lists) -> Result<Self> {
        let states = states(report)?;
        let mut verdict = Self {
            conformance: lists.conformance.len(),
            network_policy: lists.network_policy.len(),
            excluded: lists.excluded.clone(),
            ..Self::default()
        };
        for name in lists.required() {
            match states.get(name).map(String::as_str) {
                Some("passed") => verdict.passed += 1,
                None | Some("skipped" | "pending") => verdict.missing.push(name.to_owned()),
                Some(_) => verdict.failed.push(name.to_owned()),
            }
        }
        let listed = |name: &String| lists.network_policy.contains(name) || lists.excluded.contains_key(name);
        let about = states.keys().filter(|it| it.starts_with(NETWORK_POLICY));
        verdict.unlisted = about.filter(|it| !listed(it)).cloned().collect();
        verdict.unknown = lists.excluded.keys().filter(|it| !states.contains_key(*it)).cloned().collect();
        Ok(verdict)
    }

    /// The run is good when every listed spec has passed, and the lists say what becomes of each that there is.
    pub(super) fn into_result(self) -> Result<()> {
        let Self { failed, missing, unlisted, unknown, .. } = self;
        if [&failed, &missing, &unlisted, &unknown].iter().all(|it| it.is_empty()) {
            return Ok(());
        }
        bail!(
            "{} failed, {} did not run, {} in no list, {} excluded without being there",
            failed.len(),
            missing.len(),
            unlisted.len(),
            unknown.len()
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tell =
            |what: &str, names: &[String]| names.iter().try_for_each(|name| writeln!(f, "{what}: {name}"));
        tell("FAILED", &self.failed)?;
        tell("DID NOT RUN", &self.missing)?;
        tell("IN NO LIST", &self.unlisted)?;
        tell("EXCLUDED, NOT THERE", &self.unknown)?;
        for (name, reason) in &self.excluded {
            writeln!(f, "excluded: {name}: {reason}")?;
        }
        let listed = self.conformance + self.network_policy;
        let failed = self.failed.len();
        write!(
            f,
            "listed {listed} ({} conformance, {} NetworkPolicy), run {}, passed {}, failed {failed}, excluded {}",
            self.conformance,
            self.network_policy,
            self.passed + failed,
            self.passed,
            self.excluded.len()
        )
    }
}

/// How each spec of the report ended, by its whole name.
fn states(report: &str) -> Result<BTreeMap<String, String>> {
    let report: Value = serde_json::from_str(report).context("reading ginkgo's report")?;
    let specs = report[0]["SpecReports"].as_array().context("ginkgo's report has no specs")?;
    let specs = specs.iter().filter(|it| it["LeafNodeType"] == "It");
    Ok(specs.map(|it| (name(it), it["State"].as_str().unwrap_or_default().to_owned())).collect())
}

fn name(spec: &Value) -> String {
    let containers = spec["ContainerHierarchyTexts"].as_array().into_iter().flatten();
    containers.chain([&spec["LeafNodeText"]]).filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}
