//! Every bound of every field lets the last good value pass and refuses the first bad one.

mod table;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Namespace, schema};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;

use super::objects::{Writer, put, spoken};
use super::rules::DEFINITIONS;
use table::Side;

/// Requests at a time.
const AT_ONCE: usize = 8;

pub async fn each_admits_and_rejects(namespace: Namespace) -> Result<()> {
    let table = table::all();
    let written: BTreeSet<_> =
        table.iter().map(|it| key(it.kind.name(), &it.path, it.keyword, &it.limit)).collect();
    let bounds = schema::read(Path::new(DEFINITIONS))?.bounds;
    let wanted: BTreeSet<_> = bounds
        .iter()
        .filter(|it| !it.path.starts_with("status"))
        .map(|it| key(&it.kind, &it.path, &it.keyword, &it.limit))
        .collect();
    let missing: Vec<_> = wanted.difference(&written).collect();
    let leftover: Vec<_> = written.difference(&wanted).collect();
    ensure!(missing.is_empty(), "bounds in the definitions that the table does not have: {missing:#?}");
    ensure!(leftover.is_empty(), "bounds in the table that the definitions do not have: {leftover:#?}");

    let writer = Writer::new(&namespace).await?;
    let failures: Vec<String> = stream::iter(table)
        .map(async |side| {
            check(&writer, &side).await.err().map(|error| {
                format!("{}: {error:#}", key(side.kind.name(), &side.path, side.keyword, &side.limit))
            })
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(futures::future::ready)
        .collect()
        .await;
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn key(kind: &str, path: &str, keyword: &str, limit: &Value) -> String {
    format!("{kind} {path} {keyword} {limit}")
}

async fn check(writer: &Writer, side: &Side) -> Result<()> {
    for value in &side.accepted {
        let object = object(side, value)?;
        writer.create(side.kind, &object, true).await.with_context(|| format!("refused {value}"))?;
    }
    match writer.create(side.kind, &object(side, &side.refused)?, true).await {
        Ok(_) => bail!("accepted {}", side.refused),
        Err(error) => {
            let (said, path) = (error.to_string(), spoken(&side.path));
            let words = words(side.keyword);
            ensure!(
                said.contains(&path) && said.contains(words),
                "refused with {said:?}, which does not say that {path} {words}"
            );
            Ok(())
        }
    }
}

fn object(side: &Side, value: &Value) -> Result<Value> {
    let mut object = side.kind.minimal();
    object["metadata"]["name"] = Value::from("bound");
    for (path, given) in &side.given {
        put(&mut object, path, given.clone())?;
    }
    put(&mut object, &side.path, value.clone())?;
    Ok(object)
}

/// How the API server words the refusal of each keyword, so that a refusal for another reason is not taken for it.
fn words(keyword: &str) -> &'static str {
    match keyword {
        "enum" => "supported values:",
        "maxItems" => "must have at most",
        "maxProperties" => "must have at most",
        "maxLength" => "Too long: may not be more than",
        "maximum" => "should be less than or equal to",
        "minItems" => "should have at least",
        "minLength" => "should be at least",
        "minimum" => "should be greater than or equal to",
        _ => "should match",
    }
}
