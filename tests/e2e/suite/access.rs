//! What each of our accounts may do, as the API server judges it with the roles that the chart ships.

use anyhow::{Result, ensure};
use api::names;
use e2e::world::{MANAGER, SYSTEM};
use e2e::{Namespace, Tenant};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::{Api, PostParams};
use serde_json::json;

/// One question: verb, API group, resource (with its subresource), and the name if it matters.
type Question = (&'static str, &'static str, &'static str, Option<&'static str>);

const AGC_GROUP: &str = "actions-gateway.github.com";

async fn may(tenant: &Tenant, user: &str, namespace: &str, question: Question) -> Result<bool> {
    let (verb, group, resource, name) = question;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({
        "spec": {"user": user, "groups": ["system:serviceaccounts", "system:authenticated"], "resourceAttributes": {
            "namespace": namespace, "verb": verb, "group": group, "resource": resource,
            "subresource": subresource, "name": name,
        }},
    }))?;
    let reviews: Api<SubjectAccessReview> = Api::all(tenant.namespace.client());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|it| it.allowed))
}

async fn all(
    tenant: &Tenant,
    user: &str,
    namespace: &str,
    wanted: bool,
    questions: &[Question],
) -> Result<()> {
    for question in questions {
        let answer = may(tenant, user, namespace, *question).await?;
        ensure!(answer == wanted, "{user} in {namespace}: {question:?} is {answer}");
    }
    Ok(())
}

fn account(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// What a controller lives by.
const CONTROLLERS: [Question; 8] = [
    ("create", "", "pods", None),
    ("get", "", "secrets", Some("linux-payload")),
    ("create", "", "secrets", None),
    ("create", AGC_GROUP, "runnerjobs", None),
    ("patch", AGC_GROUP, "runnerjobs/status", None),
    ("patch", AGC_GROUP, "actionsgateways/status", None),
    ("update", "coordination.k8s.io", "leases", None),
    ("create", "", "events", None),
];

pub async fn a_controller_stays_in_its_namespace(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace.clone()).await?;
    tenant.apply_gateway(tenant.gateway(json!({}))).await?;
    tenant.wait_for_gateway("provisioned", "Degraded", "False").await?;
    let home = namespace.name();
    let controller = account(home, names::CONTROLLER);
    all(&tenant, &controller, home, true, &CONTROLLERS).await?;
    for elsewhere in ["default", SYSTEM, "kube-system"] {
        all(&tenant, &controller, elsewhere, false, &CONTROLLERS).await?;
    }
    let never = [
        ("list", "", "secrets", None),
        ("watch", "", "secrets", None),
        ("create", "", "pods/exec", None),
        ("create", "", "serviceaccounts/token", None),
        ("create", "rbac.authorization.k8s.io", "rolebindings", None),
        ("patch", "apps", "deployments", None),
        ("delete", AGC_GROUP, "actionsgateways", None),
    ];
    all(&tenant, &controller, home, false, &never).await
}

pub async fn a_worker_may_do_nothing(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::listening(namespace.clone(), json!({})).await?;
    let worker = account(namespace.name(), names::WORKER);
    let anything = [
        ("get", "", "pods", None),
        ("list", "", "pods", None),
        ("get", "", "secrets", Some("github-app")),
        ("list", AGC_GROUP, "runnerjobs", None),
        ("get", AGC_GROUP, "actionsgateways", None),
        ("create", "", "events", None),
    ];
    all(&tenant, &worker, namespace.name(), false, &anything).await?;
    // And it could not prove who it is: no step finds a token.
    let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let run = tenant.start_script(&format!("test ! -e {token}")).await?;
    let run = tenant.completed(run).await?;
    ensure!(run.conclusion.as_deref() == Some("success"), "a step found {token}: {run:#?}");
    Ok(())
}

pub async fn the_manager_reads_no_secrets(namespace: Namespace) -> Result<()> {
    let tenant = Tenant::new(namespace.clone()).await?;
    let manager = account(SYSTEM, MANAGER);
    let never = [
        ("list", "", "secrets", None),
        ("watch", "", "secrets", None),
        ("get", "", "secrets", Some(e2e::tenant::APP_SECRET)),
        ("create", "rbac.authorization.k8s.io", "roles", None),
        ("escalate", "rbac.authorization.k8s.io", "clusterroles", None),
        ("bind", "rbac.authorization.k8s.io", "clusterroles", Some("cluster-admin")),
        ("create", "", "pods", None),
        ("create", "", "pods/exec", None),
        ("create", AGC_GROUP, "runnerjobs", None),
    ];
    all(&tenant, &manager, namespace.name(), false, &never).await?;
    let needed = [
        ("bind", "rbac.authorization.k8s.io", "clusterroles", Some(names::CONTROLLER_ROLE)),
        ("patch", "apps", "deployments", None),
        ("patch", AGC_GROUP, "actionsgateways/status", None),
    ];
    all(&tenant, &manager, namespace.name(), true, &needed).await
}
