//! The rows of an agent's life: the controller ends while it registers, or while it listens.

use anyhow::{Context as _, Result, ensure};
use e2e::tenant::REACTION;
use e2e::{Namespace, wait};
use serde_json::json;

use super::scene::Scene;

pub async fn ag4_a_name_held_by_an_unknown_runner_is_freed(namespace: Namespace) -> Result<()> {
    let scene = Scene::begin(namespace).await?;
    let (tenant, github) = (&scene.tenant, &scene.tenant.github);
    let withheld = json!({
        "lever": "fail", "endpoint": "R3", "account": tenant.account, "effect": "withhold", "afterCommit": true,
    });
    github.pull(withheld).await?;
    tenant.hand_over_credentials().await?;
    scene.provision().await?;
    let lost = wait::eventually("a registration is not answered", REACTION, || async {
        ensure!(github.has_struck(&tenant.account).await?);
        github.agents(&tenant.group).await?.pop().context("nobody is registered")
    })
    .await?;

    let controller = tenant.controller().await?;
    scene.kill(&controller).await?;
    tenant.wait_until_listening().await?;
    let agents = github.agents(&tenant.group).await?;
    let of_name: Vec<_> = agents.iter().filter(|it| it.name == lost.name).map(|it| &*it.fate).collect();
    ensure!(of_name == ["deleted", "alive"], "the name should have been freed and taken: {agents:#?}");
    scene.runs_the_next_job(&controller).await
}

pub async fn ag5_the_session_of_a_dead_controller_is_replaced(namespace: Namespace) -> Result<()> {
    let scene = Scene::listening(namespace).await?;
    let (tenant, github) = (&scene.tenant, &scene.tenant.github);
    let before = github.sessions(&tenant.group).await?;
    let [left] = before.as_slice() else { anyhow::bail!("one session: {before:#?}") };

    let controller = tenant.controller().await?;
    scene.kill(&controller).await?;
    wait::eventually("the session is another one", REACTION, || async {
        let now = github.sessions(&tenant.group).await?;
        let [session] = now.as_slice() else { anyhow::bail!("one session: {now:#?}") };
        // Of the same record: nothing was registered for it.
        ensure!(session.agent == left.agent && session.session_id != left.session_id, "{session:#?}");
        Ok(())
    })
    .await?;
    ensure!(github.agents(&tenant.group).await?.len() == 1, "another agent was registered");
    scene.runs_the_next_job(&controller).await
}
