//! `make demo`: the whole product on a cluster of its own, with a fake GitHub.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::images::{self, Images};
use crate::machine::Provider;
use crate::progress::{heading, say, step};
use crate::run;

const CLUSTER: &str = "demo";
/// Namespace of the product.
const SYSTEM: &str = "actions-gateway-system";
/// Namespace of the fake GitHub.
const GITHUB: &str = "github";
/// Namespace of the example team.
const TEAM: &str = "team-a";
/// The example runs, in the order in which they are queued.
const RUNS: [&str; 3] = ["succeeds", "fails", "takes-a-while"];

/// Starts everything, runs three jobs and shows what came of them.
pub(crate) fn up() -> Result<()> {
    heading("Building");
    let (cluster, images) = build()?;
    heading("Cluster");
    cluster.up(1)?;
    step("loading the images", "5 s", || cluster.load(&images.archives))?;
    let demo = Demo { cluster, images };

    heading("Actions Gateway, by its Helm chart");
    step("helm install", "10 s", || demo.install())?;
    heading("A fake GitHub, and a GitHub App installed in its organisation acme");
    step("starting it", "5 s", || demo.start_github())?;
    step("handing its CA and the App's key to the team", "1 s", || demo.connect_team())?;
    heading("The team's ActionsGateway");
    demo.apply("examples/demo/gateway.yaml")?;
    step("until it is ready", "10 s", || {
        demo.kubectl(&["wait", "--for=condition=Ready", "actionsgateway/team-a", "--timeout=120s"])
    })?;
    demo.show(&["get", "ag,rg", "-o", "wide"])?;

    heading("Three runs are queued at GitHub");
    let ids = RUNS.iter().map(|run| demo.enqueue(run)).collect::<Result<Vec<_>>>()?;
    step("until they are over", "30 s", || ids.iter().try_for_each(|id| demo.follow(*id)))?;

    heading("What came of them");
    // GitHub hears of a job's end from its runner, the controller from the pod, a moment later.
    demo.kubectl(&["wait", "--for=condition=Complete", "runnerjobs", "--all", "--timeout=60s"])?;
    demo.show(&["get", "rj,pods"])?;
    demo.show_log(ids[0])?;
    demo.show_metrics()?;
    next();
    Ok(())
}

/// Removes the cluster and everything in it.
pub(crate) fn down() -> Result<()> {
    Cluster::open(CLUSTER)?.down()
}

fn build() -> Result<(Cluster, Images)> {
    Provider::choose()?;
    let images = images::build()?;
    Ok((Cluster::open(CLUSTER)?, images))
}

struct Demo {
    cluster: Cluster,
    images: Images,
}

impl Demo {
    fn install(&self) -> Result<()> {
        let mut helm = self.cluster.tool("helm")?;
        helm.args([
            "upgrade",
            "--install",
            "actions-gateway",
            "charts/actions-gateway",
            "--wait",
            "--timeout",
            "120s",
        ]);
        helm.args(["--namespace", SYSTEM, "--create-namespace"]);
        let (registry, tag) = (images::REGISTRY, &self.images.tag);
        helm.args([
            "--set-string",
            &format!("image.registry=,image.tag={tag},runner.image={registry}/runner:{tag}"),
        ]);
        for program in ["gmc", "agc", "worker"] {
            helm.args(["--set-string", &format!("{program}.image.repository={registry}/{program}")]);
        }
        run::logged("helm", &mut helm)
    }

    fn start_github(&self) -> Result<()> {
        let manifest = fs::read_to_string("examples/fake-github.yaml")?;
        let image = format!("{}/fakegithub:{}", images::REGISTRY, self.images.tag);
        self.apply_text(&manifest.replace("IMAGE", &image))?;
        self.kubectl(&["rollout", "status", "deployment/fakegithub", "-n", GITHUB, "--timeout=60s"])
    }

