//! docs/fake-github.md says what is so.

use fakegithub::Lever;
use serde_json::Value;

use crate::support::Github;

const PAGE: &str = include_str!("../../../../docs/fake-github.md");

#[test]
fn every_lever_is_on_the_page() {
    // The error lists the names that there are.
    let error = serde_json::from_str::<Lever>(r#"{"lever": "?"}"#).unwrap_err().to_string();
    let (_, names) = error.split_once("expected one of").unwrap();
    let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
    assert!(names.len() > 25, "{error}");
    for name in names {
        assert!(PAGE.contains(&format!("`{name}`")), "{name} is missing");
    }
}

#[tokio::test]
async fn the_examples_of_the_page_work() {
    let github = Github::start().await;
    let (_, workflow) = PAGE.split_once("<<'EOF'\n").unwrap();
    let (workflow, _) = workflow.split_once("EOF\n").unwrap();
    let run = github.run(workflow);
    let names: Vec<&str> = run.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["build (1)", "build (2)", "build (3)", "deploy"]);
    let (_, levers) = PAGE.split_once("/control/faults -d '").unwrap();
    let (levers, _) = levers.split_once("'\n").unwrap();
    let levers: Vec<Value> = serde_json::from_str(levers).unwrap();
    for lever in levers {
        github.control().pull(serde_json::from_value(lever).unwrap()).unwrap();
    }
}
