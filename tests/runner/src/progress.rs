//! How the job goes, told to everybody: lines to the logs, steps to the results service, annotations to the result. The
//! only owner of the list of steps.

use std::io;
use std::path::Path;

use jiff::Timestamp;

use crate::annotation::{Annotation, Level};
use crate::command::Command;
use crate::complete::StepResult;
use crate::diagnostics::Diagnostics;
use crate::log::{Block, Log, LogOf};
use crate::mask::Masks;
use crate::results::StepUpdate;
use crate::step::Conclusion;
use crate::upload::{Upload, Uploads};

/// Status numbers of the results service (protocol §5.7).
const IN_PROGRESS: u8 = 3;
const PENDING: u8 = 5;
const COMPLETED: u8 = 6;

/// The steps so far and the ways out.
pub struct Progress {
    uploads: Uploads,
    diagnostics: Diagnostics,
    masks: Masks,
    folder: std::path::PathBuf,
    log: Option<Log>,
    annotations: Vec<Annotation>,
    steps: Vec<Shown>,
    /// Variable `DistributedTask.EnhancedAnnotations`.
    enhanced: bool,
    /// Variable `ACTIONS_STEP_DEBUG`.
    debug: bool,
}

/// One step, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepAt(usize);

struct Shown {
    id: String,
    number: u64,
    name: String,
    action: Option<String>,
    kind: Option<&'static str>,
    started: Option<Timestamp>,
    ended: Option<(Conclusion, Timestamp)>,
    log: Option<Log>,
    annotations: Vec<Annotation>,
}

impl Progress {
    /// Nothing has happened yet. Blocks of logs wait in the folder.
    pub fn new(uploads: Uploads, diagnostics: Diagnostics, masks: Masks, folder: &Path) -> Progress {
        Progress {
            uploads,
            diagnostics,
            masks,
            folder: folder.to_owned(),
            log: Some(Log::new(LogOf::Job, folder)),
            annotations: Vec::new(),
            steps: Vec::new(),
            enhanced: false,
            debug: false,
        }
    }

    /// With which of the optional ways of talking.
    pub fn with(mut self, enhanced: bool, debug: bool) -> Progress {
        (self.enhanced, self.debug) = (enhanced, debug);
        self
    }

    /// A step that will have its turn.
    pub fn announce(&mut self, id: &str, name: &str) -> StepAt {
        self.steps.push(Shown {
            id: id.into(),
            number: self.steps.len() as u64 + 1,
            name: self.masks.apply(name),
            action: None,
            kind: None,
            started: None,
            ended: None,
            log: Some(Log::new(LogOf::Step(id.into()), &self.folder)),
            annotations: Vec::new(),
        });
        let step = StepAt(self.steps.len() - 1);
        self.tell(step);
        step
    }

    /// Its turn has come.
    pub fn begin(&mut self, step: StepAt) {
        self.steps[step.0].started = Some(Timestamp::now());
        self.tell(step);
    }

    /// It runs: by this name, and this is what is run.
    pub fn describe(&mut self, step: StepAt, name: &str, kind: &'static str, action: &str) {
        let shown = &mut self.steps[step.0];
        shown.name = self.masks.apply(name);
        (shown.kind, shown.action) = (Some(kind), Some(action.to_owned()));
        self.tell(step);
    }

    /// A step says something, which may be several lines.
    pub fn line(&mut self, step: StepAt, text: &str) {
        let text = self.masks.apply(text);
        self.diagnostics.info("StepHost", &text);
        if let Some(log) = &mut self.steps[step.0].log {
            let block = log.write(&text);
            self.job_line(&text);
            self.upload(block);
        }
    }

    /// A step says something to whoever debugs it.
    pub fn debug(&mut self, step: StepAt, text: &str) {
        if self.debug {
            self.line(step, &format!("##[debug]{text}"));
        }
    }

    /// Something is wrong with a step.
    pub fn error(&mut self, step: StepAt, text: &str) {
        self.issue(step, Level::Failure, text);
    }

    /// Something may be wrong with a step.
    pub fn warn(&mut self, step: StepAt, text: &str) {
        self.issue(step, Level::Warning, text);
    }

    /// A step annotates itself.
    pub fn annotate(&mut self, step: StepAt, command: &Command, level: Level) {
        self.say(step, level, &command.data);
        if level == Level::Notice && !self.enhanced {
            return;
        }
        let (line, number) = self.place(step);
        let data = self.masks.apply(&command.data);
        let command = Command { data, name: command.name.clone(), properties: command.properties.clone() };
        let annotation = Annotation::of(&command, level, line, number, self.enhanced);
        annotation.add_to(&mut self.steps[step.0].annotations);
    }

