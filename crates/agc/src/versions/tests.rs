use api::RunnerGroup;

use super::*;
use crate::runner_group::validate::validate;

fn at(text: &str) -> Timestamp {
    format!("2026-12-01T{text}Z").parse().unwrap()
}

fn group(spec: &str) -> Group {
    let yaml = format!(
        "{{ apiVersion: actions-gateway.github.com/v1alpha1, kind: RunnerGroup, metadata: {{ name: blue }},
           spec: {{ runnerLabels: [linux], {spec} }} }}"
    );
    let group: RunnerGroup = serde_yaml::from_str(&yaml).unwrap();
    validate(&group, &Default::default()).unwrap()
}

fn versions() -> Versions {
    Versions::new("2.337.0", "runner:1")
}

fn worker(version: &str, created: &str) -> Worker {
    let created = at(created);
    Worker { group: "blue".into(), version: version.into(), created, ended: created }
}

#[test]
fn a_group_says_its_version_better_than_the_installation() {
    let versions = versions();
    assert_eq!(versions.of(&group("")), "2.337.0");
    assert_eq!(versions.of(&group("runnerVersion: 2.336.0")), "2.336.0");
}

#[test]
fn a_worker_says_it_best() {
    let (versions, group) = (versions(), group("runnerVersion: 2.336.0"));
    versions.configure(&group, at("10:00:00"));
    versions.hear(worker("2.335.1", "10:00:01"));
    assert_eq!(versions.of(&group), "2.335.1");
    assert_eq!(versions.reported(), BTreeMap::from([("blue".to_owned(), "2.335.1".to_owned())]));
    let facts = versions.facts("blue", at("10:00:02")).unwrap();
    assert_eq!((facts.worker.as_deref(), facts.configured.as_str()), (Some("2.335.1"), "2.336.0"));
    let words = facts.difference().unwrap();
    assert!(words.contains("2.335.1") && words.contains("2.336.0") && words.contains("runner:1"), "{words}");
    versions.hear(worker("2.336.0", "10:00:03"));
    assert_eq!(versions.facts("blue", at("10:00:04")).unwrap().difference(), None);
}

#[test]
fn the_youngest_worker_counts_whichever_ends_last() {
    let (versions, group) = (versions(), group(""));
    versions.configure(&group, at("10:00:00"));
    versions.hear(worker("2.336.0", "10:20:00"));
    versions.hear(worker("2.335.1", "10:10:00"));
    assert_eq!(versions.of(&group), "2.336.0");
}

#[test]
fn what_names_no_release_is_not_heard() {
    let (versions, group) = (versions(), group(""));
    versions.configure(&group, at("10:00:00"));
    for nonsense in ["", "latest", "2.336", "2.336.0 ", "2.336.0/../x"] {
        versions.hear(worker(nonsense, "10:10:00"));
    }
    assert_eq!(versions.of(&group), "2.337.0");
}

#[test]
fn workers_from_before_an_edit_say_nothing_of_what_is_configured_now() {
    let versions = versions();
    for (minute, edited) in ["workerImage: 'runner:2'", "runnerVersion: 2.336.0, workerImage: 'runner:2'"]
        .map(group)
        .iter()
        .enumerate()
    {
        let configured = versions.of(edited);
        versions.configure(&group(""), at(&format!("10:{minute}0:00")));
        versions.hear(worker("2.330.0", &format!("10:{minute}1:00")));
        assert_eq!(versions.of(&group("")), "2.330.0");
        assert_eq!(versions.of(edited), configured, "before the edit was taken in");
        versions.configure(edited, at(&format!("10:{minute}2:00.9")));
        versions.hear(worker("2.330.0", &format!("10:{minute}1:59")));
        assert_eq!(versions.of(edited), configured);
        assert_eq!(versions.facts("blue", at("11:00:00")).unwrap().worker, None);
        versions.hear(worker("2.331.0", &format!("10:{minute}2:00")));
        assert_eq!(versions.of(edited), "2.331.0", "Kubernetes writes whole seconds");
    }
}

#[test]
fn an_edit_of_anything_else_forgets_nothing() {
    let versions = versions();
    versions.configure(&group(""), at("10:00:00"));
    versions.hear(worker("2.336.0", "10:10:00"));
    let edited = group("maxListeners: 3, runnerVersion: 2.337.0");
    versions.configure(&edited, at("10:20:00"));
    assert_eq!(versions.of(&edited), "2.336.0");
}

/// The image of the template's own container is the group's image, too.
#[test]
fn the_image_is_the_templates_then_the_groups_then_the_installations() {
    let image = |spec: &str| {
        let versions = versions();
        versions.configure(&group(spec), at("10:00:00"));
        versions.facts("blue", at("10:00:00")).unwrap().image
    };
    let template =
        |image: &str| format!("podTemplate: {{ spec: {{ containers: [{{ name: runner{image} }}] }} }}");
    assert_eq!(image(""), "runner:1");
    assert_eq!(image("workerImage: 'runner:2'"), "runner:2");
    assert_eq!(image(&format!("workerImage: 'runner:2', {}", template(""))), "runner:2");
    assert_eq!(image(&format!("workerImage: 'runner:2', {}", template(", image: 'runner:3'"))), "runner:3");
}

