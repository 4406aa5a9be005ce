//! What an account may do, by the roles in `config/rbac`, against what it did, by the audit log. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Deserialize;

use crate::audit::Entry;

/// Granted, and never seen in an audit log: the API server asks for these inside other requests.
///
/// `bind` is asked for when a RoleBinding is written, `update` of `/finalizers` by the admission plugin
/// OwnerReferencesPermissionEnforcement when an object names an owner whose deletion it blocks.
fn is_asked_inside(grant: &Grant) -> bool {
    grant.verb == "bind" || (grant.verb == "update" && grant.target.ends_with("/finalizers"))
}

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// API group; empty for the core.
    pub group: String,
    /// Resource and subresource, such as `runnerjobs/status`.
    pub target: String,
    /// Such as `patch`.
    pub verb: String,
    /// The one object that it is for.
    pub name: Option<String>,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.verb, self.target, self.group)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

#[derive(Deserialize)]
struct Role {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<PolicyRule>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

/// What the roles of this name grant, Role and ClusterRole together.
pub fn granted(manifest: &str, role: &str) -> Result<BTreeSet<Grant>> {
    let mut grants = BTreeSet::new();
    for document in serde_yaml::Deserializer::from_str(manifest) {
        let object = Role::deserialize(document)?;
        if matches!(object.kind.as_str(), "Role" | "ClusterRole") && object.metadata.name == role {
            object.rules.iter().try_for_each(|rule| spell_out(rule, &mut grants))?;
        }
    }
    ensure!(!grants.is_empty(), "no role {role}");
    Ok(grants)
}

fn spell_out(rule: &PolicyRule, grants: &mut BTreeSet<Grant>) -> Result<()> {
    let groups = rule.api_groups.as_ref().context("a rule names API groups")?;
    let targets = rule.resources.as_ref().context("a rule names resources")?;
    let names: Vec<_> = match rule.resource_names.as_deref() {
        None | Some([]) => vec![None],
        Some(names) => names.iter().cloned().map(Some).collect(),
    };
    for (group, target) in groups.iter().flat_map(|group| targets.iter().map(move |it| (group, it))) {
        for (verb, name) in rule.verbs.iter().flat_map(|verb| names.iter().map(move |it| (verb, it))) {
            ensure!([verb, group, target].iter().all(|it| *it != "*"), "{rule:?} grants all there is");
            grants.insert(Grant {
                group: group.clone(),
                target: target.clone(),
                verb: verb.clone(),
                name: name.clone(),
            });
        }
    }
    Ok(())
}

/// What is wrong with the requests of one account, against what it is granted: a sentence each. Requests from before
/// `since` are no faults, since another version may have made them; what only a first start asks for is used by them.
pub fn faults(
    granted: &BTreeSet<Grant>,
    entries: &[&Entry],
    excuses: &Excuses,
    since: Timestamp,
) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    let mut unused: BTreeSet<&Grant> = granted.iter().filter(|it| !is_asked_inside(it)).collect();
    for entry in entries.iter().filter(|it| !it.resource.is_empty()) {
        if entry.code == 403 {
            if entry.time >= since && !is_no_lack(entry) && !excuses.explain(entry) {
                faults.insert(format!("{} {} was refused: {}", entry.verb, entry.target(), entry.message));
            }
            continue;
        }
        for verb in verbs(entry) {
            let fits = |it: &&Grant| {
                it.group == entry.group
                    && it.target == entry.target()
                    && it.verb == verb
                    && it.name.as_ref().is_none_or(|name| *name == entry.name)
            };
            // One may be granted in one namespace and another, for one name, everywhere.
            let fitting: Vec<&Grant> = granted.iter().filter(fits).collect();
            if fitting.is_empty() && entry.time >= since {
                faults.insert(format!("{verb} {} is used and not granted", entry.target()));
            }
            for grant in fitting {
                unused.remove(grant);
            }
        }
    }
    faults.extend(unused.into_iter().map(|it| format!("{it} is granted and never used")));
    faults
}

/// Whether a refusal is no lack of a grant: a tenant's quota; an admission plugin that has not learnt of a kind whose
/// definition is some seconds old; or whatever admission says of a dry run, which is made to hear it.
fn is_no_lack(entry: &Entry) -> bool {
    let unauthorized = entry.message.contains("cannot create resource");
    ["exceeded quota", "cannot find RESTMapping"].iter().any(|it| entry.message.contains(it))
        || entry.dry_run && !unauthorized
}

/// An apply that makes the object is a create as well.
fn verbs(entry: &Entry) -> Vec<&str> {
    match (entry.verb.as_str(), entry.code) {
        ("patch", 201) => vec!["patch", "create"],
        (verb, _) => vec![verb],
    }
}

/// What explains a refusal: from the time when the end of a namespace was asked for, whoever lives in it loses what it
/// may do there; and an API server that has just started does not know all roles yet.
#[derive(Debug, Default)]
pub struct Excuses {
    endings: BTreeMap<String, Timestamp>,
    outages: Vec<Outage>,
}

/// From the end of an API server until its successor was ready.
pub type Outage = (Timestamp, Timestamp);

impl Excuses {
    /// From the requests of everybody, and what was done to the API server.
    pub fn of(entries: &[Entry], outages: Vec<Outage>) -> Self {
        let asked = entries.iter().filter(|it| it.verb == "delete" && it.target() == "namespaces");
        let mut endings = BTreeMap::new();
        for entry in asked {
            endings.entry(entry.name.clone()).or_insert(entry.time);
        }
        Self { endings, outages }
    }

    fn explain(&self, refused: &Entry) -> bool {
        self.endings.get(&refused.namespace).is_some_and(|end| refused.time >= *end)
            || self.outages.iter().any(|(from, to)| (from..=to).contains(&&refused.time))
    }
}

#[cfg(test)]
mod tests;
