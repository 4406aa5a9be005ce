//! The manifests that people start from.

use anyhow::{Context as _, Result, ensure};
use e2e::{Namespace, tools};
use serde::Deserialize as _;
use serde_yaml::Value;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

/// Every example is something that the API server takes; only the namespace is another.
pub async fn apply_as_written(namespace: Namespace) -> Result<()> {
    namespace.world().product().await?;
    let mut manifests = Vec::new();
    for folder in [EXAMPLES.to_owned(), format!("{EXAMPLES}/demo")] {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "yaml") {
                let text = std::fs::read_to_string(&path)?;
                let documents =
                    manifests_of(&text, namespace.name()).with_context(|| format!("{}", path.display()))?;
                manifests.extend(documents);
            }
        }
    }
    ensure!(manifests.len() >= 4, "only {} manifests in {EXAMPLES}", manifests.len());
    let all = manifests.join("---\n");
    let dry_run = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
    tools::run("kubectl", &dry_run, &all).await.map(drop)
}

/// The Kubernetes objects of a file, moved to a namespace. Workflows for the fake GitHub are none.
fn manifests_of(text: &str, namespace: &str) -> Result<Vec<String>> {
    let mut manifests = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let mut object = Value::deserialize(document)?;
        if object.get("kind").is_none() {
            continue;
        }
        if let Some(place) = object.get_mut("metadata").and_then(|it| it.get_mut("namespace")) {
            *place = Value::from(namespace);
        }
        manifests.push(serde_yaml::to_string(&object)?);
    }
    Ok(manifests)
}
