//! Plays the recorded calls of the official worker (`tests/realrunner`) and compares what they are answered.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::support::runner::Claim;
use crate::support::{Draft, Github};

/// One call, as it was recorded.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    #[serde(rename = "who")]
    _who: String,
    method: String,
    path: String,
    token: Option<String>,
    headers: BTreeMap<String, String>,
    body: Value,
    status: u16,
}

/// What stands for the marks of a transcript in this run.
struct Marks {
    known: BTreeMap<String, String>,
    /// The paths of blobs, in the order in which they were handed out.
    blobs: Vec<String>,
}

impl Marks {
    fn new(claim: &Claim) -> Self {
        let service = url::Url::parse(&claim.url).unwrap();
        let mut known = BTreeMap::from([
            ("plan".to_owned(), claim.plan.clone()),
            ("job".to_owned(), claim.job.clone()),
            ("job_token".to_owned(), claim.token.clone()),
            ("run_service".to_owned(), service.path().to_owned()),
            ("billing_owner".to_owned(), claim.message["billingOwnerId"].as_str().unwrap().to_owned()),
        ]);
        for (index, step) in claim.message["steps"].as_array().unwrap().iter().enumerate() {
            known.insert(format!("step_{index}"), step["id"].as_str().unwrap().to_owned());
        }
        Self { known, blobs: Vec::new() }
    }

    fn fill(&self, line: &str) -> Recorded {
        let mut text = line.to_owned();
        for (name, value) in &self.known {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        assert!(!text.contains("{{"), "a mark is not known: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A blob's URL was handed out, perhaps once more.
    fn learn(&mut self, answer: &Value) {
        let url = ["logs_url", "summary_url", "diag_logs_url"].iter().find_map(|key| answer[*key].as_str());
        let url = url::Url::parse(url.unwrap()).unwrap();
        if self.blobs.iter().any(|path| path == url.path()) {
            return;
        }
        let number = self.blobs.len();
        self.known.insert(format!("blob_path_{number}"), url.path().to_owned());
        self.known.insert(format!("blob_query_{number}"), url.query().unwrap().to_owned());
        self.blobs.push(url.path().to_owned());
    }
}

fn draft<'a>(github: &'a Github, call: &Recorded) -> Draft<'a> {
    let method = http::Method::from_bytes(call.method.as_bytes()).unwrap();
    let mut draft = github.request(method, &call.path);
    for (name, value) in &call.headers {
        draft = draft.header(name, value);
    }
    if let Some(token) = &call.token {
        draft = draft.bearer(token);
    }
    match (uploaded(call), &call.body) {
        (Some(length), _) => draft.body(vec![b'x'; length]),
        (None, Value::Null) => draft,
        (None, body) => draft.body(body.to_string()),
    }
}

/// The length of an upload's body.
fn uploaded(call: &Recorded) -> Option<usize> {
    let bytes = call.body.as_object().filter(|body| body.len() == 1)?.get("bytes")?.as_u64()?;
    Some(usize::try_from(bytes).unwrap())
}

/// Plays one transcript: statuses, conclusion, stored logs and violations are as they should be.
async fn play(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/realrunner");
    let read = |path: String| std::fs::read_to_string(folder.join(path)).unwrap();
    let github = Github::start().await;
    let run = github.run(&read(format!("workflows/{name}.json")));
    let (_, _, claim) = github.runner("one").await.claim().await;
    let mut marks = Marks::new(&claim);
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let mut conclusion = None;
    for (number, line) in read(format!("{name}.jsonl")).lines().enumerate() {
        let call = marks.fill(line);
        let reply = draft(&github, &call).send().await;
        let what = format!("{name}, call {}: {} {}", number + 1, call.method, call.path);
        assert_eq!(reply.status, call.status, "{what}: {:?}", reply.body);
        if call.path.contains("SignedBlobURL") {
            marks.learn(&reply.json());
        }
        if let (Some(length), true) = (uploaded(&call), reply.status < 300) {
            *sizes.entry(call.path.split('?').next().unwrap().to_owned()).or_default() += length;
        }
        if call.path.ends_with("completejob") {
            conclusion = call.body["conclusion"].as_str().map(str::to_owned);
        }
    }
    let job = github.control().run(run.run_id).unwrap().jobs[0].clone();
    let concluded = match conclusion.as_deref() {
        Some("succeeded") => "success",
        Some("failed") => "failure",
        Some("canceled") => "cancelled",
        other => panic!("{name} ends with {other:?}"),
    };
    assert_eq!(job.conclusion, Some(concluded), "{name}");
    github.assert_no_violation();

    let logs = github.control().job_logs(run.run_id, job.id).unwrap();
    let stored: BTreeMap<String, usize> =
        logs.iter().map(|log| (format!("/blobs/{}/{}", claim.job, log.log), log.bytes)).collect();
    assert_eq!(stored, sizes, "{name}");
    for log in logs {
        assert!(log.finished || log.log == "diagnostics", "{name}: {} is not finished", log.log);
    }
}

/// A test for each transcript, by its name.
macro_rules! transcripts {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                play($name).await;
            }
        )*

        #[test]
        fn every_transcript_is_played() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/realrunner");
            let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut found: Vec<String> = names
                .filter_map(|name| name.to_str()?.strip_suffix(".jsonl").map(str::to_owned))
                .collect();
            found.sort();
            assert_eq!(found, [$($name),*]);
        }
    };
}

transcripts! {
    a_cancelled_job_is_answered_as_recorded: "cancelled",
    a_job_with_every_command_is_answered_as_recorded: "commands",
    a_job_with_debug_logging_is_answered_as_recorded: "debug",
    a_failing_job_is_answered_as_recorded: "failing",
    a_job_with_a_long_log_is_answered_as_recorded: "long-log",
    a_job_with_outputs_is_answered_as_recorded: "outputs",
    a_job_that_uploads_by_itself_is_answered_as_recorded: "raw-blobs",
    a_job_that_is_shut_down_is_answered_as_recorded: "shut-down",
}
