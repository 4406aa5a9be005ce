//! What the programs say of themselves: metrics, probes, logs.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, names};
use e2e::forward::Forward;
use e2e::tenant::REACTION;
use e2e::world::{MANAGER, SYSTEM};
use e2e::{Namespace, Tenant, logs, tools, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Probe, Service};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

/// The shape of every line.
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/log.schema.json");
/// What a job that succeeds feeds: name and labels of a series, without its value.
const FED_BY_A_JOB: [&str; 7] = [
    "actions_gateway_active_sessions{namespace=\"$NS\",runner_group=\"$RG\"}",
    "actions_gateway_jobs_acquired_total{namespace=\"$NS\",runner_group=\"$RG\"}",
    "actions_gateway_job_duration_seconds_count{namespace=\"$NS\",runner_group=\"$RG\"}",
    "actions_gateway_pod_creation_latency_seconds_count{namespace=\"$NS\"}",
    "actions_gateway_token_refreshes_total{namespace=\"$NS\"}",
    "actions_gateway_agent_recycles_total{namespace=\"$NS\",runner_group=\"$RG\",trigger=\"post_job\"}",
    "controller_runtime_reconcile_time_seconds_count{controller=\"runnergroup\"}",
];

/// The value of a series in an exposition.
fn value(exposition: &str, series: &str) -> Option<f64> {
    exposition.lines().find_map(|it| it.strip_prefix(series)?.trim().parse().ok())
}

async fn is_well_formed(exposition: &str) -> Result<()> {
    // promtool also judges style; what it finds there fails as well.
    tools::run("promtool", &["check", "metrics"], exposition).await.map(drop)
}

pub async fn a_job_feeds_the_controllers_metrics(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    let run = tenant.start_script("true").await?;
    tenant.completed(run).await?;
    tenant.settled(run).await?;
    let controller = tenant.controller().await?;
    let forward = Forward::open(tenant.namespace.name(), &controller.name_any(), 8080).await?;
    let (namespace, group) = (tenant.namespace.name(), &tenant.group);
    wait::eventually("every series is fed", REACTION, || async {
        let exposition = forward.get("/metrics").await?;
        for series in FED_BY_A_JOB {
            let series = series.replace("$NS", namespace).replace("$RG", group);
            let value = value(&exposition, &series)
                .with_context(|| format!("{series} is not there:\n{exposition}"))?;
            ensure!(value >= 1.0, "{series} is {value}");
        }
        is_well_formed(&exposition).await
    })
    .await?;
    let deployment = tenant.namespace.api::<Deployment>().get(names::CONTROLLER).await?;
    is_probed(&deployment, &controller)
}

pub async fn the_managers_count_their_gateways(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    tenant.wait_for_gateway("provisioned", "Degraded", "False").await?;
    let deployments: Api<Deployment> = Api::namespaced(tenant.namespace.client(), SYSTEM);
    let deployment = deployments.get(MANAGER).await?;
    let managers = managers(&tenant.namespace.client()).await?;
    ensure!(managers.len() == 2, "{} managers", managers.len());
    let mut managed = 0.0;
    for manager in &managers {
        let exposition = Forward::open(SYSTEM, &manager.name_any(), 8080).await?.get("/metrics").await?;
        is_well_formed(&exposition).await?;
        managed += value(&exposition, "actions_gateway_managed_gateways")
            .context("managed_gateways is not there")?;
        is_probed(&deployment, manager)?;
    }
    ensure!(managed >= 1.0, "the managers count {managed} gateways");
    Ok(())
}

/// That the kubelet asks both probes, and that the pod answers.
fn is_probed(deployment: &Deployment, pod: &Pod) -> Result<()> {
    let template = deployment.spec.as_ref().and_then(|it| it.template.spec.as_ref()).context("a template")?;
    let container = template.containers.first().context("a container")?;
    let path = |it: &Option<Probe>| it.as_ref()?.http_get.as_ref()?.path.clone();
    let paths =
        [path(&container.startup_probe), path(&container.liveness_probe), path(&container.readiness_probe)];
    ensure!(
        paths == ["/healthz", "/healthz", "/readyz"].map(|it| Some(it.to_owned())),
        "the probes are {paths:?}"
    );
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref()).into_iter().flatten();
    let ready = conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True");
    ensure!(ready, "{} is not ready", pod.name_any());
    Ok(())
}

