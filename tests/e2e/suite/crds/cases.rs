//! Both sides of every CEL rule: an object, or a change, that it lets pass and one that it refuses.

use serde_json::{Value, json};

use super::objects::Kind;

/// What is tried: merge patches over the smallest valid object.
#[derive(Clone, Debug)]
pub enum Attempt {
    Create(Value),
    /// The second patch over an object made with the first.
    Change(Value, Value),
}

/// A rule, known by kind, field and expression, with its two sides.
#[derive(Clone, Debug)]
pub struct Case {
    pub kind: Kind,
    pub path: String,
    pub rule: &'static str,
    pub accepted: Attempt,
    pub refused: Attempt,
}

/// One case for each rule of every kind.
pub fn all() -> Vec<Case> {
    let mut cases = gateway();
    cases.push(name(Kind::ActionsGateway));
    cases.push(name(Kind::RunnerGroup));
    cases.extend(
        group().into_iter().map(|it| it.on(Kind::RunnerGroup, "spec", |group| json!({"spec": group}))),
    );
    cases.extend(group().into_iter().map(|it| {
        it.on(Kind::ActionsGateway, "spec.runnerGroups[]", |mut group| {
            json_patch::merge(&mut group, &json!({"name": "linux", "runnerLabels": ["linux"]}));
            json!({"spec": {"runnerGroups": [group]}})
        })
    }));
    cases.push(Case {
        kind: Kind::RunnerJob,
        path: "spec".into(),
        rule: "self == oldSelf",
        accepted: Attempt::Change(
            json!({}),
            json!({"metadata": {"annotations": {"example.test/note": "seen"}}}),
        ),
        refused: Attempt::Change(json!({}), json!({"spec": {"broker": {"requestId": "another"}}})),
    });
    cases.push(Case {
        kind: Kind::RunnerJob,
        path: "spec".into(),
        rule: "has(self.broker)",
        accepted: Attempt::Create(json!({})),
        refused: Attempt::Create(json!({"spec": {"broker": null}})),
    });
    cases
}

fn gateway() -> Vec<Case> {
    let case = |path: &str, rule, accepted, refused| Case {
        kind: Kind::ActionsGateway,
        path: path.into(),
        rule,
        accepted: Attempt::Create(json!({"spec": accepted})),
        refused: Attempt::Create(json!({"spec": refused})),
    };
    vec![
        Case {
            kind: Kind::ActionsGateway,
            path: "spec.gitHubURL".into(),
            rule: "self == oldSelf",
            accepted: Attempt::Change(json!({}), json!({"spec": {"logLevel": "debug"}})),
            refused: Attempt::Change(json!({}), json!({"spec": {"gitHubURL": "https://github.test/other"}})),
        },
        case(
            "spec.proxy",
            "self.minReplicas <= self.maxReplicas",
            json!({"proxy": {"minReplicas": 3, "maxReplicas": 3}}),
            json!({"proxy": {"minReplicas": 4, "maxReplicas": 3}}),
        ),
        case(
            "spec.proxy.noProxyCIDRs",
            "self.all(c, isCIDR(c))",
            json!({"proxy": {"noProxyCIDRs": ["10.0.0.0/8", "fd00::/8"]}}),
            json!({"proxy": {"noProxyCIDRs": ["10.0.0.0/8", "10.0.0.0/33"]}}),
        ),
        case(
            "spec.tracing",
            "!has(self.samplerArg) || (has(self.sampler) && self.sampler.endsWith('traceidratio'))",
            json!({"tracing": {"sampler": "parentbased_traceidratio", "samplerArg": "0.1"}}),
            json!({"tracing": {"sampler": "always_on", "samplerArg": "0.1"}}),
        ),
        case(
            "spec.tracing.samplerArg",
            "double(self) >= 0.0 && double(self) <= 1.0",
            json!({"tracing": {"sampler": "traceidratio", "samplerArg": "1.0"}}),
            json!({"tracing": {"sampler": "traceidratio", "samplerArg": "1.1"}}),
        ),
        case(
            "spec.tracing.resourceAttributes",
            "self.all(k, k.size() > 0 && k.size() <= 256)",
            json!({"tracing": {"resourceAttributes": {"k".repeat(256): "v"}}}),
            json!({"tracing": {"resourceAttributes": {"k".repeat(257): "v"}}}),
        ),
    ]
}

fn name(kind: Kind) -> Case {
    Case {
        kind,
        path: String::new(),
        rule: "self.metadata.name.size() <= 30 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        accepted: Attempt::Create(json!({"metadata": {"name": "n".repeat(30)}})),
        refused: Attempt::Create(json!({"metadata": {"name": "n".repeat(31)}})),
    }
}

/// A rule of a RunnerGroup's fields, which stand in two kinds.
struct GroupCase {
    path: &'static str,
    rule: &'static str,
    accepted: Value,
    refused: Value,
}

impl GroupCase {
    fn on(self, kind: Kind, prefix: &str, wrap: impl Fn(Value) -> Value) -> Case {
        Case {
            kind,
            path: if self.path.is_empty() { prefix.to_owned() } else { format!("{prefix}.{}", self.path) },
            rule: self.rule,
            accepted: Attempt::Create(wrap(self.accepted)),
            refused: Attempt::Create(wrap(self.refused)),
        }
    }
}

fn group() -> Vec<GroupCase> {
    let case = |path, rule, accepted, refused| GroupCase { path, rule, accepted, refused };
    let tiers = |thresholds: &[i32]| -> Value {
        thresholds.iter().map(|it| json!({"priorityClassName": "low", "threshold": it})).collect()
    };
    vec![
        case(
            "evictionRetryDelay",
            "duration(self) >= duration('1s')",
            json!({"evictionRetryDelay": "1s"}),
            json!({"evictionRetryDelay": "999ms"}),
        ),
        case(
            "quotaRetryDelay",
            "duration(self) >= duration('1s')",
            json!({"quotaRetryDelay": "1s"}),
            json!({"quotaRetryDelay": "999ms"}),
        ),
        case(
            "pendingPodDeadline",
            "duration(self) >= duration('1s')",
            json!({"pendingPodDeadline": "1s"}),
            json!({"pendingPodDeadline": "0.5s"}),
        ),
        case(
            "jobHistory.ttl",
            "duration(self) >= duration('1m')",
            json!({"jobHistory": {"ttl": "60s"}}),
            json!({"jobHistory": {"ttl": "59s"}}),
        ),
        case(
            "priorityTiers",
            "self.map(t, t.threshold).isSorted() && self.all(t, self.filter(u, u.threshold == t.threshold).size() == 1)",
            json!({"priorityTiers": tiers(&[1, 2, 5])}),
            json!({"priorityTiers": tiers(&[1, 5, 5])}),
        ),
        case(
            "",
            "!has(self.maxWorkers) || !has(self.priorityTiers) || self.priorityTiers.size() == 0 || \
             self.priorityTiers[self.priorityTiers.size() - 1].threshold == self.maxWorkers",
            json!({"maxWorkers": 5, "priorityTiers": tiers(&[2, 5])}),
            json!({"maxWorkers": 4, "priorityTiers": tiers(&[2, 5])}),
        ),
    ]
}
