use api::RunnerGroup;
use api::actions_gateway::SecurityProfile;
use api::pod_template::Rules;
use http::Method;
use serde_json::{Value, json};
use testkit::api_server::{ApiServer, Effect};

use super::*;
use crate::runner_group::validate::validate;

const NAMESPACE: &str = "/api/v1/namespaces/team-a";
const TIERS: &str =
    "priorityTiers: [{ priorityClassName: high, threshold: 2 }, { priorityClassName: low, threshold: 5 }]";
/// Longer than any pause.
const PATIENCE: Duration = Duration::from_secs(3600);

/// An API server, a task that asks it, and what the dispatcher hears.
struct Rig {
    api: ApiServer,
    groups: watch::Sender<BTreeMap<String, Arc<Group>>>,
    world: watch::Sender<World>,
    refusals: watch::Sender<Refusals>,
    heard: mpsc::Receiver<Message>,
    _stop: tokio_util::sync::DropGuard,
}

fn group(spec: &str, generation: i64) -> Arc<Group> {
    let yaml = format!(
        "{{ apiVersion: actions-gateway.github.com/v1alpha1, kind: RunnerGroup,
            metadata: {{ name: blue, uid: u, generation: {generation} }}, spec: {{ runnerLabels: [linux], {spec} }} }}"
    );
    let object: RunnerGroup = serde_yaml::from_str(&yaml).unwrap();
    let rules = Rules { profile: SecurityProfile::Baseline, app_secret: "app".into(), ..Rules::default() };
    Arc::new(validate(&object, &rules).unwrap())
}

impl Rig {
    fn start(spec: &str) -> Self {
        let api = ApiServer::default();
        api.put("/api/v1/namespaces", json!({ "metadata": { "name": "team-a" } }));
        let (groups, groups_seen) = watch::channel(BTreeMap::from([("blue".to_owned(), group(spec, 1))]));
        let (world, world_seen) = watch::channel(World::default());
        let (refusals, refusals_seen) = watch::channel(Refusals::new());
        let (dispatcher, heard) = mpsc::channel(16);
        let platform = Platform {
            namespace: "team-a".into(),
            gateway: "team-a".into(),
            worker_image: "runner:1".into(),
            wrapper_image: "wrapper:1".into(),
            service_account: "actions-gateway-worker".into(),
            profile: SecurityProfile::Baseline,
            proxy: BTreeMap::new(),
            proxy_ca: None,
            github_ca: None,
            app_secret: "app".into(),
            priority_classes: Default::default(),
        };
        let sources = Sources { groups: groups_seen, world: world_seen, refusals: refusals_seen };
        let clock = Clock::simulated(jiff::Timestamp::UNIX_EPOCH, 7);
        let client = api.client("team-a", "agc");
        let stop = CancellationToken::new();
        tokio::spawn(DryRuns::new(&client, Arc::new(platform), sources, dispatcher, clock).run(stop.clone()));
        Self { api, groups, world, refusals, heard, _stop: stop.drop_guard() }
    }

    /// From now on the API server refuses the pod, so often.
    fn refuse(&self, times: u32) {
        self.api.fail(Method::POST, "/pods?dryRun", times, Effect::Refuse(422, "no such volume".into()));
    }

    async fn hear(&mut self) -> Arc<Asked> {
        match tokio::time::timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap() {
            Message::DryRun(asked) => asked,
            other => panic!("{other:?}"),
        }
    }

    fn shown(&self) -> Vec<Value> {
        self.api.calls().into_iter().filter(|it| it.is_dry_run()).map(|it| it.body).collect()
    }
}

fn refused(asked: &Asked) -> bool {
    matches!(&asked.answer, Answer::Refused(words) if words.starts_with("no such volume"))
}