pub async fn one_service_monitor_selects_both(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    tenant.wait_for_gateway("provisioned", "Degraded", "False").await?;
    let selector = ListParams::default().labels(&format!("app={}", names::CONTROLLER));
    for namespace in [tenant.namespace.name(), SYSTEM] {
        let services: Api<Service> = Api::namespaced(tenant.namespace.client(), namespace);
        let found = services.list(&selector).await?.items;
        let has_port = found.iter().any(|it| {
            let ports = it.spec.as_ref().and_then(|it| it.ports.as_ref());
            ports.is_some_and(|ports| ports.iter().any(|it| it.name.as_deref() == Some(names::METRICS_PORT)))
        });
        ensure!(has_port, "no Service in {namespace} for the documented ServiceMonitor: {found:#?}");
    }
    Ok(())
}

async fn managers(client: &Client) -> Result<Vec<Pod>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    let selector = ListParams::default()
        .labels("app.kubernetes.io/name=actions-gateway,app.kubernetes.io/component=gmc");
    Ok(pods
        .list(&selector)
        .await?
        .items
        .into_iter()
        .filter(|it| it.metadata.deletion_timestamp.is_none())
        .collect())
}

/// Containers whose every line is ours, by name: program.
const PROGRAMS: [(&str, &str); 4] =
    [("gmc", "gmc"), ("agc", "agc"), ("fakegithub", "fakegithub"), ("actions-gateway-install", "worker")];

pub async fn every_log_line_has_the_one_shape(namespace: Namespace) -> Result<()> {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(Path::new(SCHEMA))?)?;
    let schema = jsonschema::validator_for(&schema)?;
    let mut faults = Vec::new();
    let mut seen: Vec<(&str, usize)> = PROGRAMS.iter().map(|(_, program)| (*program, 0)).collect();
    for log in logs::collected(&namespace.world().logs)? {
        let program = PROGRAMS.iter().find(|(container, _)| log.container == *container).map(|(_, it)| *it);
        // The runner container's log is the job's own words as well; there the lines that claim to be ours count.
        let ours: Vec<&str> = match (program, log.container.as_str()) {
            (Some(_), _) => log.text.lines().collect(),
            (None, "runner") => {
                log.text.lines().filter(|it| it.contains("\"component\":\"worker\"")).collect()
            }
            _ => continue,
        };
        if let Some((_, count)) = seen.iter_mut().find(|(it, _)| *it == program.unwrap_or("worker")) {
            *count += ours.len();
        }
        // A killed process may leave half a line: the last one without its end is not judged.
        let whole =
            ours.len() - usize::from(!log.text.is_empty() && !log.text.ends_with('\n') && !ours.is_empty());
        faults.extend(ours[..whole].iter().filter_map(|line| fault(&schema, &log, line)));
    }
    ensure!(seen.iter().all(|(_, lines)| *lines > 0), "a program said nothing: {seen:?}");
    ensure!(
        faults.is_empty(),
        "{} lines of another shape, such as\n{}",
        faults.len(),
        faults[..faults.len().min(20)].join("\n")
    );
    Ok(())
}

fn fault(schema: &jsonschema::Validator, log: &logs::Log, line: &str) -> Option<String> {
    let about = |why: String| Some(format!("{} {} {}: {why}: {line}", log.namespace, log.pod, log.container));
    match serde_json::from_str::<Value>(line) {
        Err(error) => about(error.to_string()),
        Ok(value) => schema.validate(&value).err().and_then(|error| about(error.to_string())),
    }
}

/// Of all gateways of the run, none may be left.
pub async fn every_namespace_of_the_run_is_gone(namespace: Namespace) -> Result<()> {
    wait::eventually("all namespaces of the run are gone", std::time::Duration::from_secs(150), || async {
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(namespace.client());
        let label = format!("{}={}", e2e::namespace::RUN, namespace.world().run);
        let left: Vec<String> = namespaces
            .list(&ListParams::default().labels(&label))
            .await?
            .iter()
            .map(ResourceExt::name_any)
            .collect();
        let others: Vec<_> = left.into_iter().filter(|it| it != namespace.name()).collect();
        let gateways: Api<ActionsGateway> = Api::all(namespace.client());
        let held: Vec<_> = gateways
            .list(&ListParams::default())
            .await?
            .iter()
            .map(|it| {
                format!("{}/{} {:?}", it.namespace().unwrap_or_default(), it.name_any(), it.finalizers())
            })
            .collect();
        ensure!(others.is_empty(), "namespaces {others:?}, gateways {held:?}");
        Ok(())
    })
    .await
}

pub async fn no_protocol_violation(namespace: Namespace) -> Result<()> {
    let github = namespace.world().github().await?;
    ensure!(!github.asked().await?.is_empty(), "nobody asked the fake GitHub anything");
    let violations = github.violations().await?;
    ensure!(violations.is_empty(), "{violations:#?}");
    Ok(())
}
