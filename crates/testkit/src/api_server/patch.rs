//! Changes to one object: by whole, by patch of each kind, by deletion.

use serde_json::{Map, Value};

use super::path::Target;
use super::store::{Store, has_status};

/// PUT.
pub(super) fn replace(store: &mut Store, target: &Target, body: Value) -> Result<Value, u16> {
    let current = store.get(&target.object()).ok_or(404u16)?.clone();
    precondition(&current, &body)?;
    let mut wanted = body;
    for field in ["uid", "creationTimestamp", "generation", "resourceVersion"] {
        wanted["metadata"][field] = current["metadata"][field].clone();
    }
    Ok(store.update(&target.object(), wanted))
}

/// PATCH, by content type.
pub(super) fn patch(
    store: &mut Store,
    target: &Target,
    content_type: &str,
    body: &Value,
) -> Result<Value, u16> {
    let Some(current) = store.get(&target.object()).cloned() else {
        let creates = content_type.starts_with("application/apply-patch") && target.sub.is_none();
        return if creates { store.insert(target, body.clone(), false) } else { Err(404) };
    };
    let mut wanted = current.clone();
    if content_type.starts_with("application/json-patch") {
        if wanted["metadata"].get("finalizers").is_none() {
            // The real server tests an absent list as null.
            wanted["metadata"]["finalizers"] = Value::Null;
        }
        let operations: json_patch::Patch = serde_json::from_value(body.clone()).map_err(|_| 400u16)?;
        json_patch::patch(&mut wanted, &operations).map_err(|_| 422u16)?;
        if wanted["metadata"]["finalizers"].is_null() {
            wanted["metadata"].as_object_mut().ok_or(400u16)?.remove("finalizers");
        }
    } else {
        precondition(&current, body)?;
        let mut body = body.clone();
        if let Some(metadata) = body["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        merge(&mut wanted, &body);
    }
    keep_apart(target, &current, &mut wanted);
    Ok(store.update(&target.object(), wanted))
}

/// DELETE, with its preconditions.
pub(super) fn delete(store: &mut Store, target: &Target, body: &Value) -> Result<Value, u16> {
    let current = store.get(&target.object()).ok_or(404u16)?;
    let uid = &body["preconditions"]["uid"];
    if !uid.is_null() && *uid != current["metadata"]["uid"] {
        return Err(409);
    }
    store.delete(&target.object()).ok_or(404)
}

/// A body that names a version or uid holds for that object only.
fn precondition(current: &Value, body: &Value) -> Result<(), u16> {
    let same = |field: &str| {
        let wanted = &body["metadata"][field];
        wanted.is_null() || *wanted == current["metadata"][field]
    };
    if same("resourceVersion") && same("uid") { Ok(()) } else { Err(409) }
}

/// A write of the object leaves its status alone, and the other way round.
fn keep_apart(target: &Target, current: &Value, wanted: &mut Value) {
    if target.sub.as_deref() == Some("status") {
        let status = wanted["status"].take();
        *wanted = current.clone();
        wanted["status"] = status;
    } else if has_status(&target.plural) {
        match current.get("status") {
            Some(status) => wanted["status"] = status.clone(),
            None => drop(wanted.as_object_mut().map(|it| it.remove("status"))),
        }
    }
    if wanted["spec"] != current["spec"] {
        let generation = current["metadata"]["generation"].as_i64().unwrap_or_default();
        wanted["metadata"]["generation"] = (generation + 1).into();
    }
}

/// RFC 7386, but lists of conditions merge by type, as their schema says.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        match (name.as_str(), value) {
            (_, Value::Null) => drop(fields.remove(name)),
            ("conditions", Value::Array(new)) => {
                merge_conditions(fields.entry(name).or_insert_with(|| Value::Array(Vec::new())), new);
            }
            _ => merge(fields.entry(name).or_insert(Value::Null), value),
        }
    }
}

fn merge_conditions(target: &mut Value, new: &[Value]) {
    let Value::Array(conditions) = target else { return };
    for condition in new {
        match conditions.iter_mut().find(|it| it["type"] == condition["type"]) {
            Some(known) => *known = condition.clone(),
            None => conditions.push(condition.clone()),
        }
    }
}
