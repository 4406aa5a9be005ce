//! Every CEL rule of every definition lets one object pass and refuses another, in its own words.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Namespace, schema};
use serde_json::json;

use super::cases::{self, Attempt, Case};
use super::objects::Writer;

/// Where the definitions are.
pub const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/crd");

pub async fn each_admits_and_rejects(namespace: Namespace) -> Result<()> {
    let rules = schema::read(Path::new(DEFINITIONS))?.rules;
    ensure!(!rules.is_empty(), "no rule was found in {DEFINITIONS}");
    let cases = cases::all();
    let wanted: BTreeSet<_> =
        rules.iter().map(|it| (it.kind.as_str(), it.path.as_str(), it.rule.as_str())).collect();
    let written: BTreeSet<_> = cases.iter().map(|it| (it.kind.name(), it.path.as_str(), it.rule)).collect();
    let missing: Vec<_> = wanted.difference(&written).collect();
    let leftover: Vec<_> = written.difference(&wanted).collect();
    ensure!(missing.is_empty(), "rules without a case: {missing:#?}");
    ensure!(leftover.is_empty(), "cases without a rule: {leftover:#?}");
    ensure!(cases.len() == written.len(), "a rule has two cases");

    let writer = Writer::new(&namespace).await?;
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let rule = rules.iter().find(|it| {
            (it.kind.as_str(), it.path.as_str(), it.rule.as_str())
                == (case.kind.name(), case.path.as_str(), case.rule)
        });
        let message = &rule.context("every case has its rule")?.message;
        if let Err(error) = check(&writer, number, case, message).await {
            failures.push(format!("{} {}: {}: {error:#}", case.kind.name(), case.path, case.rule));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

async fn check(writer: &Writer, number: usize, case: &Case, message: &str) -> Result<()> {
    attempt(writer, case, &case.accepted, &format!("accepted-{number}"))
        .await
        .context("refused what it should accept")?;
    match attempt(writer, case, &case.refused, &format!("refused-{number}")).await {
        Ok(()) => bail!("accepted {:?}", case.refused),
        Err(error) => {
            let said = format!("{error:#}");
            ensure!(said.contains(message), "refused with {said:?} instead of {message:?}");
            Ok(())
        }
    }
}

async fn attempt(writer: &Writer, case: &Case, attempt: &Attempt, name: &str) -> Result<()> {
    let mut object = case.kind.minimal();
    object["metadata"]["name"] = json!(name);
    match attempt {
        Attempt::Create(patch) => {
            json_patch::merge(&mut object, patch);
            writer.create(case.kind, &object, true).await?;
        }
        Attempt::Change(before, change) => {
            json_patch::merge(&mut object, before);
            writer.create(case.kind, &object, false).await.context("making the object to change")?;
            writer.change(case.kind, name, change).await?;
        }
    }
    Ok(())
}
