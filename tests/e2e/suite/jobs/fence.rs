//! Nothing but the runner gets at what a job is handed over with: not by a template, and not from beside it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use api::{ActionsGateway, RunnerGroup, names};
use e2e::github::Run;
use e2e::tenant::{APP_SECRET, GATE, GATEWAY, REACTION, condition, has, is};
use e2e::{Namespace, Tenant, tools, wait};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::secrets::after;

/// A fault in a pod template: what is put in it, and its path there.
fn faults() -> Vec<(Value, &'static str)> {
    let mount = |name: &str| json!([{"name": "side", "volumeMounts": [{"name": name, "mountPath": "/p"}]}]);
    let from_app =
        json!([{"name": "E", "valueFrom": {"secretKeyRef": {"name": APP_SECRET, "key": "privateKey"}}}]);
    vec![
        (json!({"containers": mount(names::PAYLOAD_VOLUME)}), "spec.containers[0].volumeMounts[0].name"),
        (json!({"initContainers": mount(names::RUN_VOLUME)}), "spec.initContainers[0].volumeMounts[0].name"),
        (
            json!({"containers": [{"name": "runner", "volumeMounts": [
                {"name": names::PAYLOAD_VOLUME, "mountPath": "/p", "subPath": "payload"},
            ]}]}),
            "spec.containers[0].volumeMounts[0].name",
        ),
        (json!({"containers": mount(names::STOP_VOLUME)}), "spec.containers[0].volumeMounts[0].name"),
        (
            json!({"containers": [{"name": "side", "volumeDevices": [{"name": names::RUN_VOLUME, "devicePath": "/d"}]}]}),
            "spec.containers[0].volumeDevices[0].name",
        ),
        (
            json!({"volumes": [{"name": "a", "secret": {"secretName": APP_SECRET}}]}),
            "spec.volumes[0].secret.secretName",
        ),
        (
            json!({"volumes": [{"name": "a", "projected": {"sources": [{"secret": {"name": APP_SECRET}}]}}]}),
            "spec.volumes[0].projected.sources[0].secret.name",
        ),
        (
            json!({"volumes": [{"name": "a", "csi": {"driver": "d", "nodePublishSecretRef": {"name": APP_SECRET}}}]}),
            "spec.volumes[0].csi.nodePublishSecretRef.name",
        ),
        (
            json!({"containers": [{"name": "runner", "env": from_app}]}),
            "spec.containers[0].env[0].valueFrom.secretKeyRef.name",
        ),
        (
            json!({"containers": [{"name": "runner", "envFrom": [{"secretRef": {"name": "actions-gateway-controller-tls"}}]}]}),
            "spec.containers[0].envFrom[0].secretRef.name",
        ),
        (json!({"shareProcessNamespace": true}), "spec.shareProcessNamespace"),
    ]
}

/// A group's fields with that fault.
fn faulty(name: &str, fault: Value) -> Value {
    let mut spec = json!({"containers": []});
    json_patch::merge(&mut spec, &fault);
    json!({"name": name, "runnerLabels": [name], "podTemplate": {"spec": spec}})
}

pub async fn no_template_reaches_what_a_job_is_handed_over_with(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace, json!({})).await?;
    for (index, (fault, path)) in faults().into_iter().enumerate() {
        written_by_hand(&tenant, &format!("by-hand-{index}"), fault, path).await?;
    }

    let mut gateway = tenant.gateway(json!({}));
    let entry = |(index, (fault, _))| faulty(&format!("entry-{index}"), fault);
    gateway["spec"]["runnerGroups"] = faults().into_iter().enumerate().map(entry).collect();
    tenant.apply_gateway(gateway).await?;
    let gateways = tenant.namespace.api::<ActionsGateway>();
    let refused = |it: &ActionsGateway, type_, status| {
        it.status.as_ref().is_some_and(|it| is(&it.conditions, type_, status, "InvalidSpec"))
    };
    let seen = wait::until(&gateways, GATEWAY, "Degraded and not Ready for InvalidSpec", REACTION, |it| {
        refused(it, "Degraded", "True") && refused(it, "Ready", "False")
    })
    .await?;
    let conditions = seen.status.context("a status")?.conditions;
    for (index, (_, path)) in faults().into_iter().enumerate() {
        names_path(
            condition(&conditions, "Degraded")?,
            &format!("spec.runnerGroups[{index}].podTemplate.{path}: "),
        )?;
    }
    Ok(())
}

/// Whoever may edit RunnerGroups gets no further than by a gateway.
async fn written_by_hand(tenant: &Tenant, name: &str, fault: Value, path: &str) -> Result<()> {
    let mut spec = faulty(name, fault);
    spec.as_object_mut().context("an object")?.remove("name");
    let groups = tenant.namespace.api::<RunnerGroup>();
    let group: RunnerGroup = serde_json::from_value(json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerGroup",
        "metadata": {"name": name}, "spec": spec,
    }))?;
    groups.create(&PostParams::default(), &group).await.context(name.to_owned())?;
    let seen = wait::until(&groups, name, "Degraded for InvalidSpec", REACTION, |it| {
        it.status.as_ref().is_some_and(|it| is(&it.conditions, "Degraded", "True", "InvalidSpec"))
    })
    .await?;
    let status = seen.status.context("a status")?;
    names_path(condition(&status.conditions, "Degraded")?, &format!("spec.podTemplate.{path}: "))?;
    ensure!(has(&status.conditions, "Ready", "False"), "{name} is taken: {status:#?}");
    ensure!(status.active_sessions.unwrap_or_default() == 0, "{name} listens: {status:#?}");
    Ok(())
}