    /// What a team does by hand with a real GitHub: a namespace, the App's credentials, the server's CA.
    fn connect_team(&self) -> Result<()> {
        self.apply("examples/demo/namespace.yaml")?;
        let ca = self.github("get", "ca", "")?;
        let app: Value = serde_json::from_str(&self.github("create", "apps", r#"{"account":"acme"}"#)?)?;
        let text = |key: &str| {
            app[key].as_str().map(str::to_owned).or_else(|| app[key].as_i64().map(|it| it.to_string()))
        };
        let secret = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "github-app", "namespace": TEAM},
            "stringData": {
                "appId": text("appId").context("the App has an id")?,
                "installationId": text("installationId").context("the App has an installation")?,
                "privateKey": text("privateKey").context("the App has a key")?,
            },
        });
        let bundle = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "github-ca", "namespace": TEAM},
            "data": {"ca.crt": ca},
        });
        self.apply_text(&format!("{secret}\n---\n{bundle}"))
    }

    fn enqueue(&self, name: &str) -> Result<u64> {
        let run = fs::read_to_string(format!("examples/demo/{name}.yaml"))?;
        let answer: Value = serde_json::from_str(&self.github("create", "runs", &run)?)?;
        let id = answer["runId"].as_u64().context("a queued run has an id")?;
        say(format!("   run {id}: examples/demo/{name}.yaml"));
        Ok(id)
    }

    /// Shows the cluster's view until the run is over at GitHub.
    fn follow(&self, id: u64) -> Result<()> {
        loop {
            let path = format!("runs/{id}?until=completed&timeout=5");
            let run: Value = serde_json::from_str(&self.github("get", &path, "")?)?;
            self.show(&["get", "rj", "--no-headers"])?;
            if run["status"] == "completed" {
                say(format!("   run {id}: {}", run["conclusion"].as_str().unwrap_or("without a conclusion")));
                return Ok(());
            }
        }
    }

    fn show_log(&self, id: u64) -> Result<()> {
        let run: Value = serde_json::from_str(&self.github("get", &format!("runs/{id}"), "")?)?;
        let job = run["jobs"][0]["id"].as_u64().context("a run has a job")?;
        say(format!("\n   the job's log at GitHub (run {id}):"));
        say(self.github("get", &format!("runs/{id}/jobs/{job}/log"), "")?);
        Ok(())
    }

    fn show_metrics(&self) -> Result<()> {
        let pod = "app=actions-gateway-controller";
        let mut names = self.cluster.tool("kubectl")?;
        names.args(["get", "pods", "-n", TEAM, "-l", pod, "-o", "jsonpath={.items[0].metadata.name}"]);
        let name = run::output(&mut names)?;
        let path = format!("/api/v1/namespaces/{TEAM}/pods/{name}:8080/proxy/metrics");
        let metrics = run::output(self.cluster.tool("kubectl")?.args(["get", "--raw", &path]))?;
        say("\n   the controller's metrics:");
        metrics
            .lines()
            .filter(|it| it.starts_with("actions_gateway_") && !it.contains("_bucket"))
            .for_each(|it| say(format!("   {it}")));
        Ok(())
    }

    /// Calls the fake GitHub's control API through the API server.
    fn github(&self, verb: &str, path: &str, body: &str) -> Result<String> {
        let url =
            format!("/api/v1/namespaces/{GITHUB}/services/http:fakegithub:control/proxy/control/{path}");
        let mut command = self.cluster.tool("kubectl")?;
        command.args([verb, "--raw", &url]);
        if verb == "create" {
            command.args(["-f", "-"]);
        }
        run::fed(&mut command, body)
    }

    fn apply(&self, file: &str) -> Result<()> {
        self.apply_text(&fs::read_to_string(file).with_context(|| file.to_owned())?)
    }

    fn apply_text(&self, manifests: &str) -> Result<()> {
        let mut command = self.cluster.tool("kubectl")?;
        run::fed(command.args(["apply", "--server-side", "-f", "-"]), manifests)?;
        Ok(())
    }

    fn kubectl(&self, args: &[&str]) -> Result<()> {
        run::logged("kubectl", self.cluster.tool("kubectl")?.args(["-n", TEAM]).args(args))
    }

    fn show(&self, args: &[&str]) -> Result<()> {
        say(format!("$ kubectl -n {TEAM} {}", args.join(" ")));
        run::shown(self.cluster.tool("kubectl")?.args(["-n", TEAM]).args(args))
    }
}

fn next() {
    heading("What to try next");
    say("   make cluster-shell CLUSTER=demo   a shell with kubectl and helm; in it, for example:");
    say("     kubectl -n team-a get ag,rg,rj,pods");
    say("     kubectl -n team-a describe rj");
    say("     kubectl -n team-a logs deployment/actions-gateway-controller");
    say("   examples/demo holds the gateway and the runs; docs/fake-github.md says how to queue your own");
    say("   make demo-down   removes everything");
}
