//! How the job goes, told to everybody: masked lines to the container's log and to GitHub's, steps to the results
//! service. The only owner of the list of steps.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::logs::Logs;
use crate::mask::Masks;
use crate::service::Service;
use crate::step::Conclusion;

/// How long the last of the logs may take, so that they never keep the result from being told.
const LAST_LOGS: Duration = Duration::from_secs(15);

/// Status numbers of the results service (protocol §5.7).
const IN_PROGRESS: u8 = 3;
const COMPLETED: u8 = 6;

/// The steps so far and the ways out.
pub struct Progress {
    service: Arc<Service>,
    logs: Logs,
    masks: Masks,
    steps: Vec<Shown>,
}

struct Shown {
    id: String,
    name: String,
    started: Timestamp,
    lines: u64,
    ended: Option<(Conclusion, Timestamp)>,
}

impl Progress {
    /// Nothing has happened yet.
    pub fn new(service: Arc<Service>, masks: Masks) -> Progress {
        Progress { logs: Logs::start(service.clone()), service, masks, steps: Vec::new() }
    }

    /// A step begins; the one before has ended.
    pub async fn begin(&mut self, id: &str, name: &str) {
        let name = self.masks.apply(name);
        self.steps.push(Shown { id: id.into(), name, started: Timestamp::now(), lines: 0, ended: None });
        self.tell().await;
    }

    /// The current step says something.
    pub async fn line(&mut self, text: &str) {
        let text = self.masks.apply(text);
        let _ = writeln!(std::io::stdout(), "{text}"); // a full container log stops no job
        if let Some(step) = self.steps.last_mut() {
            step.lines += 1;
            self.logs.line(&step.id, format!("{:.7} {text}", Timestamp::now())).await;
        }
    }

    /// The current step has ended.
    pub async fn end(&mut self, conclusion: Conclusion) {
        self.logs.step_ended().await;
        if let Some(step) = self.steps.last_mut() {
            step.ended = Some((conclusion, Timestamp::now()));
        }
        self.tell().await;
    }

    /// A step that does not run.
    pub async fn skip(&mut self, id: &str, name: &str) {
        let (name, now) = (self.masks.apply(name), Timestamp::now());
        let ended = Some((Conclusion::Skipped, now));
        self.steps.push(Shown { id: id.into(), name, started: now, lines: 0, ended });
        self.tell().await;
    }

    /// Writes out the logs and gives the steps as `completejob` wants them (protocol §5.4).
    pub async fn finish(self) -> Value {
        self.logs.finish(LAST_LOGS).await;
        self.steps.iter().zip(1..).map(|(it, number)| it.result(number)).collect()
    }

    async fn tell(&self) {
        let (Some(step), true) = (self.steps.last(), self.service.has_results()) else { return };
        if let Err(error) = self.service.update_steps(json!([step.update(self.steps.len())])).await {
            eprintln!("cannot report the step {}: {error:#}", step.name);
        }
    }
}

impl Shown {
    fn update(&self, number: usize) -> Value {
        json!({
            "external_id": self.id,
            "number": number,
            "name": self.name,
            "status": if self.ended.is_some() { COMPLETED } else { IN_PROGRESS },
            "conclusion": self.ended.map_or(0, |(conclusion, _)| conclusion.results_number()),
            "started_at": self.started.to_string(),
            "completed_at": self.ended.map(|(_, at)| at.to_string()),
        })
    }

    fn result(&self, number: usize) -> Value {
        json!({
            "external_id": self.id,
            "number": number,
            "name": self.name,
            "type": "run",
            "status": "completed",
            "conclusion": self.ended.map_or("abandoned", |(conclusion, _)| conclusion.word()),
            "started_at": self.started.to_string(),
            "completed_at": self.ended.map(|(_, at)| at.to_string()),
            "completed_log_lines": self.lines,
        })
    }
}
