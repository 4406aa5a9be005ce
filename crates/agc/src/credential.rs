//! Says on the gateway whether GitHub issues tokens for its App's credentials: condition `CredentialUnavailable`, ours alone.

use std::time::Duration;

use api::ActionsGateway;
use api::conditions::{Reason, Type, condition, settle};
use github::token::{TokenFailure, TokenState};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _};
use runtime::backoff::Backoff;
use runtime::clock::Clock;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::MANAGER;

/// The condition is put back when somebody took it away.
const RESYNC: Duration = Duration::from_secs(600);
/// After writes in a row that failed.
const RETRY: Backoff = Backoff::Doubling { first: Duration::from_secs(10), longest: Duration::from_secs(60) };

/// Keeps the condition until told to stop.
pub async fn run(
    gateways: Api<ActionsGateway>,
    name: String,
    mut tokens: watch::Receiver<TokenState>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut failures = clock.failures(RETRY);
    loop {
        let state = tokens.borrow_and_update().clone();
        let pause = match say(&gateways, &name, &state, &clock).await {
            Ok(()) => {
                failures.reset();
                clock.about(RESYNC)
            }
            Err(error) => {
                tracing::warn!(error = %operator::describe(&error), "failed to update condition CredentialUnavailable");
                failures.fail()
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            changed = tokens.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn say(
    gateways: &Api<ActionsGateway>,
    name: &str,
    state: &TokenState,
    clock: &Clock,
) -> Result<(), kube::Error> {
    let Some(gateway) = gateways.get_opt(name).await? else { return Ok(()) };
    let Some(wanted) = unavailable(state, &gateway) else { return Ok(()) };
    let old = gateway.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
    let wanted = settle(old, wanted, clock.now());
    if old.contains(&wanted) {
        return Ok(());
    }
    let body = json!({
        "apiVersion": ActionsGateway::api_version(&()),
        "kind": ActionsGateway::kind(&()),
        "metadata": { "name": name },
        "status": { "conditions": [wanted] },
    });
    let params = PatchParams::apply(MANAGER).force();
    gateways.patch_status(name, &params, &Patch::Apply(&body)).await.map(drop)
}

/// The condition; `None` while no attempt has been made.
fn unavailable(state: &TokenState, gateway: &ActionsGateway) -> Option<Condition> {
    let generation = gateway.metadata.generation;
    if let Some((failure, message)) = state.failure() {
        let reason = match failure {
            TokenFailure::SecretNotFound => Reason::SecretNotFound,
            TokenFailure::SecretMalformed => Reason::SecretMalformed,
            TokenFailure::TokenRefused => Reason::TokenRefused,
            TokenFailure::GitHubUnreachable => Reason::GitHubUnreachable,
        };
        let message = match failure {
            TokenFailure::SecretNotFound | TokenFailure::SecretMalformed => {
                let secret = &gateway.spec.git_hub_app_ref.name;
                format!("Secret {secret}: {message}; it has to hold appId, installationId and privateKey")
            }
            TokenFailure::TokenRefused | TokenFailure::GitHubUnreachable => message.to_owned(),
        };
        // A token that is still good keeps the gateway going; the failure shows in its metric.
        let still_good = state.token().is_some() && failure == TokenFailure::GitHubUnreachable;
        return (!still_good)
            .then(|| condition(Type::CredentialUnavailable, true, reason, message, generation));
    }
    state.token()?;
    let message = "GitHub issued an installation token";
    Some(condition(Type::CredentialUnavailable, false, Reason::SecretFound, message, generation))
}