    /// Something is wrong with the job itself.
    pub fn job_error(&mut self, text: &str) {
        let text = self.masks.apply(text);
        let lines = self.log.as_ref().map_or(0, Log::lines) + 1;
        self.diagnostics.info("JobRunner", &text);
        self.job_line(&format!("{}{text}", Level::Failure.tag()));
        Annotation::plain(Level::Failure, &text, lines, 0).add_to(&mut self.annotations);
    }

    /// A value that no log may show from now on.
    pub fn mask(&mut self, value: &str) {
        self.masks.add(value);
    }

    /// Whether text would be shown masked.
    pub fn is_secret(&self, text: &str) -> bool {
        self.masks.apply(text) != text
    }

    /// What a step wrote as its summary.
    pub fn summary(&mut self, step: StepAt, text: &str) {
        let content = self.masks.apply(text).into_bytes();
        self.uploads.file(Upload::Summary { step: self.steps[step.0].id.clone(), content });
    }

    /// Uploads the worker's own log.
    pub fn diagnose(&mut self) {
        self.uploads.file(Upload::Diagnostics(self.diagnostics.archive()));
    }

    /// A step has ended; its log is whole.
    pub fn end(&mut self, step: StepAt, conclusion: Conclusion) {
        let shown = &mut self.steps[step.0];
        shown.ended = Some((conclusion, Timestamp::now()));
        if let Some(log) = shown.log.take() {
            self.upload(log.end());
        }
        self.tell(step);
    }

    /// Ends the job's log, sends what is left, and gives the steps and the job's own annotations.
    pub async fn finish(mut self) -> (Vec<StepResult>, Vec<Annotation>) {
        if let Some(log) = self.log.take() {
            self.upload(log.end());
        }
        self.uploads.finish().await;
        (self.steps.into_iter().map(Shown::result).collect(), self.annotations)
    }

    fn issue(&mut self, step: StepAt, level: Level, text: &str) {
        self.say(step, level, text);
        let (line, number) = self.place(step);
        let annotation = Annotation::plain(level, &self.masks.apply(text), line, number);
        annotation.add_to(&mut self.steps[step.0].annotations);
    }

    fn say(&mut self, step: StepAt, level: Level, text: &str) {
        self.line(step, &format!("{}{text}", level.tag()));
    }

    /// The line of the step's log that was written last, and the step's number.
    fn place(&self, step: StepAt) -> (u64, u64) {
        let shown = &self.steps[step.0];
        (shown.log.as_ref().map_or(0, Log::lines), shown.number)
    }

    fn job_line(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            let block = log.write(text);
            self.upload(block);
        }
    }

    fn upload(&self, block: io::Result<Option<Block>>) {
        match block {
            Ok(Some(block)) => self.uploads.file(Upload::Block(block)),
            Ok(None) => {}
            Err(error) => self.diagnostics.info("PagingLogger", format!("a block of a log is lost: {error}")),
        }
    }

    fn tell(&self, step: StepAt) {
        self.uploads.step(self.steps[step.0].update());
    }
}

impl Shown {
    fn update(&self) -> StepUpdate {
        StepUpdate {
            external_id: self.id.clone(),
            number: self.number,
            name: self.name.clone(),
            status: match (self.started, self.ended) {
                (_, Some(_)) => COMPLETED,
                (Some(_), None) => IN_PROGRESS,
                (None, None) => PENDING,
            },
            started_at: self.started.map(milliseconds),
            completed_at: self.ended.map(|(_, at)| milliseconds(at)),
            conclusion: self.ended.map_or(0, |(conclusion, _)| conclusion.results_number()),
        }
    }

    fn result(self) -> StepResult {
        StepResult {
            status: if self.ended.is_some() { "completed" } else { "pending" },
            external_id: self.id,
            number: self.number,
            name: self.name,
            action_name: self.action,
            kind: self.kind,
            conclusion: self.ended.map(|(conclusion, _)| conclusion),
            started_at: self.started.map(ticks),
            completed_at: self.ended.map(|(_, at)| ticks(at)),
            annotations: self.annotations,
        }
    }
}

fn milliseconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Seven decimals, as .NET writes them: without zeroes at the end.
fn ticks(time: Timestamp) -> String {
    let text = time.strftime("%Y-%m-%dT%H:%M:%S.%7f").to_string();
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_by_the_official_worker() {
        let check = |time: &str, short: &str, long: &str| {
            let time: Timestamp = time.parse().unwrap();
            assert_eq!((milliseconds(time).as_str(), ticks(time).as_str()), (short, long));
        };
        check("2026-11-28T05:14:23.160139199Z", "2026-11-28T05:14:23.160Z", "2026-11-28T05:14:23.1601391Z");
        check("2026-11-28T05:14:25.44087Z", "2026-11-28T05:14:25.440Z", "2026-11-28T05:14:25.44087Z");
        check("2026-11-28T05:14:20Z", "2026-11-28T05:14:20.000Z", "2026-11-28T05:14:20Z");
    }
}