#[tokio::test(start_paused = true)]
async fn each_priority_class_is_shown_as_the_pod_that_a_job_would_get_and_nothing_is_kept() {
    let mut rig = Rig::start(TIERS);
    let asked = rig.hear().await;
    assert_eq!(asked.answer, Answer::Accepted);
    let classes: Vec<Option<&str>> = asked.demands.keys().map(Option::as_deref).collect();
    assert_eq!(classes, [Some("high"), Some("low")]);
    let shown = rig.shown();
    assert_eq!(shown.len(), 2);
    for (pod, class) in shown.iter().zip(["high", "low"]) {
        assert_eq!(pod["metadata"]["name"], "blue-dry-run");
        assert_eq!(pod["spec"]["priorityClassName"], class);
        assert_eq!(pod["metadata"]["labels"]["actions-gateway.github.com/component"], "worker");
        assert_eq!(pod["metadata"]["finalizers"], json!(["actions-gateway.github.com/job"]));
        assert_eq!(pod["metadata"]["ownerReferences"][0]["kind"], "RunnerJob");
    }
    assert!(rig.api.list("/pods/").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_group_is_shown_again_until_it_is_taken_and_that_is_another_world() {
    let mut rig = Rig::start("");
    rig.refuse(3);
    let first = rig.hear().await;
    assert!(refused(&first), "{:?}", first.answer);
    assert!(refused(&*rig.hear().await) && refused(&*rig.hear().await));
    let last = rig.hear().await;
    assert_eq!(last.answer, Answer::Accepted);
    assert!(last.revision > first.revision);
}

#[tokio::test(start_paused = true)]
async fn the_worst_answer_of_all_classes_is_the_groups() {
    let mut rig = Rig::start(TIERS);
    rig.refuse(1);
    assert!(refused(&*rig.hear().await));
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_asked_about_at_once_and_a_status_write_is_not() {
    let mut rig = Rig::start("");
    let first = rig.hear().await;
    rig.groups.send_replace(BTreeMap::from([("blue".to_owned(), group("", 1))]));
    rig.groups.send_replace(BTreeMap::from([("blue".to_owned(), group("maxWorkers: 3", 2))]));
    let second = rig.hear().await;
    assert_eq!(second.group.id.generation, Some(2));
    assert!(second.revision > first.revision);
    assert_eq!(rig.shown().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_quota_or_a_limit_range_that_changes_is_asked_about() {
    let mut rig = Rig::start("");
    let first = rig.hear().await;
    rig.world.send_modify(|it| it.limit_ranges.push(LimitRange::default()));
    let second = rig.hear().await;
    rig.world.send_modify(|it| drop(it.quotas.insert("team".into(), Limits::default())));
    let third = rig.hear().await;
    assert!(first.revision < second.revision && second.revision < third.revision);
}

#[tokio::test(start_paused = true)]
async fn pod_security_labels_of_the_namespace_are_noticed_and_others_are_not() {
    let mut rig = Rig::start("");
    let first = rig.hear().await;
    let label = |key: &str| {
        rig.api.edit(NAMESPACE, |it| it["metadata"]["labels"][key] = json!("restricted"));
    };
    label("team");
    label("pod-security.kubernetes.io/enforce");
    let second = rig.hear().await;
    assert!(second.revision > first.revision);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_refused_after_all_is_asked_about() {
    let mut rig = Rig::start("");
    let first = rig.hear().await;
    rig.refusals.send_replace(Refusals::from([("blue".to_owned(), 1)]));
    let before = Instant::now();
    let second = rig.hear().await;
    assert!(before.elapsed() <= Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!(second.revision, first.revision, "nothing that is known of has changed");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_no_refusal_and_what_a_job_takes_is_reckoned_here_meanwhile() {
    let mut rig = Rig::start("");
    rig.api.fail(Method::POST, "/pods?dryRun", 1, Effect::Refuse(500, "failed calling webhook".into()));
    let asked = rig.hear().await;
    assert!(matches!(&asked.answer, Answer::Unknown(words) if words.contains("failed calling webhook")));
    assert_eq!(asked.demands.len(), 1);
    assert_eq!(rig.hear().await.answer, Answer::Accepted);
}
