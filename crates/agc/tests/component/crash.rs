//! The controller is killed at one point of a job's life, and another one takes up what it left.

mod agents;
mod claims;
mod tidying;
mod workers;

use fakegithub::RunView;

use crate::rig::{PATIENCE, Rig};

/// The controller that is killed, and the one that follows it.
const FIRST: &str = "agc-0";
const SECOND: &str = "agc-1";

/// Starts a run of one job, and kills the controller once the point is reached.
async fn killed(rig: &Rig, point: &str, reached: impl Fn(&Rig) -> bool) -> RunView {
    let first = rig.controller(FIRST);
    let run = rig.push("{ build: { runs-on: linux } }");
    rig.api.wait_for(point, PATIENCE, |_| reached(rig).then_some(())).await;
    drop(first);
    run
}

/// Whether W4 is done.
fn pod_is_named(rig: &Rig) -> bool {
    rig.api.list("/runnerjobs/").iter().any(|it| it["status"]["pod"]["uid"].is_string())
}

/// Whether W4 is done, and the worker has begun.
fn worker_runs(rig: &Rig) -> bool {
    pod_is_named(rig) && !rig.github.control().ledger(None).is_empty()
}

fn payload_is_stored(rig: &Rig) -> bool {
    rig.api.list("/secrets/").iter().any(|it| crate::rig::name(it).ends_with("-payload"))
}

fn is_complete(rig: &Rig) -> bool {
    rig.api
        .list("/runnerjobs/")
        .iter()
        .any(|it| !crate::rig::ending(it).is_empty() && it["status"]["result"].is_string())
}