fn written(version: &str, image: &str) -> RunnerVersion {
    let status = format!(
        "{{ reported: 2.330.0, configured: {version}, image: '{image}', worker: 2.330.0, configuredAt: '{}' }}",
        at("09:00:00")
    );
    serde_yaml::from_str(&status).unwrap()
}

#[test]
fn a_successor_takes_up_what_was_written() {
    let versions = versions();
    versions.recall("blue", &written("2.337.0", "runner:1"));
    versions.configure(&group(""), at("10:00:00"));
    assert_eq!(versions.of(&group("")), "2.330.0");
    assert_eq!(versions.facts("blue", at("10:00:00")).unwrap().configured_at, at("09:00:00"));
    versions.hear(worker("2.331.0", "09:30:00"));
    assert_eq!(versions.of(&group("")), "2.331.0", "it ended while no controller ran");
}

#[test]
fn a_successor_of_another_installation_takes_up_nothing() {
    for old in [written("2.336.0", "runner:1"), written("2.337.0", "runner:0")] {
        let versions = versions();
        // The watch may show workers before the groups are listed.
        versions.hear(worker("2.330.0", "09:30:00"));
        versions.recall("blue", &old);
        versions.configure(&group(""), at("10:00:00"));
        assert_eq!(versions.of(&group("")), "2.337.0", "{old:?}");
    }
}

#[test]
fn a_group_that_is_forgotten_is_not_reported() {
    let versions = versions();
    versions.configure(&group(""), at("10:00:00"));
    versions.forget("blue");
    assert!(versions.reported().is_empty() && versions.facts("blue", at("10:00:00")).is_none());
}

/// A group whose version ends so many days from now, if GitHub names a date.
fn ending_in(days: Option<i64>) -> VersionFacts {
    let versions = versions();
    versions.configure(&group(""), at("10:00:00"));
    let end = days.map(|it| at("10:00:00") + jiff::SignedDuration::from_hours(24 * it));
    versions.ends("2.337.0", end.map_or(VersionEnd::Unknown, VersionEnd::At));
    versions.facts("blue", at("10:00:00")).unwrap()
}

#[test]
fn an_end_is_worth_a_word_from_fourteen_days_on() {
    assert_eq!(ending_in(None).ending(), None);
    assert_eq!(ending_in(Some(15)).ending(), None);
    assert_eq!(ending_in(Some(15)).days_left, Some(15));
    for (days, word) in [(14, "for 14 more days"), (0, "less than a day"), (-3, "should have stopped")] {
        let words = ending_in(Some(days)).ending().unwrap();
        assert!(words.contains(word) && words.contains("2.337.0"), "{words}");
    }
}

#[test]
fn the_remedy_names_the_newest_version_that_is_known() {
    let versions = Versions::new("2.336.0", "runner:1");
    versions.configure(&group("runnerVersion: 2.339.0"), at("10:00:00"));
    let newest = || versions.facts("blue", at("10:00:00")).unwrap().newest;
    assert_eq!(newest(), RUNNER_VERSION);
    versions.ends("2.339.0", VersionEnd::Newest);
    assert_eq!(newest(), "2.339.0");
    versions.keep_ends(&BTreeSet::new());
    assert_eq!(newest(), RUNNER_VERSION);
}

#[test]
fn a_worker_pod_tells_its_version_once_it_has_ended() {
    let pod = |state: &str| {
        let yaml = format!(
            "{{ metadata: {{ name: w, labels: {{ {}: blue }}, creationTimestamp: '{}' }},
               status: {{ containerStatuses: [{{ name: runner, image: i, imageID: i, ready: false, restartCount: 0, state: {state} }}] }} }}",
            api::labels::RUNNER_GROUP,
            at("10:00:00")
        );
        serde_yaml::from_str::<k8s_openapi::api::core::v1::Pod>(&yaml).unwrap()
    };
    let ended = |message: &str| {
        pod(&format!(
            "{{ terminated: {{ exitCode: 0, finishedAt: '{}', message: '{message}' }} }}",
            at("10:05:00")
        ))
    };
    let told = super::worker(&ended(
        r#"{"v":1,"result":"succeeded","exit":100,"runnerVersion":"2.336.0","stopped":false}"#,
    ));
    let expected = Worker { ended: at("10:05:00"), ..worker("2.336.0", "10:00:00") };
    assert_eq!(told, Some(expected));
    assert_eq!(super::worker(&ended(r#"{"v":1,"result":"succeeded","exit":100,"stopped":false}"#)), None);
    assert_eq!(super::worker(&ended("no report")), None);
    assert_eq!(super::worker(&pod("{ running: {} }")), None);
}
