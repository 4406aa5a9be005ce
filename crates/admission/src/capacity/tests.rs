use super::*;

fn amounts(pairs: &[(&str, i128)]) -> Amounts {
    pairs.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
}

fn tiers() -> Ceiling {
    let tier = |class: &str, threshold| Tier { priority_class: class.to_owned(), threshold };
    Ceiling { max_workers: None, tiers: vec![tier("high", 2), tier("low", 5)] }
}

#[track_caller]
fn check(ceiling: &Ceiling, active: u32, expected: Verdict) {
    let none = Amounts::new();
    let question = Question { ceiling, active, demand: &none, reserved: &none, quotas: &[] };
    assert_eq!(admit(&question), expected, "{active} active");
}

fn admitted(class: Option<&str>) -> Verdict {
    Verdict::Admit { priority_class: class.map(str::to_owned) }
}

#[test]
fn a_group_without_a_bound_takes_all() {
    check(&Ceiling::default(), 100_000, admitted(None));
}

#[test]
fn the_bound_counts_every_job_that_holds_a_slot() {
    let ceiling = Ceiling { max_workers: Some(3), tiers: vec![] };
    check(&ceiling, 2, admitted(None));
    check(&ceiling, 3, Verdict::Ceiling { limit: 3 });
    check(&ceiling, 4, Verdict::Ceiling { limit: 3 });
}

#[test]
fn tiers_choose_the_class_by_the_current_count_and_end_at_the_last_threshold() {
    check(&tiers(), 0, admitted(Some("high")));
    check(&tiers(), 1, admitted(Some("high")));
    check(&tiers(), 2, admitted(Some("low")));
    check(&tiers(), 4, admitted(Some("low")));
    check(&tiers(), 5, Verdict::Ceiling { limit: 5 });
}

#[test]
fn a_quota_counts_what_is_used_reserved_and_asked() {
    let quota = Quota {
        name: "team".into(),
        hard: amounts(&[("pods", 3000), ("requests.cpu", 2000)]),
        used: amounts(&[("pods", 1000), ("requests.cpu", 1000)]),
    };
    let demand = amounts(&[("pods", 1000), ("requests.cpu", 500), ("requests.memory", 1)]);
    let ask = |reserved: &Amounts| {
        admit(&Question {
            ceiling: &Ceiling::default(),
            active: 0,
            demand: &demand,
            reserved,
            quotas: std::slice::from_ref(&quota),
        })
    };
    assert_eq!(ask(&Amounts::new()), admitted(None));
    assert_eq!(ask(&amounts(&[("requests.cpu", 500)])), admitted(None), "exactly full is not too much");
    assert_eq!(
        ask(&amounts(&[("requests.cpu", 501)])),
        Verdict::Quota { name: "team".into(), resource: "requests.cpu".into() }
    );
}

#[test]
fn a_quota_that_is_overdrawn_elsewhere_does_not_hold_back_a_pod_that_asks_none_of_it() {
    let quota = Quota {
        name: "gpu".into(),
        hard: amounts(&[("requests.nvidia.com/gpu", 0)]),
        used: amounts(&[("requests.nvidia.com/gpu", 1000)]),
    };
    let demand = amounts(&[("pods", 1000)]);
    let question = Question {
        ceiling: &Ceiling::default(),
        active: 0,
        demand: &demand,
        reserved: &Amounts::new(),
        quotas: &[quota],
    };
    assert_eq!(admit(&question), admitted(None));
}
