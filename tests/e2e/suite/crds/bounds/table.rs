//! The bounds as the contract has them, with a value on either side of each.
//!
//! The numbers are written here a second time on purpose: a bound that is moved in the definitions fails the test
//! until it is moved here as well.

use serde_json::{Value, json};

use super::super::objects::Kind;

const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const CLASS: &str = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
const DURATION: &str = r"^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+$";

/// One bound with what lies on either side of it.
#[derive(Clone, Debug)]
pub struct Side {
    pub kind: Kind,
    pub path: String,
    pub keyword: &'static str,
    pub limit: Value,
    pub accepted: Vec<Value>,
    pub refused: Value,
    /// What else the object must say for the accepted value to be good.
    pub given: Vec<(String, Value)>,
}

/// Every bound of every kind's spec.
pub fn all() -> Vec<Side> {
    let mut gateway = Table::new(Kind::ActionsGateway, "");
    gateway_fields(&mut gateway);
    let mut in_gateway = Table::new(Kind::ActionsGateway, "spec.runnerGroups[].")
        .given(&[("name", json!("linux")), ("runnerLabels", json!(["linux"]))]);
    in_gateway.text("name", 1, 30, |length| "n".repeat(length));
    in_gateway.pattern("name", LABEL, "linux-2", "Linux");
    group_fields(&mut in_gateway);
    let mut group = Table::new(Kind::RunnerGroup, "spec.");
    group_fields(&mut group);
    let mut job = Table::new(Kind::RunnerJob, "spec.");
    job_fields(&mut job);
    [gateway, in_gateway, group, job].into_iter().flat_map(|it| it.sides).collect()
}

fn gateway_fields(it: &mut Table) {
    for path in ["spec.gitHubAppRef.name", "spec.gitHubCABundleRef.name"] {
        it.text(path, 1, 253, |length| "n".repeat(length));
        it.pattern(path, SUBDOMAIN, "app.team-a", "App");
    }
    it.text("spec.gitHubURL", 9, 2048, |length| format!("https://{}", "a".repeat(length.saturating_sub(8))));
    it.pattern("spec.gitHubURL", "^https://", "https://github.test/acme", "http://github.test/acme");
    it.choice("spec.logLevel", &[json!("info"), json!("debug")]);
    it.choice("spec.neverStarted", &[json!("CompleteJob"), json!("ForceCancel")]);
    it.choice("spec.securityProfile", &[json!("restricted"), json!("baseline"), json!("privileged")]);
    it.number("spec.proxy.maxReplicas", 1, 100).and("spec.proxy.minReplicas", json!(1));
    it.number("spec.proxy.minReplicas", 1, 100).and("spec.proxy.maxReplicas", json!(100));
    it.number("spec.proxy.targetCPUUtilizationPercentage", 1, 100);
    it.at_most("maxItems", "spec.proxy.noProxyCIDRs", 64, |count| json!(vec!["10.0.0.0/8"; count]));
    // The shortest and the longest CIDR there are: "::/0" and a full IPv6 address.
    it.side("minLength", "spec.proxy.noProxyCIDRs[]", json!(1), json!("::/0"), json!(""));
    let longest = format!("{}ffff/128", "ffff:".repeat(7));
    it.side(
        "maxLength",
        "spec.proxy.noProxyCIDRs[]",
        json!(43),
        json!(longest),
        json!(format!("{longest}8")),
    );
    it.at_most("maxItems", "spec.runnerGroups", 64, |count| {
        (0..count).map(|number| json!({"name": format!("g{number}"), "runnerLabels": ["linux"]})).collect()
    });
    it.at_most("maxLength", "spec.tracing.endpoint", 2048, |length| json!("e".repeat(length)));
    it.at_most("maxProperties", "spec.tracing.resourceAttributes", 32, |count| {
        Value::Object((0..count).map(|number| (format!("key{number}"), json!("value"))).collect())
    });
    it.at_most("maxLength", "spec.tracing.resourceAttributes{}", 256, |length| json!("v".repeat(length)));
    let samplers = [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ];
    it.choice(
        "spec.tracing.sampler",
        &samplers.map(Value::from).into_iter().chain([Value::Null]).collect::<Vec<_>>(),
    );
    let sampler = |it: &mut Table| it.and("spec.tracing.sampler", json!("traceidratio"));
    it.text("spec.tracing.samplerArg", 1, 16, |length| match length {
        0 | 1 => "1".repeat(length),
        _ => format!("0.{}", "5".repeat(length - 2)),
    });
    sampler(it);
    it.pattern("spec.tracing.samplerArg", r"^[0-9]*\.?[0-9]+$", ".5", "-1");
    sampler(it);
}

