//! Which step is next.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};

use super::steps::Waiting;
use super::*;

const UID: &str = "the-gateway";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn object(name: &str, finalizers: &[&str]) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        finalizers: Some(finalizers.iter().map(|it| (*it).to_owned()).collect()),
        ..ObjectMeta::default()
    }
}

fn owned(mut object: ObjectMeta) -> ObjectMeta {
    object.owner_references = Some(vec![OwnerReference {
        uid: UID.to_owned(),
        controller: Some(true),
        ..OwnerReference::default()
    }]);
    object
}

fn going(mut object: ObjectMeta, seconds: i64) -> ObjectMeta {
    object.deletion_timestamp = Some(Time(at(seconds)));
    object
}

/// A gateway that works, so many seconds after its deletion.
fn working(seconds: i64) -> Facts {
    Facts {
        now: at(seconds),
        deleted: at(0),
        namespace_ending: false,
        uid: UID.to_owned(),
        groups: vec![
            owned(object("linux", &[labels::FINALIZER_GROUP])),
            object("by-hand", &[labels::FINALIZER_GROUP]),
        ],
        jobs: vec![object("job", &[labels::FINALIZER_JOB])],
        workers: vec![object("worker", &[labels::FINALIZER_JOB])],
        controller: Some(object("controller", &[])),
        controller_pods: vec![object("pod", &[])],
    }
}

fn number(facts: &Facts) -> u32 {
    match next(facts) {
        Step::Drain { .. } => 1,
        Step::Stop { .. } => 2,
        Step::Release { .. } => 3,
        Step::Remove => 4,
    }
}

fn names(objects: &[ObjectMeta]) -> Vec<&str> {
    objects.iter().filter_map(|it| it.name.as_deref()).collect()
}

#[test]
fn a_drain_deletes_the_gateways_own_groups_only() {
    let Step::Drain { delete, waiting } = next(&working(0)) else { panic!() };
    assert_eq!(names(&delete), ["linux"]);
    assert_eq!(waiting, Waiting { groups: vec!["linux".to_owned()], workers: 1 });
}

#[test]
fn what_is_going_is_not_deleted_again() {
    let mut facts = working(0);
    facts.groups[0] = going(facts.groups[0].clone(), 0);
    let Step::Drain { delete, .. } = next(&facts) else { panic!() };
    assert!(delete.is_empty());
}

#[test]
fn a_drain_has_an_end() {
    assert_eq!(number(&working(89)), 1);
    assert_eq!(number(&working(90)), 2);
}

#[test]
fn nobody_waits_for_workers_in_a_namespace_that_ends() {
    assert_eq!(number(&Facts { namespace_ending: true, ..working(0) }), 2);
}

#[test]
fn a_controller_that_lives_is_stopped_however_late_it_is() {
    let Step::Stop { workers, controllers, pods } = next(&working(100_000)) else { panic!() };
    assert_eq!(names(&workers), ["worker"]);
    assert_eq!(names(&controllers), ["controller"]);
    assert!(pods.is_empty(), "they would be replaced");
}

#[test]
fn a_controllers_pod_that_nobody_takes_away_is_taken_at_last() {
    let pods_after = |seconds| {
        let Step::Stop { pods, .. } = next(&Facts { controller: None, ..working(seconds) }) else { panic!() };
        pods.len()
    };
    assert_eq!(pods_after(119), 0, "the garbage collector does it");
    assert_eq!(pods_after(120), 1);
}

#[test]
fn a_controllers_pod_lives_until_its_grace_is_over_by_far() {
    let dying = |end_of_grace| Facts {
        controller: None,
        controller_pods: vec![going(object("pod", &[]), end_of_grace)],
        ..working(100)
    };
    assert_eq!(number(&dying(71)), 2);
    assert_eq!(number(&dying(70)), 3);
}

#[test]
fn without_a_controller_all_that_carries_our_finalizers_is_let_go() {
    let facts = Facts { controller: None, controller_pods: vec![], ..working(0) };
    let Step::Release { delete, groups, jobs, workers } = next(&facts) else { panic!() };
    assert_eq!(names(&delete), ["linux"]);
    assert_eq!(names(&groups), ["linux", "by-hand"]);
    assert_eq!(names(&jobs), ["job"]);
    assert_eq!(names(&workers), ["worker"]);
}

#[test]
fn a_group_that_was_written_by_hand_and_let_go_holds_up_nothing() {
    let facts = Facts {
        controller: None,
        controller_pods: vec![],
        groups: vec![object("by-hand", &[])],
        jobs: vec![],
        workers: vec![],
        ..working(0)
    };
    assert_eq!(next(&facts), Step::Remove);
}

#[test]
fn very_many_names_are_cut_short() {
    let names: Vec<String> = (0..7).map(|it| format!("g{it}")).collect();
    assert_eq!(few(&names), "g0, g1, g2, g3, g4 and 2 more");
    assert_eq!(few(&names[..5]), "g0, g1, g2, g3, g4");
    assert_eq!(few(&[]), "none");
}
