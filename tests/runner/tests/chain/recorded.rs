//! The stand-in is held to the calls of the official `Runner.Worker` 2.336.0, recorded for eight jobs
//! (crates/fakegithub/tests/realrunner).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::github::GitHub;
use crate::recorder::{Call, Recorder};
use crate::transcript::{Shape, Transcript, workflow};
use crate::tree::Tree;
use crate::worker::Worker;

/// Names of runner and machine, and the path of a shell, differ from place to place.
const TOLERANCE: usize = 200;

const SDK: &str = "system.github.results_upload_with_sdk";

/// A job that was run, and what the services saw of it.
pub struct Played {
    pub code: i32,
    pub calls: Vec<Call>,
    pub message: Value,
}

/// Runs the first job of a workflow, its message changed, and writes a frame once the log of "Set up job" is uploaded.
pub async fn play(workflow: &str, change: impl FnOnce(&mut Value), frame: Option<i32>) -> Played {
    let credentials = tempfile::tempdir().unwrap();
    let github = GitHub::start(credentials.path()).await;
    let recorder = Recorder::start().await;
    let (_, claimed) = github.claim(workflow).await;
    let text = String::from_utf8(claimed.message.clone()).unwrap();
    let mut message: Value =
        serde_json::from_str(&text.replace(github.server.base_url(), &recorder.url)).unwrap();
    let variables = json!({ SDK: "true", "DistributedTask.EnhancedAnnotations": "true" });
    for (name, value) in variables.as_object().unwrap() {
        message["variables"][name] = json!({ "value": value });
    }
    change(&mut message);
    let mut worker = Worker::start(&recorder, &message.to_string());
    if let Some(frame) = frame {
        recorder.wait_for("CreateStepLogsMetadata").await;
        worker.tell(frame);
        worker.tell(99); // never read
    }
    let code = worker.ended().await.code().unwrap();
    Played { code, calls: recorder.calls(), message }
}

fn raw(message: &mut Value) {
    message["variables"].as_object_mut().unwrap().remove(SDK);
}

fn with_output(message: &mut Value) {
    let value = json!({ "type": 3, "expr": "steps.x.outputs.v" });
    message["jobOutputs"] = json!({ "type": 2, "map": [{ "Key": "v", "Value": value }] });
}

/// Both workers made the same calls: in the same order, with the same headers, keys, types and values.
fn assert_same(played: &Played, expected: &Transcript) {
    let seen = Transcript::seen(&played.calls, &played.message);
    let (ours, theirs) = (seen.without_updates(), expected.without_updates());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let near = ours.bytes.abs_diff(theirs.bytes) <= TOLERANCE;
        assert!(near, "{} has {} bytes, not {}", ours.path, ours.bytes, theirs.bytes);
        let ours = Shape { bytes: theirs.bytes, ..(*ours).clone() };
        assert_eq!(ours, **theirs);
    }
    let paths = |list: &[&Shape]| list.iter().map(|it| it.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&ours), paths(&theirs));
    assert_eq!(seen.last_states(), expected.last_states());
    assert_orderly(played, &seen);
}

/// What holds for any job.
fn assert_orderly(played: &Played, seen: &Transcript) {
    let [.., update, complete] = seen.0.as_slice() else { panic!("{:?}", seen.0) };
    assert!(update.is_update() && complete.path == "completejob", "{update:?} {complete:?}");
    let orders: Vec<_> = seen.0.iter().filter_map(|it| it.body.number("change_order")).collect();
    assert!(orders.iter().zip(1..).all(|(order, n)| *order == f64::from(n)), "{orders:?}");
    let sessions: BTreeMap<_, _> =
        played.calls.iter().filter_map(|it| it.headers.get_key_value("x-actions-session")).collect();
    assert_eq!(sessions.len(), 1);
    for call in &played.calls {
        let agent = &call.headers["user-agent"];
        match call.headers.contains_key("x-ms-version") {
            true => {
                assert!(agent.starts_with("azsdk-net-Storage.Blobs/"), "{agent}");
                assert!(call.headers.contains_key("x-ms-client-request-id"), "{call:?}");
            }
            false => {
                let named = played.message["variables"]["system.orchestrationId"]["value"].as_str().unwrap();
                assert!(agent.contains("GitHubActionsRunner-linux-x64/2.336.0"), "{agent}");
                assert!(agent.contains("RunnerId/31007") && agent.contains(named), "{agent}");
            }
        }
    }
}