fn group_fields(it: &mut Table) {
    let durations = [
        "completedPodTTL",
        "evictionRetryDelay",
        "jobHistory.ttl",
        "maxWorkerLifetime",
        "pendingPodDeadline",
        "quotaRetryDelay",
    ];
    for path in durations {
        it.text(path, 2, 32, |length| match length % 2 {
            0 => "9m".repeat(length / 2),
            _ => "9".to_owned() + &"9m".repeat(length / 2),
        });
        it.pattern(path, DURATION, "1h30.5m", "1 day");
    }
    it.number("jobHistory.failed", 0, 1000);
    it.number("jobHistory.succeeded", 0, 1000);
    it.number("maxEvictionRetries", 0, 10);
    it.number("maxListeners", 1, 1000);
    it.number("maxQuotaRetries", 0, 20);
    it.number("maxWorkers", 1, 10_000);
    it.text("priorityTiers[].priorityClassName", 1, 253, |length| "c".repeat(length));
    it.and("priorityTiers[].threshold", json!(1));
    it.pattern("priorityTiers[].priorityClassName", CLASS, "low.v2", "Low");
    it.and("priorityTiers[].threshold", json!(1));
    it.number("priorityTiers[].threshold", 1, 10_000).and("priorityTiers[].priorityClassName", json!("low"));
    it.at_most("maxItems", "priorityTiers", 10, |count| {
        (1..=count).map(|number| json!({"priorityClassName": "low", "threshold": number})).collect()
    });
    it.at_most("maxLength", "runnerVersion", 32, |length| json!(format!("2.337.{}", "0".repeat(length - 6))));
    it.pattern("runnerVersion", r"^\d+\.\d+\.\d+$", "2.337.0", "v2.337");
    it.side("minItems", "runnerLabels", json!(1), json!(["linux"]), json!([]));
    it.at_most("maxItems", "runnerLabels", 100, |count| {
        (0..count).map(|number| json!(format!("l{number}"))).collect()
    });
    it.text("runnerLabels[]", 1, 256, |length| "l".repeat(length));
    it.pattern("runnerLabels[]", r"^[^,\s]+$", "linux/x64", "linux,x64");
    it.text("workerImage", 1, 512, |length| "i".repeat(length));
}

fn job_fields(it: &mut Table) {
    it.text("broker.agent.name", 1, 64, |length| "a".repeat(length));
    it.at_most("maxLength", "broker.billingOwnerId", 256, |length| json!("b".repeat(length)));
    it.at_most("maxLength", "priorityClassName", 253, |length| json!("c".repeat(length)));
    it.text("broker.requestId", 1, 128, |length| "r".repeat(length));
    it.text("broker.runServiceURL", 1, 2048, |length| "u".repeat(length));
    it.text("runnerGroup.name", 1, 63, |length| "g".repeat(length));
}

/// Rows under construction. `and` adds to those of the last call.
struct Table {
    kind: Kind,
    prefix: &'static str,
    given: Vec<(String, Value)>,
    sides: Vec<Side>,
    /// The first row of the last call.
    last: usize,
}

impl Table {
    fn new(kind: Kind, prefix: &'static str) -> Self {
        Self { kind, prefix, given: Vec::new(), sides: Vec::new(), last: 0 }
    }

    fn given(mut self, fields: &[(&str, Value)]) -> Self {
        self.given =
            fields.iter().map(|(path, value)| (format!("{}{path}", self.prefix), value.clone())).collect();
        self
    }

    fn side(
        &mut self,
        keyword: &'static str,
        path: &str,
        limit: Value,
        accepted: Value,
        refused: Value,
    ) -> &mut Self {
        self.row(keyword, path, limit, vec![accepted], refused);
        self.last = self.sides.len() - 1;
        self
    }

    fn row(&mut self, keyword: &'static str, path: &str, limit: Value, accepted: Vec<Value>, refused: Value) {
        let (kind, path, given) = (self.kind, format!("{}{path}", self.prefix), self.given.clone());
        self.sides.push(Side { kind, path, keyword, limit, accepted, refused, given });
    }

    fn and(&mut self, path: &str, value: Value) {
        let given = (format!("{}{path}", self.prefix), value);
        self.sides[self.last..].iter_mut().for_each(|side| side.given.push(given.clone()));
    }

    fn number(&mut self, path: &str, minimum: i64, maximum: i64) -> &mut Self {
        self.last = self.sides.len();
        self.row("minimum", path, json!(minimum), vec![json!(minimum)], json!(minimum - 1));
        self.row("maximum", path, json!(maximum), vec![json!(maximum)], json!(maximum + 1));
        self
    }

    fn text(&mut self, path: &str, minimum: usize, maximum: usize, of_length: impl Fn(usize) -> String) {
        self.last = self.sides.len();
        let value = |length| json!(of_length(length));
        self.row("minLength", path, json!(minimum), vec![value(minimum)], value(minimum - 1));
        self.row("maxLength", path, json!(maximum), vec![value(maximum)], value(maximum + 1));
    }

    fn at_most(&mut self, keyword: &'static str, path: &str, most: usize, of_size: impl Fn(usize) -> Value) {
        self.side(keyword, path, json!(most), of_size(most), of_size(most + 1));
    }

    fn pattern(&mut self, path: &str, pattern: &str, good: &str, bad: &str) {
        self.side("pattern", path, json!(pattern), json!(good), json!(bad));
    }

    fn choice(&mut self, path: &str, values: &[Value]) {
        // null stands in the enum of a field that may be left out; written down, the API server refuses it.
        let accepted = values.iter().filter(|it| !it.is_null()).cloned().collect();
        self.row("enum", path, json!(values), accepted, json!("something else"));
        self.last = self.sides.len() - 1;
    }
}
