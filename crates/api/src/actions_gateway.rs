//! `ActionsGateway`: what a team asks for, one to a namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::runner_group::RunnerGroupSpec;

/// What an ActionsGateway asks for.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "actions-gateway.github.com",
    version = "v1alpha1",
    kind = "ActionsGateway",
    namespaced,
    status = "ActionsGatewayStatus",
    derive = "PartialEq",
    doc = "One team's gateway to GitHub Actions: a controller that claims jobs and runs each in a pod of its own. One to a namespace.",
    shortname = "ag",
    category = "actions-gateway",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.gitHubURL", priority = 1),
    printcolumn(
        name = "ObservedGen",
        type_ = "integer",
        json_path = ".status.observedGeneration",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 30 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name: a gateway's name is a DNS label of at most 30 characters; choose a shorter name of lower-case letters, digits and '-'")
)]
#[serde(rename_all = "camelCase")]
pub struct ActionsGatewaySpec {
    /// The Secret with the GitHub App's credentials: keys appId, installationId, privateKey.
    pub git_hub_app_ref: LocalRef,

    /// Where the runners register: the URL of an organisation, a repository or an enterprise.
    #[serde(rename = "gitHubURL")]
    #[schemars(length(min = 9, max = 2048), regex(pattern = r"^https://"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("gitHubURL: is immutable, since runners are registered under it; create a new gateway for another address"))]
    pub git_hub_url: String,

    /// A ConfigMap with the private CA of a GitHub Enterprise Server, in the key ca.crt.
    #[serde(rename = "gitHubCABundleRef", default, skip_serializing_if = "Option::is_none")]
    pub git_hub_ca_bundle_ref: Option<LocalRef>,

    /// The tenant's egress proxy pool. No effect yet: the pool is not provisioned.
    #[serde(default)]
    pub proxy: ProxySpec,

    /// The sets of runners; each becomes a RunnerGroup of that name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub runner_groups: Vec<RunnerGroupEntry>,

    /// How much a worker pod may do: restricted, baseline, or privileged (which the platform must allow for the namespace).
    #[serde(default)]
    pub security_profile: SecurityProfile,

    /// What is done at GitHub about an acquired job whose worker can never start: CompleteJob reports that job as
    /// failed, ForceCancel ends its whole run.
    #[serde(default)]
    pub never_started: NeverStarted,

    /// How much the controller logs.
    #[serde(default)]
    pub log_level: LogLevel,

    /// Traces of the controller. Absent: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
}

/// Name of an object in the same namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct LocalRef {
    /// The object's name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// The egress proxy pool.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas")
        .message("proxy.minReplicas: must not be above proxy.maxReplicas; lower it or raise maxReplicas")
)]
pub struct ProxySpec {
    /// The fewest replicas.
    #[serde(default = "default_min_replicas")]
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: i32,
    /// The most replicas.
    #[serde(default = "default_max_replicas")]
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: i32,
    /// The CPU use, in per cent of the request, at which the pool grows.
    #[serde(rename = "targetCPUUtilizationPercentage", default = "default_cpu_target")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_utilization_percentage: i32,
    /// Resources of a proxy pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Destinations that are reached without the proxy. None of them may be GitHub's.
    #[serde(rename = "noProxyCIDRs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 43)))]
    #[x_kube(validation = Rule::new("self.all(c, isCIDR(c))").message("proxy.noProxyCIDRs: every entry is a CIDR, as in 10.0.0.0/8"))]
    pub no_proxy_cidrs: Vec<String>,
    /// Whether NetworkPolicies for the pool are kept by the GMC.
    #[serde(default = "default_true")]
    pub managed_network_policy: bool,
}

impl Default for ProxySpec {
    fn default() -> Self {
        Self {
            min_replicas: default_min_replicas(),
            max_replicas: default_max_replicas(),
            target_cpu_utilization_percentage: default_cpu_target(),
            resources: None,
            no_proxy_cidrs: Vec::new(),
            managed_network_policy: true,
        }
    }
}

/// One RunnerGroup of a gateway: its name, and the fields of a RunnerGroup's spec.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RunnerGroupEntry {
    /// Name of the RunnerGroup, and of its runners' label in metrics.
    #[schemars(length(min = 1, max = 30), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Everything else.
    #[serde(flatten)]
    pub spec: RunnerGroupSpec,
}

