//! A small API server for tests: objects by path, server-side apply as far as the GMC relies on it, finalizers, and
//! a log of what was asked. Field ownership, admission and garbage collection are the real one's (`tests/e2e`).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use api::labels;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::api::ApiResource;
use kube::client::Body;
use kube::core::DynamicObject;
use serde_json::{Value, json};

#[derive(Clone, Default)]
pub(crate) struct Cluster(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    log: Vec<Asked>,
    faults: Vec<(Method, &'static str)>,
}

/// A request, as roles see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    /// With the subresource: `actionsgateways/status`.
    pub(crate) resource: String,
    pub(crate) name: String,
}

struct Path {
    group: String,
    collection: String,
    name: Option<String>,
    subresource: Option<String>,
}

impl Cluster {
    pub(crate) fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { Ok::<_, Infallible>(cluster.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// Puts an object there as somebody else would, under its path: `apis/apps/v1/namespaces/n/deployments/d`.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        let version = state.version;
        let meta = &mut object["metadata"];
        let name = path.rsplit('/').next().unwrap();
        let defaults = json!({ "name": name, "uid": format!("uid-{name}-{version}"), "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z" });
        for (key, value) in defaults.as_object().unwrap() {
            if meta.get(key).is_none() {
                meta[key] = value.clone();
            }
        }
        if let Some(namespace) = path.split("namespaces/").nth(1).filter(|it| it.contains('/')) {
            meta["namespace"] = json!(namespace.split('/').next().unwrap());
        }
        meta["resourceVersion"] = json!(version.to_string());
        state.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// All objects of a kind that carry our label, as a watch shows them.
    pub(crate) fn ours(&self, kind: &ApiResource) -> Vec<DynamicObject> {
        let root = if kind.group.is_empty() { "api" } else { "apis" };
        let prefix = format!("{root}/{}/namespaces/", kind.api_version);
        let state = self.0.lock().unwrap();
        let of_kind = state.objects.iter().filter(|(key, _)| {
            let rest = key.strip_prefix(&prefix).and_then(|it| it.split_once('/'));
            rest.and_then(|(_, rest)| rest.split_once('/')).is_some_and(|(plural, _)| plural == kind.plural)
        });
        let ours = of_kind
            .filter(|(_, it)| it["metadata"]["labels"][labels::MANAGED_BY] == labels::MANAGED_BY_VALUE);
        ours.map(|(_, it)| serde_json::from_value(it.clone()).unwrap()).collect()
    }

    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(path).unwrap();
        change(&mut object);
        self.put(path, object);
    }

    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().unwrap().objects.remove(path);
    }

    /// From now on such requests fail with 500.
    pub(crate) fn fail(&self, method: Method, path_part: &'static str) {
        self.0.lock().unwrap().faults.push((method, path_part));
    }

    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().faults.clear();
    }

    /// What was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    /// The writes among what was asked, as `verb resource name`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self.asked().into_iter().filter(|it| !matches!(it.verb, "get" | "list" | "watch"));
        writes.map(|it| format!("{} {} {}", it.verb, it.resource, it.name)).collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let content =
            head.headers.get("content-type").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        let path = head.uri.path().trim_start_matches('/').to_owned();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let (status, value) = self.0.lock().unwrap().handle(&head.method, &path, &query, &content, &body);
        let body = Body::from(serde_json::to_vec(&value).unwrap());
        Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
    }
}

impl State {
    fn handle(
        &mut self,
        method: &Method,
        path: &str,
        query: &str,
        content: &str,
        body: &[u8],
    ) -> (StatusCode, Value) {
        let parsed = parse(path);
        self.log.push(asked(method, &parsed, content));
        if self.faults.iter().any(|(it, part)| it == method && path.contains(part)) {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        let key = match (&parsed.subresource, path.rsplit_once('/')) {
            (Some(_), Some((object, _))) => object.to_owned(),
            _ => path.to_owned(),
        };
        match *method {
            Method::GET if parsed.name.is_none() => (StatusCode::OK, self.list(path, query)),
            Method::GET => self.objects.get(&key).map_or_else(not_found, |it| (StatusCode::OK, it.clone())),
            Method::DELETE => self.delete(&key),
            Method::PATCH => self.patch(&key, parsed.subresource.is_some(), content, body),
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    fn list(&self, path: &str, query: &str) -> Value {
        let selector = query.split('&').find_map(|it| it.strip_prefix("labelSelector=")).unwrap_or_default();
        let selector = selector.replace("%2F", "/").replace("%3D", "=");
        let prefix = format!("{path}/");
        let inside = self
            .objects
            .iter()
            .filter(|(key, _)| key.strip_prefix(&prefix).is_some_and(|name| !name.contains('/')));
        let chosen = inside.filter(|(_, it)| match selector.split_once('=') {
            Some((key, value)) => it["metadata"]["labels"][key] == value,
            None => true,
        });
        let items: Vec<Value> = chosen.map(|(_, it)| it.clone()).collect();
        json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "1" }, "items": items })
    }

