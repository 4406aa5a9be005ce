//! Log lines about jobs.

use std::io;
use std::sync::{Arc, Mutex};

use runtime::telemetry::JsonLines;
use serde_json::{Value, json};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::kubelet::Behaviour;
use crate::rig::{Rig, ending, name};

/// What is written to the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

impl Log {
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_line_about_an_acquired_job_says_which_job_it_is_and_in_which_trace() {
    let log = Log::default();
    // Of a single subscriber tracing believes that each thread has it: a line that another test's thread reaches first
    // would be off for good. Of two it asks both.
    let _second = tracing::Dispatch::new(Registry::default());
    let subscriber = Registry::default().with(JsonLines::new("agc", log.clone()));
    let _guard = tracing::subscriber::set_default(subscriber);
    let rig = Rig::start(json!({ "maxListeners": 1 }), Behaviour::Crashes).await;
    // On this thread, which is the one whose lines are kept.
    let _controller = rig.controller_here("agc-0");
    let run = rig.push("{ build: { runs-on: linux } }");
    let job = rig.settled_job().await;
    assert_eq!(ending(&job), "RunnerError");

    let lines = log.lines();
    let by_executor = |it: &&Value| it["target"].as_str().is_some_and(|it| it.contains("executor"));
    let told = lines.iter().find(by_executor).expect("the executor told GitHub of the crash");
    let identity = &job["status"]["job"];
    let plan_and_job = ["planId", "jobId"].map(|it| identity[it].as_str().unwrap());
    let expected = json!({
        "runner_group": "blue",
        "runner_job": name(&job),
        "job": "build",
        "repository": "synthetic-org/demo",
        "run_id": run.run_id.to_string(),
        "run_attempt": 1,
        "trace_id": job["status"]["traceId"],
        "span_id": hex::encode(job::trace::root_span_id(plan_and_job[0], plan_and_job[1])),
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(told[field], *value, "{field} of {told}");
    }
    for line in lines.iter().filter(|it| it["job"].is_string()) {
        let fields = ["job", "runner_job", "trace_id", "span_id"];
        assert_eq!(fields.map(|it| &line[it]), fields.map(|it| &expected[it]), "{line}");
    }
}
