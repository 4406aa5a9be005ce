//! The fences that roles cannot express.

use anyhow::{Result, bail, ensure};
use e2e::Namespace;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Client, Error};
use serde_json::{Value, json};

fn runner_jobs(client: Client, namespace: &Namespace) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk(api::labels::GROUP, "v1alpha1", "RunnerJob");
    Api::namespaced_with(client, namespace.name(), &ApiResource::from_gvk(&gvk))
}

fn runner_job() -> Result<DynamicObject> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "actions-gateway.github.com/v1alpha1", "kind": "RunnerJob", "metadata": {"name": "invented"},
        "spec": {
            "runnerGroup": {"name": "linux"}, "broker": {
                    "requestId": "request", "runServiceURL": "https://github.test/run",
                    "agent": {"name": "linux-0", "runnerId": 1},
                },
        },
    }))?)
}

/// That it was forbidden, and by which words.
fn forbidden<T: std::fmt::Debug>(outcome: Result<T, Error>, words: &str) -> Result<()> {
    match outcome {
        Err(Error::Api(status)) if status.code == 403 && status.message.contains(words) => Ok(()),
        other => bail!("expected 403 with {words:?}, got {other:?}"),
    }
}

/// The controller's account, allowed everything: only the fence can stop it.
async fn controller(namespace: &Namespace) -> Result<Client> {
    let account = format!("system:serviceaccount:{}:{}", namespace.name(), api::names::CONTROLLER);
    namespace.world().environment.client_as(&account, &["system:masters"]).await
}

pub async fn only_the_controller_creates_runner_jobs(namespace: Namespace) -> Result<()> {
    namespace.world().product().await?;
    let words = "only by the controller of namespace";
    let create = PostParams::default();
    // Not even an administrator, and not the controller of another namespace.
    let administrator = runner_jobs(namespace.client(), &namespace);
    forbidden(administrator.create(&create, &runner_job()?).await, words)?;
    let stranger = "system:serviceaccount:elsewhere:actions-gateway-controller";
    let stranger = namespace.world().environment.client_as(stranger, &["system:masters"]).await?;
    forbidden(runner_jobs(stranger, &namespace).create(&create, &runner_job()?).await, words)?;

    let own = runner_jobs(controller(&namespace).await?, &namespace);
    own.create(&create, &runner_job()?).await?;
    let verdict = Patch::Merge(json!({"status": {"phase": "Succeeded", "result": "Succeeded"}}));
    forbidden(administrator.patch_status("invented", &PatchParams::default(), &verdict).await, words)?;
    own.patch_status("invented", &PatchParams::default(), &verdict).await?;
    Ok(())
}

pub async fn a_tenants_editor_reads_and_deletes_runner_jobs(namespace: Namespace) -> Result<()> {
    namespace.world().product().await?;
    let user = format!("editor-of-{}", namespace.name());
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "editor"},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "edit", "apiGroup": "rbac.authorization.k8s.io"},
    }))?;
    namespace.api().create(&PostParams::default(), &binding).await?;
    let own = runner_jobs(controller(&namespace).await?, &namespace);
    own.create(&PostParams::default(), &runner_job()?).await?;

    let editor = runner_jobs(
        namespace.world().environment.client_as(&user, &["system:authenticated"]).await?,
        &namespace,
    );
    let mut second = runner_job()?;
    second.metadata.name = Some("second".to_owned());
    forbidden(editor.create(&PostParams::default(), &second).await, "cannot create resource")?;
    let verdict = Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
    forbidden(editor.patch_status("invented", &PatchParams::default(), &verdict).await, "runnerjobs/status")?;
    let note = Patch::Merge(json!({"metadata": {"annotations": {"example.test/note": "seen"}}}));
    editor.patch("invented", &PatchParams::default(), &note).await?;
    ensure!(editor.get("invented").await?.data["spec"]["broker"]["requestId"] == json!("request"));
    editor.delete("invented", &kube::api::DeleteParams::default()).await?;
    Ok(())
}

pub async fn a_controller_writes_only_its_own_secrets(namespace: Namespace) -> Result<()> {
    namespace.world().product().await?;
    let secret = |name: &str, labels: Value| -> Result<Secret> {
        Ok(serde_json::from_value(
            json!({"metadata": {"name": name, "labels": labels}, "stringData": {"a": "b"}}),
        )?)
    };
    let ours = json!({"app.kubernetes.io/managed-by": "actions-gateway"});
    namespace.api::<Secret>().create(&PostParams::default(), &secret("of-the-team", json!({}))?).await?;
    let secrets: Api<Secret> = Api::namespaced(controller(&namespace).await?, namespace.name());
    let words = "only Secrets labelled app.kubernetes.io/managed-by: actions-gateway";
    forbidden(secrets.create(&PostParams::default(), &secret("unlabelled", json!({}))?).await, words)?;
    secrets.create(&PostParams::default(), &secret("labelled", ours.clone())?).await?;
    // Labelling one of the team's does not make it ours.
    let relabel = Patch::Merge(json!({"metadata": {"labels": ours}}));
    forbidden(secrets.patch("of-the-team", &PatchParams::default(), &relabel).await, words)?;
    forbidden(secrets.delete("of-the-team", &kube::api::DeleteParams::default()).await, words)?;
    secrets.delete("labelled", &kube::api::DeleteParams::default()).await?;
    Ok(())
}