/// The same calls as an uploader of the other dialect makes them. Blobs that grow are beyond it.
fn in_other_dialect(transcript: &Transcript) -> Transcript {
    let session = ("x-actions-session", "a GUID");
    let change = |shape: &Shape| {
        let mut shape = shape.clone();
        if shape.method != "PUT" {
            return shape;
        }
        let is_log = ["x-ms-blob-content-type", "content-type"]
            .iter()
            .any(|it| shape.headers.get(*it).is_some_and(|it| it == "text/plain"));
        let mut headers = match shape.headers.contains_key("x-ms-version") {
            true => vec![session, ("x-ms-blob-type", "BlockBlob")],
            false => vec![
                ("accept", "application/xml"),
                ("content-type", "application/octet-stream"),
                ("if-none-match", "*"),
                ("x-ms-blob-type", "BlockBlob"),
                ("x-ms-version", "2026-10-06"),
            ],
        };
        if is_log {
            let to_raw = headers.contains(&session);
            headers.push((if to_raw { "content-type" } else { "x-ms-blob-content-type" }, "text/plain"));
        }
        shape.headers = headers.into_iter().map(|(name, it)| (name.to_owned(), it.to_owned())).collect();
        shape
    };
    Transcript(transcript.0.iter().map(change).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_commands_files_and_shells_is_as_recorded_in_both_dialects() {
    let expected = Transcript::recorded("commands");
    let played = play(&workflow("commands"), |_| {}, None).await;
    assert_eq!(played.code, 100);
    assert_same(&played, &expected);
    assert_same(&play(&workflow("commands"), raw, None).await, &in_other_dialect(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_as_recorded_in_both_dialects() {
    let played = play(&workflow("failing"), |_| {}, None).await;
    assert_eq!(played.code, 102);
    assert_same(&played, &Transcript::recorded("failing"));
    assert_same(&played, &in_other_dialect(&Transcript::recorded("raw-blobs")));
    assert_same(&play(&workflow("raw-blobs"), raw, None).await, &Transcript::recorded("raw-blobs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_outputs_is_as_recorded_in_both_dialects() {
    let expected = Transcript::recorded("outputs");
    let both = |message: &mut Value| {
        raw(message);
        with_output(message);
    };
    assert_same(&play(&workflow("outputs"), both, None).await, &expected);
    assert_same(&play(&workflow("outputs"), with_output, None).await, &in_other_dialect(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_as_recorded() {
    let played = play(&workflow("long-log"), |_| {}, None).await;
    assert_same(&played, &Transcript::recorded("long-log"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_without_the_sdk_is_lost_and_its_job_succeeds() {
    let played = play(&workflow("long-log"), raw, None).await;
    assert_eq!(played.code, 100);
    let seen = Transcript::seen(&played.calls, &played.message);
    assert_orderly(&played, &seen);
    let blobs = seen.0.iter().filter(|it| it.method == "PUT");
    let (whole, parts): (Vec<&Shape>, Vec<&Shape>) = blobs.partition(|it| it.path.ends_with("?signature"));
    assert_eq!(whole.len(), 2, "the logs of the worker's own two steps");
    assert!(parts.iter().all(|it| it.status == 404), "{parts:?}");
    let sealed: Vec<_> = parts.iter().map(|it| it.headers["x-ms-blob-sealed"].as_str()).collect();
    assert_eq!(sealed.iter().filter(|it| **it == "True").count(), 2, "{sealed:?}");
    assert_eq!(sealed.iter().filter(|it| **it == "False").count(), 8, "{sealed:?}");
    let last: Vec<_> =
        parts.iter().filter(|it| it.path.ends_with("?signature&comp=appendblock&seal=true")).collect();
    assert_eq!(last.len(), 2);
    let written = seen.0.iter().filter(|it| it.path.ends_with("LogsMetadata")).count();
    assert_eq!(written, 2);
}

/// What a debugged job says is the worker's own affair; that it says it, is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_debugged_job_uploads_its_diagnostics_as_recorded() {
    let played = play(&workflow("debug"), |_| {}, None).await;
    let (seen, expected) = (Transcript::seen(&played.calls, &played.message), Transcript::recorded("debug"));
    let shown = |it: &Shape| (it.path.clone(), it.token, it.headers.clone(), it.status);
    let of = |it: &Transcript| it.without_updates().into_iter().map(shown).collect::<Vec<_>>();
    assert_eq!(of(&seen), of(&expected));
    let place = seen.0.iter().position(|it| it.path == "GetJobDiagLogsSignedBlobURL").unwrap();
    let archive = played.calls.iter().filter(|it| !it.path.contains("Ledger")).nth(place + 1).unwrap();
    assert!(archive.body.starts_with(b"PK\x03\x04"));
    assert_orderly(&played, &seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_is_as_recorded() {
    let played = play(&workflow("cancelled"), |_| {}, Some(2)).await;
    assert_eq!(played.code, 103);
    assert_same(&played, &Transcript::recorded("cancelled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_runner_shuts_down_is_as_recorded() {
    let told = |message: &mut Value| {
        message["variables"]["actions_send_job_level_annotations"] = json!({ "value": "true" });
    };
    let played = play(&workflow("shut-down"), told, Some(3)).await;
    assert_eq!(played.code, 102);
    assert_same(&played, &Transcript::recorded("shut-down"));
}

/// Not among the recorded: what their rules say of another job.
#[tokio::test(flavor = "multi_thread")]
async fn another_job_follows_the_same_rules_in_both_dialects() {
    let other = "repository: acme/demo
jobs:
  x:
    runs-on: linux
    steps:
      - {name: Forgiven, run: 'echo ::notice::n; exit 9', continue-on-error: true}
      - {name: Templated, shell: 'bash -x {0}', run: 'echo summary >>$GITHUB_STEP_SUMMARY'}
      - {name: Piped, shell: bash, run: 'false | true'}
      - {name: Left out, run: 'true'}
      - {name: Always, if: always(), run: 'echo x 1>&2'}";
    fn plain(message: &mut Value) {
        message["variables"]["DistributedTask.EnhancedAnnotations"] = json!({ "value": "false" });
    }
    fn plain_and_raw(message: &mut Value) {
        plain(message);
        raw(message);
    }
    for change in [plain, plain_and_raw] {
        assert_other(&play(other, change, None).await);
    }
}

fn assert_other(played: &Played) {
    assert_eq!(played.code, 102);
    let seen = Transcript::seen(&played.calls, &played.message);
    assert_orderly(played, &seen);
    let report = &seen.0.last().unwrap().body;
    let told: Vec<_> = report
        .list("stepResults")
        .iter()
        .map(|it| {
            (it.text("name"), it.text("action_name"), it.text("conclusion"), it.list("annotations").len())
        })
        .collect();
    let expected = [
        ("Set up job", "setup_job", "succeeded", 0),
        ("Forgiven", "sh", "succeeded", 1),
        ("Templated", "bash", "succeeded", 0),
        ("Piped", "bash", "failed", 1),
        ("Left out", "", "skipped", 0),
        ("Always", "sh", "succeeded", 0),
        ("Complete job", "complete_job", "succeeded", 0),
    ];
    assert_eq!(told, expected);
    assert_eq!(report.get("outputs"), Some(&Tree::Map(Vec::new())));
    assert_triples(&seen);
}

/// Of each log: its URL, its blob, and that it is whole.
fn assert_triples(seen: &Transcript) {
    let calls: Vec<_> = seen.without_updates();
    for (at, call) in calls.iter().enumerate().filter(|(_, it)| it.path.starts_with("Get")) {
        let created = call.path.replace("Get", "Create").replace("SignedBlobURL", "Metadata");
        assert_eq!((calls[at + 1].method.as_str(), calls[at + 2].path.as_str()), ("PUT", created.as_str()));
    }
}
