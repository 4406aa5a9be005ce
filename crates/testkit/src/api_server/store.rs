//! Objects, their versions, and what happened to them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::path::Target;

/// Kinds whose `status` only its subresource writes.
const WITH_STATUS: [&str; 4] = ["actionsgateways", "pods", "runnergroups", "runnerjobs"];

/// Something that happened to an object.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) version: u64,
    pub(super) kind: &'static str,
    pub(super) path: String,
    pub(super) object: Value,
}

/// All objects by path, and their history.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<String, Value>,
    history: Vec<Event>,
    version: u64,
}

pub(super) fn has_status(plural: &str) -> bool {
    WITH_STATUS.contains(&plural)
}

/// Whether an object's labels fit a selector of equalities.
pub(super) fn selected(object: &Value, selector: &str) -> bool {
    let labels = &object["metadata"]["labels"];
    selector.split(',').filter(|it| !it.is_empty()).all(|it| match it.split_once('=') {
        Some((key, value)) => labels[key] == value.trim_start_matches('='),
        None => !labels[it].is_null(),
    })
}

impl Store {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        self.objects.get(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.objects.iter()
    }

    /// What happened in a collection after a version.
    pub(super) fn since(&self, version: u64, collection: &str) -> Vec<Event> {
        let prefix = format!("{collection}/");
        // Versions rise: what a watch has seen is not looked at again.
        let news = self.history.partition_point(|it| it.version <= version);
        self.history.iter().skip(news).filter(|it| it.path.starts_with(&prefix)).cloned().collect()
    }

    pub(super) fn insert(
        &mut self,
        target: &Target,
        mut object: Value,
        with_status: bool,
    ) -> Result<Value, u16> {
        let name = object["metadata"]["name"].as_str().ok_or(422u16)?.to_owned();
        let path = format!("{}/{name}", target.collection());
        if self.objects.contains_key(&path) {
            return Err(409);
        }
        if has_status(&target.plural) && !with_status {
            object.as_object_mut().ok_or(422u16)?.remove("status");
        }
        if target.plural == "pods" && object.get("status").is_none() {
            object["status"] = json!({ "phase": "Pending" });
        }
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(uuid::Uuid::new_v4().to_string());
        metadata["generation"] = json!(1);
        metadata["creationTimestamp"] = json!(now());
        Ok(self.commit(&path, "ADDED", object))
    }

    /// What an insertion would come to. Nothing is kept of it.
    pub(super) fn would_insert(&self, target: &Target, object: Value) -> Result<Value, u16> {
        let name = object["metadata"]["name"].as_str().ok_or(422u16)?;
        match self.objects.contains_key(&format!("{}/{name}", target.collection())) {
            true => Err(409),
            false => Ok(object),
        }
    }

    /// The object is as this from now on; gone, if it was to go and nothing holds it any more.
    pub(super) fn update(&mut self, path: &str, object: Value) -> Value {
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|it| !it.is_empty());
        if !object["metadata"]["deletionTimestamp"].is_null() && !held {
            return self.commit(path, "DELETED", object);
        }
        if self.objects.get(path) == Some(&object) {
            return object;
        }
        self.commit(path, "MODIFIED", object)
    }

    pub(super) fn delete(&mut self, path: &str) -> Option<Value> {
        let mut object = self.objects.get(path)?.clone();
        let metadata = &mut object["metadata"];
        if metadata["deletionTimestamp"].is_null() {
            let grace = object["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(0);
            let over = Timestamp::now() + SignedDuration::from_secs(grace);
            object["metadata"]["deletionTimestamp"] = json!(whole_seconds(over));
            object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        }
        Some(self.update(path, object))
    }

    pub(super) fn remove(&mut self, path: &str) {
        if let Some(object) = self.objects.get(path).cloned() {
            self.commit(path, "DELETED", object);
        }
    }

    fn commit(&mut self, path: &str, kind: &'static str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        match kind {
            "DELETED" => drop(self.objects.remove(path)),
            _ => drop(self.objects.insert(path.to_owned(), object.clone())),
        }
        let event = Event { version: self.version, kind, path: path.to_owned(), object: object.clone() };
        self.history.push(event);
        object
    }
}

fn now() -> String {
    whole_seconds(Timestamp::now())
}

fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
