//! An API server in a few hundred lines, as one tower service: no sockets, no defaults, no admission, no owners.
//!
//! It keeps objects, versions, finalizers, subresource `status` and watches as the real one does, and fails on demand.
//! What it does not tell: field ownership of server-side apply, schema rules, garbage collection.

mod patch;
mod path;
mod store;

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

use path::Target;
use store::{Event, Store};

/// A fake API server. Clones share the objects.
#[derive(Clone)]
pub struct ApiServer(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    store: Store,
    requests: Vec<Call>,
    faults: Vec<Fault>,
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Who asks: the name that its client was made with.
    pub who: String,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its query.
    pub query: String,
    /// Its body.
    pub body: Value,
    /// What came of it; none while it is under way, and when nothing ever will. It stands also where the answer was
    /// lost.
    pub code: Option<u16>,
}

impl Call {
    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        self.method != Method::GET && !self.is_dry_run()
    }

    /// Whether it asks only what would come of it.
    pub fn is_dry_run(&self) -> bool {
        self.query.split('&').any(|it| it == "dryRun=All")
    }

    /// Whether a fault on this path strikes it. A dry run is struck only where the fault says so, by its query.
    fn is_struck_by(&self, path: &str) -> bool {
        match path.split_once('?') {
            Some((path, query)) => self.path.contains(path) && self.query.contains(query),
            None => !self.is_dry_run() && self.path.contains(path),
        }
    }

    /// Whether it did what it asked for.
    pub fn succeeded(&self) -> bool {
        self.code.is_some_and(|it| (200..300).contains(&it))
    }
}

/// What goes wrong with requests.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Of this method.
    pub method: Method,
    /// Whose path contains this; after a `?`, what its query contains. A dry run is meant only with `?dryRun`.
    pub path: String,
    /// So often.
    pub times: u32,
    /// In this way.
    pub effect: Effect,
}

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub enum Effect {
    /// It is refused with this status and message, and nothing is done.
    Refuse(u16, String),
    /// It is done, and its answer is lost.
    LoseAnswer,
    /// Nothing is done, and nothing is ever answered.
    Withhold,
    /// It is done, and nothing is ever answered.
    WithholdAnswer,
    /// It is done and answered, so long after it came.
    Delay(Duration),
}

/// What a request is answered; of a watch it has no end.
pub type Answer = Response<BoxBody<Bytes, Infallible>>;

impl Default for ApiServer {
    fn default() -> Self {
        Self(Arc::new(Inner { state: Mutex::default(), changes: watch::Sender::new(0) }))
    }
}