fn names_path(condition: &Condition, path: &str) -> Result<()> {
    ensure!(condition.message.contains(path), "{path:?} is not in {:?}", condition.message);
    Ok(())
}

/// Where a container beside the runner finds what it plants: that it finds nothing else means something.
const CONTROL: &str = "/tmp/control/payload";

/// Looks for the files of a claim and for the name of their folder, in its own files and in those of every process.
const LOOK: &str = r#"
mkdir -p /tmp/control && : > /tmp/control/payload
look() {
  find / -path /proc -prune -o -path /sys -prune -o \( -name 'payload*' -o -name jitconfig -o -path '*/actions-gateway*' \) -print
  find /proc/[0-9]*/root/run/actions-gateway /proc/[0-9]*/root/run/secrets
  grep -l ACTIONS_GATEWAY_CLAIM /proc/[0-9]*/environ
}
"#;

/// What a step sees of the hand-over: files, and whose folder it was in.
const STEP: &str = r#"
find /run/actions-gateway /run/secrets -type f 2>/dev/null | sed 's/^/sees: /'
env | grep ACTIONS_GATEWAY_ | sed 's/^/sees: /'
ls -ldn /run/actions-gateway/claim | sed 's/^/folder: /'
"#;

pub async fn nothing_beside_the_runner_finds_the_job(namespace: Namespace) -> Result<()> {
    let world = namespace.world();
    let image = format!("{}:{}", world.environment.repository("runner"), world.environment.tag()?);
    let container = |name: &str, then: &str| {
        let script = format!("{LOOK}\n{then}");
        json!({"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]})
    };
    let forever = "while :; do look 2>/dev/null; sleep 0.1; done";
    let mut early = container("early", forever);
    early["restartPolicy"] = json!("Always");
    let spec = json!({
        "initContainers": [early, container("before", "look 2>/dev/null || true")],
        "containers": [{"name": "runner"}, container("beside", forever)],
    });
    let tenant = Tenant::listening(namespace, json!({"podTemplate": {"spec": spec}})).await?;
    let run = tenant.start_script(&format!("{GATE}\n{STEP}")).await?;
    let pod = tenant.running_pod(run).await?;
    for name in ["early", "before", "beside"] {
        let found = logged(&tenant, &pod, name).await?;
        ensure!(found.iter().eq([CONTROL]), "container {name} finds {found:#?}");
    }
    in_order(&tenant.namespace.api::<Pod>().get(&pod).await?)?;
    tenant.open_gate(&pod).await?;
    let run = tenant.completed(run).await?;
    step_saw(&tenant, &run, "drwx--x--x", "65532").await
}

pub async fn the_user_that_the_pod_names_has_the_job_to_itself(namespace: Namespace) -> Result<()> {
    let spec = json!({"securityContext": {"runAsUser": 1001}, "containers": []});
    let tenant = Tenant::listening(namespace, json!({"podTemplate": {"spec": spec}})).await?;
    // GitHub's log shows the first line of a script.
    let run = tenant.start_script(&format!("true\n{STEP}")).await?;
    let run = tenant.completed(run).await?;
    step_saw(&tenant, &run, "drwx------", "1001").await
}

/// That the step saw no file of the hand-over but the wrapper, and no name of it; and that the claim's folder has this
/// mode and owner.
async fn step_saw(tenant: &Tenant, run: &Run, mode: &str, owner: &str) -> Result<()> {
    let log = tenant.log(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "{run:#?}\n{log}");
    let seen: Vec<&str> = after(&log, "sees: ").collect();
    ensure!(seen == ["/run/actions-gateway/worker"], "a step sees {seen:#?}");
    let folder: Vec<&str> = after(&log, "folder: ").flat_map(str::split_whitespace).collect();
    ensure!(
        folder.first() == Some(&mode) && folder.get(2) == Some(&owner),
        "the claim's folder is {folder:?}"
    );
    Ok(())
}

/// Every line that a container has printed until it has looked once.
async fn logged(tenant: &Tenant, pod: &str, container: &str) -> Result<BTreeSet<String>> {
    let arguments = ["logs", "-n", tenant.namespace.name(), pod, "-c", container];
    wait::eventually("the container has looked", REACTION, || async {
        let log = tools::run("kubectl", &arguments, "").await?;
        let lines: BTreeSet<String> = log.lines().map(str::to_owned).collect();
        ensure!(lines.contains(CONTROL), "{container} has printed {lines:#?}");
        Ok(lines)
    })
    .await
}

/// That the job was delivered when the template's init containers were done, or ran for good.
fn in_order(pod: &Pod) -> Result<()> {
    let statuses =
        pod.status.as_ref().and_then(|it| it.init_container_statuses.as_deref()).unwrap_or_default();
    let state = |name: &str| {
        let status = statuses.iter().find(|it: &&ContainerStatus| it.name == name);
        status.and_then(|it| it.state.clone()).with_context(|| format!("no state of {name} in {statuses:#?}"))
    };
    let ended = |state: ContainerState| state.terminated.context("it has not ended");
    let installed = ended(state(names::INSTALL_CONTAINER)?)?.started_at.context("it began")?;
    let before = ended(state("before")?)?.finished_at.context("it ended")?;
    let early = state("early")?.running.context("a native sidecar runs")?.started_at.context("since")?;
    ensure!(
        before.0 <= installed.0 && early.0 <= installed.0,
        "the job was delivered too early: {statuses:#?}"
    );
    Ok(())
}