    fn delete(&mut self, key: &str) -> (StatusCode, Value) {
        let Some(object) = self.objects.get_mut(key) else { return not_found() };
        if object["metadata"]["finalizers"].as_array().is_some_and(|it| !it.is_empty()) {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        } else {
            self.objects.remove(key);
        }
        (StatusCode::OK, json!({ "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success" }))
    }

    fn patch(&mut self, key: &str, status: bool, content: &str, body: &[u8]) -> (StatusCode, Value) {
        let body: Value = serde_json::from_slice(body).unwrap();
        let old = self.objects.get(key).cloned();
        let mut new = match (&old, content) {
            (Some(old), _) => old.clone(),
            (None, "application/apply-patch+yaml") if !status => fresh(self.version),
            (None, _) => return not_found(),
        };
        if content == "application/json-patch+json" {
            if new["metadata"].get("finalizers").is_none() {
                new["metadata"]["finalizers"] = Value::Null;
            }
            let operations: json_patch::Patch = serde_json::from_value(body).unwrap();
            if json_patch::patch(&mut new, &operations).is_err() {
                return failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
            }
        } else if status {
            merge(&mut new["status"], &body["status"]);
        } else {
            merge(&mut new, &body);
        }
        if old.as_ref() == Some(&new) {
            return (StatusCode::OK, new);
        }
        self.version += 1;
        new["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let gone = new["metadata"].get("deletionTimestamp").is_some()
            && new["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        if gone {
            self.objects.remove(key);
        } else {
            self.objects.insert(key.to_owned(), new.clone());
        }
        (StatusCode::OK, new)
    }
}

fn fresh(version: u64) -> Value {
    json!({ "metadata": { "uid": format!("made-{version}"), "generation": 1, "resourceVersion": "0",
        "creationTimestamp": "2026-01-01T00:00:00Z" } })
}

/// Maps by key, lists as wholes, conditions by their type; null takes away.
fn merge(old: &mut Value, new: &Value) {
    match new {
        Value::Object(fields) => {
            if !old.is_object() {
                *old = json!({});
            }
            for (name, value) in fields {
                if value.is_null() {
                    old.as_object_mut().and_then(|it| it.remove(name));
                    continue;
                }
                match (name.as_str(), &mut old[name]) {
                    ("conditions", Value::Array(existing)) => {
                        let written = value.as_array().cloned().unwrap_or_default();
                        existing.retain(|it| !written.iter().any(|new| new["type"] == it["type"]));
                        existing.extend(written);
                    }
                    (_, field) => merge(field, value),
                }
            }
        }
        other => *old = other.clone(),
    }
}

/// `api/v1/namespaces/n/pods/p`, `apis/g/v/namespaces/n/things/t/status`, `api/v1/namespaces/n`.
fn parse(path: &str) -> Path {
    let parts: Vec<&str> = path.split('/').collect();
    let (group, rest) = match parts[0] {
        "api" => ("", &parts[2..]),
        _ => (parts[1], &parts[3..]),
    };
    let rest = if rest[0] == "namespaces" && rest.len() > 2 { &rest[2..] } else { rest };
    let part = |index: usize| rest.get(index).map(|it| (*it).to_owned());
    Path { group: group.to_owned(), collection: rest[0].to_owned(), name: part(1), subresource: part(2) }
}

fn asked(method: &Method, path: &Path, content: &str) -> Asked {
    let verb = match *method {
        Method::GET if path.name.is_none() => "list",
        Method::GET => "get",
        Method::DELETE => "delete",
        Method::PATCH if content == "application/apply-patch+yaml" => "apply",
        Method::PATCH => "patch",
        Method::POST => "create",
        _ => "update",
    };
    let suffix = path.subresource.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
    Asked {
        verb,
        group: path.group.clone(),
        resource: format!("{}{suffix}", path.collection),
        name: path.name.clone().unwrap_or_default(),
    }
}

fn not_found() -> (StatusCode, Value) {
    failure(StatusCode::NOT_FOUND, "NotFound")
}

fn failure(status: StatusCode, reason: &str) -> (StatusCode, Value) {
    let body = json!({ "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": format!("scripted: {reason}"), "reason": reason, "code": status.as_u16() });
    (status, body)
}
