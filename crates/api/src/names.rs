//! Names that are the same in every tenant's namespace, because a namespace holds one gateway.

/// AGC Deployment, metrics Service, ServiceAccount, RoleBinding and Lease, and the value of their `app` label.
pub const CONTROLLER: &str = "actions-gateway-controller";
/// ClusterRole that the tenant's RoleBinding refers to.
pub const CONTROLLER_ROLE: &str = "actions-gateway-agc";
/// ServiceAccount of worker pods: no token, no grants.
pub const WORKER: &str = "actions-gateway-worker";
/// The container of a worker pod in which the job runs.
pub const RUNNER_CONTAINER: &str = "runner";
/// The init container that delivers wrapper and payload.
pub const INSTALL_CONTAINER: &str = "actions-gateway-install";
/// Volume shared by the install container and `runner`.
pub const RUN_VOLUME: &str = "actions-gateway-run";
/// Volume of the payload Secret, mounted by the install container only.
pub const PAYLOAD_VOLUME: &str = "actions-gateway-payload";
/// Volume that shows the wrapper what it is asked: the pod's own annotation.
pub const STOP_VOLUME: &str = "actions-gateway-pod";
/// Volume of the CA bundle for GitHub Enterprise Server.
pub const GITHUB_CA_VOLUME: &str = "actions-gateway-github-ca";
/// ConfigMap with the egress proxy's CA.
pub const TRUST: &str = "actions-gateway-trust";
/// Volume of the egress proxy's CA.
pub const PROXY_CA_VOLUME: &str = "actions-gateway-proxy-ca";
/// Key of a CA bundle in a ConfigMap.
pub const CA_KEY: &str = "ca.crt";
/// Name of the metrics port of every Service.
pub const METRICS_PORT: &str = "metrics";

/// Begins the name of everything of the gateway's in a tenant's namespace, or in a worker pod, that is not named after its
/// group.
const PREFIX: &str = "actions-gateway-";

/// Whether something of this name is, or could be, the gateway's.
#[must_use]
pub fn is_gateways(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether a Secret of this name is, or could be, one of the gateway's: `actions-gateway-…`, and those of the tenant's
/// controller: `…-<8 hex>-agent-<index>` with the registration of a runner, `…-<10 hex>-payload` with a claimed job.
#[must_use]
pub fn is_gateways_secret(name: &str) -> bool {
    let ends_in_hex = |text: &str, length: usize| {
        let digits = text.rsplit('-').next().unwrap_or_default();
        digits.len() == length && digits.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
    };
    let is_index = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let agent =
        name.rsplit_once("-agent-").is_some_and(|(series, index)| ends_in_hex(series, 8) && is_index(index));
    let payload = name.strip_suffix("-payload").is_some_and(|job| ends_in_hex(job, 10));
    is_gateways(name) || agent || payload
}
