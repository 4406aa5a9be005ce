use std::sync::Mutex;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, runtime::watcher};
use prometheus::Registry;
use runtime::admin::Health;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, Call, client};

#[derive(Debug, thiserror::Error)]
#[error("deliberate")]
struct Deliberate;

/// Fails as often as told, then succeeds.
struct Flaky {
    failures: Mutex<u32>,
    retry: Retry,
    passes: tokio::sync::mpsc::UnboundedSender<String>,
}

impl Reconciler for Flaky {
    type Object = ConfigMap;
    type Error = Deliberate;
    const NAME: &'static str = "flaky";

    async fn reconcile(&self, object: Arc<ConfigMap>) -> Result<Action, Deliberate> {
        self.passes.send(object.name_any()).unwrap();
        let mut failures = self.failures.lock().unwrap();
        if *failures == 0 {
            return Ok(Action::await_change());
        }
        *failures -= 1;
        Err(Deliberate)
    }

    fn span(&self, _object: &ConfigMap) -> tracing::Span {
        tracing::info_span!(parent: None, "Flaky.Reconcile")
    }

    fn reason(&self, _error: &Deliberate) -> &'static str {
        "Deliberate"
    }

    fn retry(&self, _error: &Deliberate) -> Retry {
        self.retry
    }
}

fn config_map(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "team-a", "resourceVersion": "1", "uid": name }, "data": data
    })
}

struct Running {
    passes: tokio::sync::mpsc::UnboundedReceiver<String>,
    registry: Registry,
    health: Health,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

/// A controller over a server that lists `items` and then has no news.
fn start(items: Vec<Value>, failures: u32, retry: Retry) -> Running {
    let list = json!({
        "apiVersion": "v1", "kind": "ConfigMapList", "metadata": { "resourceVersion": "1" }, "items": items
    });
    start_over(failures, retry, move |call| match call.query.contains("watch=true") {
        true => Answer::Silence,
        false => Answer::Object(list.clone()),
    })
}

fn start_over(
    failures: u32,
    retry: Retry,
    answer: impl Fn(&Call) -> Answer + Send + Sync + 'static,
) -> Running {
    let (client, _) = client(answer);
    let (sender, passes) = tokio::sync::mpsc::unbounded_channel();
    let registry = Registry::new();
    let metrics = ControllerMetrics::register(&registry).unwrap();
    let health = Health::new();
    let api = Api::<DeserializeGuard<ConfigMap>>::namespaced(client, "team-a");
    let controller = Controller::new(api, watcher::Config::default());
    let flaky = Arc::new(Flaky { failures: Mutex::new(failures), retry, passes: sender });
    let stop = CancellationToken::new();
    let task =
        tokio::spawn(run(controller, flaky, metrics, health.check("flaky"), Clock::system(), stop.clone()));
    Running { passes, registry, health, stop, task }
}

#[tokio::test(start_paused = true)]
async fn a_failed_pass_is_counted_and_comes_back() {
    let mut running = start(vec![config_map("a", json!({}))], 2, Retry::Backoff);
    for _ in 0..3 {
        assert_eq!(running.passes.recv().await.as_deref(), Some("a"));
    }
    running.stop.cancel();
    running.task.await.unwrap();
    let text = runtime::metrics::render(&running.registry).unwrap();
    for line in [
        r#"controller_runtime_reconcile_total{controller="flaky",result="error"} 2"#,
        r#"controller_runtime_reconcile_total{controller="flaky",result="success"} 1"#,
        r#"actions_gateway_reconcile_errors_total{controller="flaky",resource="team-a/a"} 2"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_a_change_can_mend_is_left_until_then() {
    let mut running = start(vec![config_map("a", json!({}))], 1, Retry::OnChange);
    assert_eq!(running.passes.recv().await.as_deref(), Some("a"));
    assert!(tokio::time::timeout(Duration::from_secs(280), running.passes.recv()).await.is_err());
    running.task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_malformed_object_stops_none_but_itself() {
    let mut running =
        start(vec![config_map("bad", json!(17)), config_map("good", json!({}))], 0, Retry::Backoff);
    assert_eq!(running.passes.recv().await.as_deref(), Some("good"));
    running.stop.cancel();
    running.task.await.unwrap();
    let text = runtime::metrics::render(&running.registry).unwrap();
    assert!(
        text.contains(
            r#"actions_gateway_reconcile_errors_total{controller="flaky",resource="team-a/bad"} 1"#
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_controller_is_ready_when_its_first_list_has_arrived() {
    let mut running = start(vec![config_map("a", json!({}))], 0, Retry::Backoff);
    assert!(!running.health.failing().is_empty());
    running.passes.recv().await.unwrap();
    assert!(running.health.failing().is_empty());
    running.task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_is_stopped_before_its_first_list_ends() {
    let running = start_over(0, Retry::Backoff, |_| Answer::Silence);
    running.stop.cancel();
    tokio::time::timeout(Duration::from_secs(60), running.task).await.expect("an end").unwrap();
}

#[tokio::test(start_paused = true)]
async fn failing_watches_do_not_delay_a_controller() {
    let object: DeserializeGuard<ConfigMap> = serde_json::from_value(config_map("a", json!({}))).unwrap();
    let (store, mut writer) = kube::runtime::reflector::store();
    for event in [watcher::Event::Init, watcher::Event::InitApply(object.clone()), watcher::Event::InitDone] {
        writer.apply_watcher_event(&event);
    }
    let failures = (0..8).map(|_| Err(watcher::Error::NoResourceVersion));
    let news = futures::stream::iter(failures.chain([Ok(object)])).chain(futures::stream::pending());
    let (passes, mut passed) = tokio::sync::mpsc::unbounded_channel();
    let flaky = Arc::new(Flaky { failures: Mutex::new(0), retry: Retry::Backoff, passes });
    let metrics = ControllerMetrics::register(&Registry::new()).unwrap();
    let check = Health::new().check("flaky");
    let begin = tokio::time::Instant::now();
    tokio::spawn(run(
        Controller::for_stream(news, store),
        flaky,
        metrics,
        check,
        Clock::system(),
        CancellationToken::new(),
    ));
    assert_eq!(passed.recv().await.as_deref(), Some("a"));
    assert!(begin.elapsed() < Duration::from_secs(1), "deaf for {:?}", begin.elapsed());
}
