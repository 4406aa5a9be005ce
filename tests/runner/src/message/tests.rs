use serde_json::json;

use super::*;

/// The minimum of protocol §5.5, shortened.
fn example() -> Value {
    json!({
        "messageType": "RunnerJobRequest", "plan": { "planId": "91a4", "planType": "actions" }, "jobId": "10b0",
        "jobDisplayName": "build",
        "resources": { "endpoints": [
            { "name": "other", "url": "https://other.test/" },
            { "name": "systemvssconnection", "url": "https://run-0.actions.test/38/",
              "authorization": { "scheme": "OAuth", "parameters": { "accesstoken": "FAKE.JOB.TOKEN" } } },
        ]},
        "variables": {
            "system.github.job": { "value": "build-it" },
            "system.github.token": { "value": "ghs_FAKE", "isSecret": true },
            "system.github.results_endpoint": { "value": "https://results.actions.test/" },
        },
        "contextData": { "github": { "t": 2, "d": [{ "k": "run_id", "v": "77" }] } },
        "mask": [{ "type": "regex", "value": "s3c[r]et" }], "steps": []
    })
}

#[test]
fn names_are_found_without_regard_to_case() {
    let job = Job::parse(&example().to_string()).unwrap();
    assert_eq!(
        (job.connection.url.as_str(), job.connection.token.as_str()),
        ("https://run-0.actions.test/38/", "FAKE.JOB.TOKEN")
    );
    assert_eq!(job.results_url.as_deref(), Some("https://results.actions.test/"));
    assert_eq!(job.contexts.evaluate("github.run_id").unwrap(), "77");
    assert_eq!(job.contexts.evaluate("github.job").unwrap(), "build-it");
}

#[test]
fn expressions_secret_variables_and_the_job_token_are_masked() {
    let job = Job::parse(&example().to_string()).unwrap();
    assert_eq!(job.masks.apply("s3cret ghs_FAKE FAKE.JOB.TOKEN run"), "*** *** *** run");
}

#[test]
fn of_the_mask_types_regex_alone_masks_as_word_and_as_number() {
    let mut message = example();
    message["mask"] = json!([
        { "type": "Regex", "value": "w[o]rd" }, { "type": 2, "value": "num[b]er" },
        { "type": "variable", "value": "some" }, { "type": 1, "value": "other" },
    ]);
    let job = Job::parse(&message.to_string()).unwrap();
    assert_eq!(job.masks.apply("word number some other"), "*** *** some other");
}

#[test]
fn switches_of_debugging_are_not_secrets() {
    let mut message = example();
    message["variables"]["ACTIONS_STEP_DEBUG"] = json!({ "value": "true", "isSecret": true });
    let job = Job::parse(&message.to_string()).unwrap();
    assert!(job.is_on("actions_step_debug") && !job.is_on("actions_runner_debug"));
    assert_eq!(job.masks.apply("it is true"), "it is true");
}

#[test]
fn a_message_with_a_byte_order_mark_is_garbage() {
    assert!(Job::parse(&format!("\u{feff}{}", example())).is_err());
}

#[test]
fn a_message_that_nobody_could_be_told_about_is_an_error() {
    for (pointer, value) in [
        ("/messageType", json!("PipelineAgentJobRequest")),
        ("/plan", json!({})),
        ("/resources/endpoints", json!([])),
    ] {
        let mut message = example();
        *message.pointer_mut(pointer).unwrap() = value;
        assert!(Job::parse(&message.to_string()).is_err(), "{pointer}");
    }
}

#[test]
fn parts_for_the_real_runner_are_named_and_empty_ones_are_not() {
    let mut message = example();
    message["jobContainer"] = json!({ "type": 0, "lit": "alpine" });
    message["jobServiceContainers"] = json!({ "type": 7 });
    message["defaults"] = json!([]);
    assert_eq!(Job::parse(&message.to_string()).unwrap().unsupported, ["a job container"]);
}