impl ApiServer {
    /// A client of it, for the program of this name.
    pub fn client(&self, namespace: &str, who: &str) -> kube::Client {
        let (server, who) = (self.clone(), who.to_owned());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (server, who) = (server.clone(), who.clone());
            async move { server.serve_to(who, request).await }
        });
        kube::Client::new(service, namespace)
    }

    /// Creates an object, as somebody else would; its status stays.
    ///
    /// # Panics
    /// When the path names no collection, or the name is taken.
    #[expect(clippy::expect_used, reason = "a mistake in the test")]
    pub fn put(&self, path: &str, object: Value) -> Value {
        let target = path::parse(path).expect("a path of an object");
        let created = self.state().store.insert(&target, object, true).expect("a free name");
        self.changed();
        created
    }

    /// An object by its path.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.state().store.get(path).cloned()
    }

    /// All objects whose path contains this.
    pub fn list(&self, part: &str) -> Vec<Value> {
        self.state().store.iter().filter(|(path, _)| path.contains(part)).map(|(_, it)| it.clone()).collect()
    }

    /// Changes an object, as a kubelet would, status and all.
    pub fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        if let Some(mut object) = state.store.get(path).cloned() {
            change(&mut object);
            state.store.update(path, object);
        }
        drop(state);
        self.changed();
    }

    /// Asks for an object's deletion, as `kubectl delete` does.
    pub fn delete(&self, path: &str) {
        self.state().store.delete(path);
        self.changed();
    }

    /// Makes an object vanish, finalizers or not.
    pub fn vanish(&self, path: &str) {
        self.state().store.remove(path);
        self.changed();
    }

    /// Makes requests go wrong from now on.
    pub fn fail(&self, method: Method, path: &str, times: u32, effect: Effect) {
        self.state().faults.push(Fault { method, path: path.to_owned(), times, effect });
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// The requests so far, watches and lists included.
    pub fn calls(&self) -> Vec<Call> {
        self.state().requests.clone()
    }

    /// Waits until `condition` yields something.
    ///
    /// # Panics
    /// After `patience`, showing `what` was waited for and every object.
    #[expect(clippy::panic, reason = "how a test fails")]
    pub async fn wait_for<T>(
        &self,
        what: &str,
        patience: Duration,
        condition: impl Fn(&Self) -> Option<T>,
    ) -> T {
        let mut changes = self.0.changes.subscribe();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = condition(self) {
                    return found;
                }
                // The condition may look at more than the objects here.
                let _ = tokio::time::timeout(Duration::from_millis(200), changes.changed()).await;
            }
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(found) => found,
            Err(_) => {
                panic!("{what} did not happen; objects: {:#?}", self.state().store.iter().collect::<Vec<_>>())
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.changes.send_modify(|it| *it += 1);
    }

    /// Answers one request, for those who put a socket in front.
    ///
    /// # Errors
    /// The request could not be read, or its answer is to be lost.
    pub async fn serve(self, request: Request<Body>) -> Result<Answer, std::io::Error> {
        self.serve_to(String::new(), request).await
    }

    async fn serve_to(self, who: String, request: Request<Body>) -> Result<Answer, std::io::Error> {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let call = Call {
            who,
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            code: None,
        };
        let content_type = head.headers.get(http::header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let (number, fault) = self.record(&call);
        match &fault {
            Some(Effect::Refuse(code, message)) => {
                self.note(number, *code);
                return Ok(failure(*code, message));
            }
            Some(Effect::Withhold) => return pending().await,
            Some(Effect::Delay(time)) => tokio::time::sleep(*time).await,
            _ => {}
        }
        if call.query.split('&').any(|it| it == "watch=true") {
            return Ok(self.watch(&call));
        }
        let answer = self.answer(&call, content_type.unwrap_or_default());
        self.note(number, answer.status().as_u16());
        if call.is_write() {
            self.changed();
        }
        match fault {
            Some(Effect::WithholdAnswer) => pending().await,
            Some(Effect::LoseAnswer) => Err(std::io::Error::other("the answer is lost")),
            Some(_) | None => Ok(answer),
        }
    }

    /// Notes the request; its number, and what is to go wrong with it.
    fn record(&self, call: &Call) -> (usize, Option<Effect>) {
        let mut state = self.state();
        let number = state.requests.len();
        state.requests.push(call.clone());
        let mut faults = state.faults.iter_mut();
        let struck =
            faults.find(|it| it.times > 0 && it.method == call.method && call.is_struck_by(&it.path));
        let effect = struck.map(|it| {
            it.times -= 1;
            it.effect.clone()
        });
        (number, effect)
    }

    /// Notes what came of a request.
    fn note(&self, number: usize, code: u16) {
        if let Some(call) = self.state().requests.get_mut(number) {
            call.code = Some(code);
        }
    }

    fn answer(&self, call: &Call, content_type: &str) -> Answer {
        let Some(target) = path::parse(&call.path) else { return failure(404, "no such path") };
        let mut state = self.state();
        let store = &mut state.store;
        let done = match (&call.method, &target.name) {
            (&Method::GET, None) => Ok(list(store, &target, &call.query)),
            (&Method::GET, Some(_)) => store.get(&target.object()).cloned().ok_or(404),
            (&Method::POST, None) if call.is_dry_run() => store.would_insert(&target, call.body.clone()),
            (&Method::POST, None) => store.insert(&target, call.body.clone(), false),
            (&Method::PUT, Some(_)) => patch::replace(store, &target, call.body.clone()),
            (&Method::PATCH, Some(_)) => patch::patch(store, &target, content_type, &call.body),
            (&Method::DELETE, Some(_)) => patch::delete(store, &target, &call.body),
            _ => Err(405),
        };
        match done {
            Ok(object) => success(if call.method == Method::POST { 201 } else { 200 }, &object),
            Err(code) => failure(code, &format!("{} {}", call.method, call.path)),
        }
    }

    fn watch(&self, call: &Call) -> Answer {
        let Some(target) = path::parse(&call.path) else { return failure(404, "no such path") };
        let since = parameter(&call.query, "resourceVersion").and_then(|it| it.parse().ok()).unwrap_or(0);
        let selector = parameter(&call.query, "labelSelector").unwrap_or_default();
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(16);
        let server = self.clone();
        tokio::spawn(async move {
            let mut changes = server.0.changes.subscribe();
            let mut seen: u64 = since;
            loop {
                changes.borrow_and_update();
                let news = server.state().store.since(seen, &target.collection());
                for event in news {
                    seen = event.version;
                    if !store::selected(&event.object, &selector) {
                        continue;
                    }
                    if sender.send_data(line(&event)).await.is_err() {
                        return;
                    }
                }
                if changes.changed().await.is_err() {
                    return;
                }
            }
        });
        Response::new(body.boxed())
    }
}

fn line(event: &Event) -> Bytes {
    format!("{}\n", json!({ "type": event.kind, "object": event.object })).into()
}

fn list(store: &Store, target: &Target, query: &str) -> Value {
    let selector = parameter(query, "labelSelector").unwrap_or_default();
    let collection = format!("{}/", target.collection());
    let items: Vec<&Value> = store
        .iter()
        .filter(|(path, it)| path.starts_with(&collection) && store::selected(it, &selector))
        .map(|(_, it)| it)
        .collect();
    json!({
        "kind": "List",
        "apiVersion": "v1",
        "metadata": { "resourceVersion": store.version().to_string() },
        "items": items,
    })
}

/// A parameter of a query, decoded as far as selectors need it.
fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.replace("%2F", "/").replace("%3D", "=").replace("%2C", ","))
}

fn success(code: u16, object: &Value) -> Answer {
    respond(code, object)
}

fn failure(code: u16, message: &str) -> Answer {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 if message.starts_with("POST") => "AlreadyExists",
        409 => "Conflict",
        422 => "Invalid",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    respond(code, &status)
}

fn respond(code: u16, body: &Value) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