/// How much a worker pod may do (Pod Security Standards).
#[derive(
    Serialize, Deserialize, JsonSchema, EnumString, IntoStaticStr, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SecurityProfile {
    #[expect(missing_docs, reason = "a doc comment here would drop out of the schema and reorder its enum")]
    Restricted,
    #[default]
    #[expect(missing_docs, reason = "as above")]
    Baseline,
    #[expect(missing_docs, reason = "as above")]
    Privileged,
}

/// What is done at GitHub about an acquired job whose worker can never start.
#[derive(
    Serialize, Deserialize, JsonSchema, EnumString, IntoStaticStr, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
pub enum NeverStarted {
    #[default]
    #[expect(missing_docs, reason = "a doc comment here would drop out of the schema and reorder its enum")]
    CompleteJob,
    #[expect(missing_docs, reason = "as above")]
    ForceCancel,
}

/// How much a program logs.
#[derive(Serialize, Deserialize, JsonSchema, IntoStaticStr, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum LogLevel {
    #[default]
    #[expect(missing_docs, reason = "a doc comment here would drop out of the schema and reorder its enum")]
    Info,
    #[expect(missing_docs, reason = "as above")]
    Debug,
}

/// Where and how traces are exported. There is no field for headers: they would carry credentials.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.samplerArg) || (has(self.sampler) && self.sampler.endsWith('traceidratio'))")
        .message("tracing.samplerArg: is for the samplers traceidratio and parentbased_traceidratio only; set one of them or leave the argument out")
)]
pub struct Tracing {
    /// Address of an OTLP/gRPC collector. Empty: off.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub endpoint: String,
    /// Whether the collector is spoken to without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// The sampler, by its OpenTelemetry name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<Sampler>,
    /// The ratio of the ratio samplers, in [0,1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), regex(pattern = r"^[0-9]*\.?[0-9]+$"))]
    #[x_kube(validation = Rule::new("double(self) >= 0.0 && double(self) <= 1.0").message("tracing.samplerArg: must be a number in [0,1]"))]
    pub sampler_arg: Option<String>,
    /// Attributes of the resource that every span carries.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(validation = Rule::new("self.all(k, k.size() > 0 && k.size() <= 256)").message("tracing.resourceAttributes: keys are 1 to 256 characters; shorten or remove the key"))]
    pub resource_attributes: BTreeMap<String, AttributeValue>,
}

/// Value of a resource attribute.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub struct AttributeValue(pub String);

impl JsonSchema for AttributeValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AttributeValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": 256 })
    }
}

/// OpenTelemetry's samplers.
#[derive(Serialize, Deserialize, JsonSchema, IntoStaticStr, Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are OpenTelemetry's; doc comments would reorder the schema's enum"
)]
pub enum Sampler {
    #[serde(rename = "always_on")]
    #[strum(serialize = "always_on")]
    AlwaysOn,
    #[serde(rename = "always_off")]
    #[strum(serialize = "always_off")]
    AlwaysOff,
    #[serde(rename = "traceidratio")]
    #[strum(serialize = "traceidratio")]
    TraceIdRatio,
    #[serde(rename = "parentbased_always_on")]
    #[strum(serialize = "parentbased_always_on")]
    ParentBasedAlwaysOn,
    #[serde(rename = "parentbased_always_off")]
    #[strum(serialize = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    #[serde(rename = "parentbased_traceidratio")]
    #[strum(serialize = "parentbased_traceidratio")]
    ParentBasedTraceIdRatio,
}

/// What is known of an ActionsGateway. `CredentialUnavailable` is written by the AGC, the rest by the GMC.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ActionsGatewayStatus {
    /// `Ready`, `AGCAvailable`, `CredentialUnavailable`, `Degraded`, `RunnerGroupsDegraded`. Absent means not yet known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

fn default_min_replicas() -> i32 {
    2
}
fn default_max_replicas() -> i32 {
    10
}
fn default_cpu_target() -> i32 {
    60
}
fn default_true() -> bool {
    true
}
