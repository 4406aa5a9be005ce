use super::*;
use crate::{Demand, Object, Tier};

/// A pod that requests a quarter of a CPU.
fn demand() -> Demand {
    Demand::of(
        &serde_yaml::from_str("containers: [{ name: runner, resources: { requests: { cpu: 250m } } }]")
            .unwrap(),
    )
}

fn quota(yaml: &str) -> Quota {
    Quota::of(&serde_yaml::from_str(yaml).unwrap())
}

/// The question where nothing hinders.
fn open<'a>(demand: &'a Demand, ceiling: &'a Ceiling) -> Question<'a> {
    let worker = Worker::Accepted(demand);
    Question { draining: false, worker, throttled: false, ceiling, active: 0, reserved: &[], quotas: &[] }
}

fn tiers() -> Ceiling {
    let tier = |class: &str, threshold| Tier { priority_class: class.to_owned(), threshold };
    Ceiling { max_workers: None, tiers: vec![tier("high", 2), tier("low", 5)] }
}

#[track_caller]
fn check(ceiling: &Ceiling, active: u32, expected: Verdict) {
    let demand = demand();
    let verdict = admit(&Question { active, ..open(&demand, ceiling) });
    assert_eq!(verdict, expected, "{active} active");
}

fn admitted(class: Option<&str>) -> Verdict {
    Verdict::Admitted { priority_class: class.map(str::to_owned) }
}

#[test]
fn a_group_without_a_bound_takes_all() {
    check(&Ceiling::default(), 100_000, admitted(None));
}

#[test]
fn the_bound_counts_every_job_that_holds_a_slot() {
    let ceiling = Ceiling { max_workers: Some(3), tiers: vec![] };
    check(&ceiling, 2, admitted(None));
    check(&ceiling, 3, Verdict::Ceiling { active: 3, limit: 3 });
    check(&ceiling, 4, Verdict::Ceiling { active: 4, limit: 3 });
}

#[test]
fn tiers_choose_the_class_by_the_current_count_and_end_at_the_last_threshold() {
    check(&tiers(), 0, admitted(Some("high")));
    check(&tiers(), 1, admitted(Some("high")));
    check(&tiers(), 2, admitted(Some("low")));
    check(&tiers(), 4, admitted(Some("low")));
    check(&tiers(), 5, Verdict::Ceiling { active: 5, limit: 5 });
}

#[test]
fn each_hindrance_goes_before_the_next() {
    let full = Ceiling { max_workers: Some(0), tiers: vec![] };
    let none_left = [quota("{ metadata: { name: team }, spec: { hard: { pods: '0' } } }")];
    let demand = demand();
    let mut question = Question {
        draining: true,
        worker: Worker::Refused("no"),
        throttled: true,
        ceiling: &full,
        active: 0,
        reserved: &[],
        quotas: &none_left,
    };
    assert_eq!(admit(&question), Verdict::Draining);
    question.draining = false;
    assert_eq!(admit(&question), Verdict::Refused { message: "no".into() });
    question.worker = Worker::Unasked;
    assert_eq!(admit(&question), Verdict::Unasked);
    question.worker = Worker::Exceeded(&demand, "full");
    assert_eq!(admit(&question), Verdict::Throttled);
    question.throttled = false;
    assert_eq!(admit(&question), Verdict::Ceiling { active: 0, limit: 0 });
    let unbounded = Ceiling::default();
    question.ceiling = &unbounded;
    assert_eq!(admit(&question).as_str(), "quota");
    question.quotas = &[];
    assert_eq!(admit(&question), Verdict::Refused { message: "full".into() });
    question.worker = Worker::Accepted(&demand);
    assert_eq!(admit(&question), admitted(None));
}

#[test]
fn jobs_in_flight_are_counted_as_used() {
    let team = [quota(
        "{ metadata: { name: team }, spec: { hard: { requests.cpu: '4' } }, status: { used: { requests.cpu: 3400m } } }",
    )];
    let demand = demand();
    let others = [Need::whole(&demand, None); 2];
    let none = Ceiling::default();
    let ask = |reserved: &[Need<'_>]| admit(&Question { reserved, quotas: &team, ..open(&demand, &none) });
    assert_eq!(ask(&others[..1]), admitted(None), "exactly full is not too much");
    let short = ask(&others);
    let expected = Verdict::Quota {
        name: "team".into(),
        resource: "requests.cpu".into(),
        used: 3900,
        hard: 4000,
        needed: 250,
    };
    assert_eq!(short, expected);
    assert_eq!(short.to_string(), "quota team: requests.cpu 3900m of 4000m used, 250m needed");
}

#[test]
fn a_job_in_flight_reserves_only_what_no_quota_counts_yet() {
    let demand = demand();
    let none = Ceiling::default();
    let reserves = |from, resource: &str| {
        let hard = format!("{{ metadata: {{ name: q }}, spec: {{ hard: {{ {resource}: '1' }} }} }}");
        let quotas = [quota(&hard)];
        let reserved = [Need { demand: &demand, priority_class: None, from }];
        let question = Question { reserved: &reserved, quotas: &quotas, ..open(&demand, &none) };
        !admit(&question).is_admitted()
    };
    assert!(reserves(Object::PayloadSecret, "secrets") && reserves(Object::PayloadSecret, "pods"));
    assert!(!reserves(Object::Pod, "secrets") && reserves(Object::Pod, "pods"));
    assert!(!reserves(Object::Claims, "pods"));
}

#[test]
fn the_class_that_the_tiers_choose_decides_which_quota_counts_the_job() {
    let ceiling = tiers();
    let low = [quota(
        "{ metadata: { name: low }, spec: { hard: { pods: '0' }, scopeSelector: { matchExpressions: [
            { scopeName: PriorityClass, operator: In, values: [low] }] } } }",
    )];
    let demand = demand();
    let with = |active| admit(&Question { active, quotas: &low, ..open(&demand, &ceiling) });
    assert_eq!(with(1), admitted(Some("high")));
    assert_eq!(with(2).to_string(), "quota low: pods 0 of 0 used, 1 needed");
}

#[test]
fn a_verdict_is_one_sentence() {
    let words = [
        (admitted(None), "admitted"),
        (admitted(Some("high")), "admitted with PriorityClass high"),
        (Verdict::Ceiling { active: 20, limit: 20 }, "20 of 20 workers"),
        (
            Verdict::Refused { message: "pods \"a\" is forbidden".into() },
            "the API server refuses the pod: pods \"a\" is forbidden",
        ),
        (Verdict::Unasked, "the API server has not answered the dry run of the pod yet"),
    ];
    for (verdict, expected) in words {
        assert_eq!(verdict.to_string(), expected);
    }
}
