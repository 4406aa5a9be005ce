//! The audit test: what our accounts did in the whole run equals what `config/rbac` grants them, both ways.

use anyhow::{Context as _, Result, ensure};
use api::names;
use e2e::audit::{Audit, Entry};
use e2e::grants::{Excuses, faults, granted};
use e2e::world::{MANAGER, SYSTEM};
use e2e::{Namespace, World};

const ROLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/rbac");

pub async fn used_verbs_equal_granted_verbs(namespace: Namespace) -> Result<()> {
    let world = namespace.world();
    let entries = all(world)?;
    let excuses = Excuses::of(&entries, world.outages());

    let manager = format!("system:serviceaccount:{SYSTEM}:{MANAGER}");
    let of_manager: Vec<&Entry> = entries.iter().filter(|it| it.user == manager).collect();
    let of_controllers: Vec<&Entry> = entries.iter().filter(|it| home(it).is_some()).collect();
    ensure!(!of_manager.is_empty() && !of_controllers.is_empty(), "the audit log knows nothing of us");

    let mut found = Vec::new();
    for (role, requests) in [(MANAGER, of_manager), (names::CONTROLLER_ROLE, of_controllers.clone())] {
        let granted = granted(&manifest(role)?, role)?;
        found.extend(
            faults(&granted, &requests, &excuses, world.started)
                .into_iter()
                .map(|it| format!("{role}: {it}")),
        );
    }
    let abroad =
        of_controllers.iter().filter(|it| !it.resource.is_empty() && home(it) != Some(it.namespace.as_str()));
    found.extend(abroad.map(|it| format!("{} left its namespace: {it:?}", it.user)));
    ensure!(found.is_empty(), "in a run of the whole suite, {} faults:\n{}", found.len(), found.join("\n"));
    Ok(())
}

/// Everybody's requests since the cluster began.
fn all(world: &World) -> Result<Vec<Entry>> {
    let mut audit = Audit::open(world.environment.audit_log()?, "")?;
    Ok(audit.entries()?.to_vec())
}

/// The namespace of the controller that asked, if it was one.
fn home(entry: &Entry) -> Option<&str> {
    let (namespace, name) = entry.user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (name == names::CONTROLLER).then_some(namespace)
}

fn manifest(role: &str) -> Result<String> {
    let file = role.trim_start_matches("actions-gateway-");
    let path = format!("{ROLES}/{file}.yaml");
    std::fs::read_to_string(&path).context(path)
}
