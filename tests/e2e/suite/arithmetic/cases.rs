//! Random worlds: pods, and the quotas and LimitRanges that they meet. A seed makes the same one each time.

use std::collections::BTreeMap;

use admission::{Amounts, quantity};
use serde_json::{Map, Value, json};

/// Chance from a seed (SplitMix64).
pub struct Dice(u64);

/// What the pods of a case may name.
pub struct Classes {
    /// A RuntimeClass with an overhead.
    pub runtime: String,
    /// Two PriorityClasses.
    pub priority: [String; 2],
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `count`.
    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll() % count as u64).unwrap_or_default()
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn amount(&mut self, resource: &str) -> &'static str {
        match resource {
            "cpu" => self.one(&["0", "1m", "100m", "0.25", "500m", "1", "1500m", "2"]),
            "memory" => self.one(&["0", "64Mi", "100M", "123456789", "0.5Gi", "1Gi", "2e9"]),
            _ => self.one(&["1Gi", "500M"]),
        }
    }

    /// Requests and limits: each resource on a side with this chance; at times more requested than allowed.
    fn resources(&mut self, names: &[&str], chance: usize) -> Value {
        let (mut requests, mut limits) = (Map::new(), Map::new());
        for name in names {
            let (low, high) = (self.amount(name), self.amount(name));
            let swap = quantity::millis(low) > quantity::millis(high) && !self.percent(5);
            let (low, high) = if swap { (high, low) } else { (low, high) };
            if self.percent(chance) {
                requests.insert((*name).to_owned(), json!(low));
            }
            if self.percent(chance) {
                limits.insert((*name).to_owned(), json!(high));
            }
        }
        json!({"requests": requests, "limits": limits})
    }

    fn container(&mut self, name: String, chance: usize) -> Value {
        let with_storage = self.percent(30);
        let names: &[&str] =
            if with_storage { &["cpu", "memory", "ephemeral-storage"] } else { &["cpu", "memory"] };
        let mut resources = self.resources(names, chance);
        for (name, chance) in [("example.com/gpu", 10), ("hugepages-2Mi", 5)] {
            if self.percent(chance) {
                let amount = if name == "hugepages-2Mi" { "4Mi" } else { self.one(&["1", "2"]) };
                resources["limits"][name] = json!(amount);
            }
        }
        json!({"name": name, "image": "localhost/none:v1", "resources": resources})
    }

    /// The spec of a pod that no node takes.
    pub fn pod(&mut self, classes: &Classes) -> Value {
        // Quotas mostly want all of it, scopes tell apart who says nothing.
        let said = self.one(&[100, 100, 100, 100, 50, 0]);
        let containers: Vec<Value> =
            (0..=self.below(3)).map(|i| self.container(format!("c{i}"), said)).collect();
        let init: Vec<Value> = (0..self.below(4))
            .map(|i| {
                let mut container = self.container(format!("i{i}"), said);
                if self.percent(50) {
                    container["restartPolicy"] = json!("Always");
                }
                container
            })
            .collect();
        let mut spec = json!({
            "nodeSelector": {"e2e.test/node": "none"}, "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false, "containers": containers, "initContainers": init,
        });
        if self.percent(25) {
            spec["resources"] = self.whole();
        }
        if self.percent(25) {
            spec["runtimeClassName"] = json!(classes.runtime);
        }
        if self.percent(50) {
            spec["priorityClassName"] = json!(classes.priority[self.below(2)]);
        }
        if self.percent(40) {
            spec["activeDeadlineSeconds"] = json!(3600);
        }
        if self.percent(20) {
            spec["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "namespaces": ["elsewhere"], "labelSelector": {}},
            ]}});
        }
        if self.percent(25) {
            spec["volumes"] = (0..=self.below(2)).map(|i| self.volume(i)).collect();
        }
        spec
    }

    /// What a pod claims as a whole: mostly more than its containers do.
    fn whole(&mut self) -> Value {
        if self.percent(30) {
            return self.resources(&["cpu", "memory"], 50);
        }
        let mut whole = json!({});
        for (name, low, high) in [("cpu", "8", "9"), ("memory", "8Gi", "9Gi")] {
            if self.percent(60) {
                whole["requests"][name] = json!(low);
            }
            if self.percent(60) {
                whole["limits"][name] = json!(high);
            }
        }
        whole
    }

    fn volume(&mut self, number: usize) -> Value {
        let storage = self.one(&["1Gi", "1500M", "10Gi"]);
        let mut claim = json!({
            "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": {"requests": {"storage": storage}},
        });
        if self.percent(50) {
            claim["storageClassName"] = json!("none");
        }
        json!({"name": format!("v{number}"), "ephemeral": {"volumeClaimTemplate": {"spec": claim}}})
    }

    /// The spec of a quota that pods with this demand are likely to meet at its bound. Not every one is valid.
    pub fn quota(&mut self, demand: &Amounts, booked: &Amounts, classes: &Classes) -> Value {
        let taken = |name: &str| demand.get(name).is_some_and(|it| *it > 0);
        let named: Vec<&str> =
            QUOTED.iter().copied().filter(|it| self.percent(if taken(it) { 35 } else { 10 })).collect();
        let tight = if self.percent(50) { named.get(self.below(named.len().max(1))) } else { None };
        let mut hard = BTreeMap::new();
        for name in &named {
            let needed = demand.get(*name).copied().unwrap_or_default();
            let full = needed + booked.get(*name).copied().unwrap_or_default();
            let step = if name.contains("cpu") { 1 } else { 1000 };
            let few = [0, needed, full - step];
            let enough = [full, full, full + step, full * 2, 1_000_000_000_000_000];
            let bound = if tight == Some(name) { self.one(&few) } else { self.one(&enough) };
            hard.insert(*name, quantity::canonical(bound.max(0)));
        }
        let [low, high] = &classes.priority;
        let class = |operator: &str, values: &[&String]| json!({"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": values}]});
        let mut spec = json!({"hard": hard});
        match self.below(14) {
            0 => spec["scopes"] = json!(["Terminating"]),
            1 => spec["scopes"] = json!(["NotTerminating", "NotBestEffort"]),
            2 => spec = json!({"scopes": ["BestEffort"], "hard": {"pods": self.one(&["0", "1", "2"])}}),
            3 => spec["scopes"] = json!(["PriorityClass"]),
            4 => spec["scopes"] = json!(["CrossNamespacePodAffinity"]),
            5 => spec["scopeSelector"] = class(self.one(&["In", "NotIn"]), &[low]),
            6 => spec["scopeSelector"] = class("In", &[low, high]),
            7 => spec["scopeSelector"] = class(self.one(&["Exists", "DoesNotExist"]), &[]),
            _ => {}
        }
        spec
    }

    /// The items of a LimitRange. Not every one is valid.
    pub fn limits(&mut self) -> Value {
        let mut container = json!({"type": "Container"});
        for side in ["default", "defaultRequest"] {
            for name in ["cpu", "memory"] {
                if self.percent(35) {
                    container[side][name] = json!(self.amount(name));
                }
            }
        }
        for (side, chance) in [("min", 10), ("max", 10)] {
            for name in ["cpu", "memory"] {
                if self.percent(chance) {
                    container[side][name] = json!(self.amount(name));
                }
            }
        }
        if self.percent(10) {
            container["maxLimitRequestRatio"]["cpu"] = json!(self.one(&["1", "1.5", "4", "10"]));
        }
        let mut pod = json!({"type": "Pod"});
        for (side, amounts) in [("min", ["10m", "0"]), ("max", ["4", "2"])] {
            if self.percent(12) {
                pod[side]["cpu"] = json!(self.one(&amounts));
            }
        }
        json!([container, pod])
    }
}

/// What quotas bound here.
const QUOTED: &[&str] = &[
    "pods",
    "count/pods",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "requests.example.com/gpu",
    "requests.hugepages-2Mi",
    "hugepages-2Mi",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "persistentvolumeclaims",
    "requests.storage",
    "count/persistentvolumeclaims",
    "none.storageclass.storage.k8s.io/requests.storage",
    "none.storageclass.storage.k8s.io/persistentvolumeclaims",
];
