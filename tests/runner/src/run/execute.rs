//! One `run` step.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::Runner;
use crate::annotation::Level;
use crate::command::Command;
use crate::files::{self, Files};
use crate::process::{Event, Process};
use crate::progress::StepAt;
use crate::shell::Shell;
use crate::step::{Conclusion, Step};
use crate::token;

/// What a step says that was cancelled.
pub(super) const CANCELED: &str = "The operation was canceled.";

/// How a step is stopped: signals to the script, then the end of all that it started (protocol §6.2).
const AFTER_INTERRUPT: Duration = Duration::from_millis(7_500);
const AFTER_TERMINATE: Duration = Duration::from_millis(2_500);

/// The largest summary of a step.
const SUMMARY_LIMIT: usize = 1024 << 10;

/// What ends the worker as a crash would, for tests: a line of a step's output with the text to leave behind.
const CRASH: &str = "stand-in-crash";
const CRASH_CODE: i32 = 139;

/// Why a step is being stopped.
enum Stopping {
    Canceled,
    TimedOut,
}

/// How far the stopping of a step is: the next signal, and when.
struct Escalation {
    why: Stopping,
    next: Option<(Signal, Instant)>,
}

impl Runner {
    /// Runs a step; what it wrote to its files counts however it ended.
    pub(super) async fn execute(
        &mut self,
        at: StepAt,
        step: &Step,
        outputs: &mut Vec<(String, String)>,
    ) -> anyhow::Result<Conclusion> {
        let contexts = &self.job.contexts;
        let name = token::text(&step.display_name, contexts)?;
        let script = token::text(&step.script, contexts)?;
        let mut variables = self.variables.clone();
        for (name, value) in token::mapping(&step.environment, contexts)? {
            variables.insert(name, token::text(value, contexts)?);
        }
        let or_default = |token, key| -> anyhow::Result<String> {
            let own = token::text(token, contexts)?;
            let default = || self.defaults.get(key).cloned().unwrap_or_default();
            Ok(if own.is_empty() { default() } else { own })
        };
        let dir = self.workspace.join(or_default(&step.working_directory, "working-directory")?);
        let shell = Shell::find(&or_default(&step.shell, "shell")?, &self.search_path(&variables))?;

        self.progress.describe(at, &name, "run", &shell.name);
        self.progress.debug(at, &format!("Starting: {name}"));
        self.show(at, &script, &shell, &variables);
        let unique = Uuid::new_v4().to_string();
        let files = Files::create(&self.temp, &unique).context("cannot make the files of the step")?;
        let path = self.temp.join(format!("{unique}{}", shell.extension()));
        fs::write(&path, script).context("cannot write the script")?;
        let environment = self.environment(step, variables, &files);
        let arguments = shell.arguments(&path);
        self.progress.debug(at, &format!("{} {}", shell.program.display(), arguments.join(" ")));
        let ended = self.run_process(at, step, &name, &shell.program, &arguments, &dir, &environment).await;
        let taken = self.take_files(at, &files, outputs);
        let conclusion = ended?;
        Ok(if taken || conclusion != Conclusion::Succeeded { conclusion } else { Conclusion::Failed })
    }

    /// The head of a step's log.
    fn show(&mut self, at: StepAt, script: &str, shell: &Shell, variables: &BTreeMap<String, String>) {
        let first = script.trim_start().lines().next().unwrap_or_default();
        let mut lines = vec![format!("##[group]Run {first}")];
        lines
            .extend(script.trim_end_matches('\n').split('\n').map(|it| format!("\u{1b}[36;1m{it}\u{1b}[0m")));
        lines.push(format!("shell: {}", shell.shown()));
        if !variables.is_empty() {
            lines.push("env:".to_owned());
            lines.extend(variables.iter().map(|(name, value)| format!("  {name}: {value}")));
        }
        lines.push("##[endgroup]".to_owned());
        for line in lines {
            self.progress.line(at, &line);
        }
    }

    fn environment(
        &self,
        step: &Step,
        variables: BTreeMap<String, String>,
        files: &Files,
    ) -> BTreeMap<String, String> {
        let path = self.search_path(&variables);
        let mut environment = self.surroundings.clone();
        environment.extend(variables);
        environment.extend(files.environment());
        environment.insert("GITHUB_ACTION".into(), step.context_name.clone());
        environment.insert("PATH".into(), path);
        environment
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a process is its program, arguments, folder and environment"
    )]
    async fn run_process(
        &mut self,
        at: StepAt,
        step: &Step,
        name: &str,
        program: &Path,
        arguments: &[String],
        dir: &Path,
        environment: &BTreeMap<String, String>,
    ) -> anyhow::Result<Conclusion> {
        let process = Process::start(program, arguments, dir, environment);
        let process = process.with_context(|| {
            format!(
                "An error occurred trying to start process '{}' with working directory '{}'",
                program.display(),
                dir.display()
            )
        })?;
        let (code, stopped) = self.watch(at, step, process).await?;
        match stopped {
            Some(Stopping::Canceled) => {
                self.progress.error(at, CANCELED);
                Ok(Conclusion::Canceled)
            }
            Some(Stopping::TimedOut) => {
                let minutes = step.timeout.unwrap_or_default();
                self.progress
                    .error(at, &format!("The action '{name}' has timed out after {minutes} minutes."));
                Ok(Conclusion::Failed)
            }
            None if code == 0 => Ok(Conclusion::Succeeded),
            None => {
                self.progress.error(at, &format!("Process completed with exit code {code}."));
                Ok(Conclusion::Failed)
            }
        }
    }

    /// Stays with a script until it has ended. Only what stops the job while the script runs stops it: what begins
    /// after a cancellation begins because it asked to.
    async fn watch(
        &mut self,
        at: StepAt,
        step: &Step,
        mut process: Process,
    ) -> anyhow::Result<(i32, Option<Stopping>)> {
        let limit =
            step.timeout.filter(|it| *it > 0.0).and_then(|it| Duration::try_from_secs_f64(it * 60.0).ok());
        let timeout = limit.and_then(|it| Instant::now().checked_add(it));
        let mut stopping: Option<Escalation> = None;
        let mut undisturbed = self.stop.borrow().first.is_none();
        let mut pause = None;
        let code = loop {
            let signal = stopping.as_ref().and_then(|it| it.next);
            tokio::select! {
                event = process.next() => match event? {
                    Event::Line(line) => self.hear(at, &line, &mut pause),
                    Event::Ended(code) => break code,
                },
                () = at_time(signal.map(|(_, time)| time)) => {
                    stopping = stopping.map(|it| it.escalate(&process));
                }
                Ok(()) = self.stop.changed() => {
                    let stop = self.look();
                    let goes_on = stop.shutdown.is_none() && step.condition.holds(self.so_far);
                    if std::mem::take(&mut undisturbed) && !goes_on && stopping.is_none() {
                        stopping = Some(Escalation::start(Stopping::Canceled, &process));
                    }
                }
                () = at_time(timeout), if stopping.is_none() => {
                    stopping = Some(Escalation::start(Stopping::TimedOut, &process));
                }
            }
        };
        for line in process.last_words().await {
            self.hear(at, &line, &mut pause);
        }
        Ok((code, stopping.map(|it| it.why)))
    }

    /// A line of a step's output: text, or a workflow command. `pause` is the word that ends a stretch without commands.
    fn hear(&mut self, at: StepAt, line: &str, pause: &mut Option<String>) {
        let command = Command::parse(line);
        if let Some(word) = pause {
            if command.is_some_and(|it| it.name == *word) {
                *pause = None;
            }
            return self.progress.line(at, line);
        }
        let Some(command) = command else { return self.progress.line(at, line) };
        if let Some(level) = Level::of_command(&command.name) {
            return self.progress.annotate(at, &command, level);
        }
        match command.name.as_str() {
            "debug" => self.progress.debug(at, &command.data),
            "group" | "endgroup" => self.progress.line(at, &format!("##[{}]{}", command.name, command.data)),
            "add-mask" => self.progress.mask(&command.data),
            "echo" => {}
            "stop-commands" => {
                self.progress.line(at, line);
                *pause = Some(command.data);
            }
            CRASH => crash(&command.data),
            _ => self.progress.line(at, line),
        }
    }

    /// Takes over what a step wrote to its files. False when one of them cannot be read.
    fn take_files(&mut self, at: StepAt, files: &Files, outputs: &mut Vec<(String, String)>) -> bool {
        let added = files.text("GITHUB_PATH");
        for folder in added.lines().filter(|it| !it.is_empty()) {
            self.path.retain(|it| it != folder);
            self.path.insert(0, folder.to_owned());
        }
        let summary = files.text("GITHUB_STEP_SUMMARY");
        let mut good = true;
        if summary.len() > SUMMARY_LIMIT {
            let (limit, size) = (SUMMARY_LIMIT >> 10, summary.len() >> 10);
            let text = format!(
                "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {limit}k, got {size}k."
            );
            self.progress.error(at, &text);
        } else if !summary.is_empty() {
            self.progress.summary(at, &summary);
        }
        let mut pairs = |runner: &mut Runner, variable: &str, command: &str| {
            files::pairs(&files.text(variable)).unwrap_or_else(|error| {
                good = false;
                runner
                    .progress
                    .error(at, &format!("Unable to process file command '{command}' successfully."));
                runner.progress.error(at, &error.to_string());
                Vec::new()
            })
        };
        let set = pairs(self, "GITHUB_ENV", "env");
        outputs.extend(pairs(self, "GITHUB_OUTPUT", "output"));
        self.set_variables(set.into_iter().collect());
        good
    }
}

impl Escalation {
    fn start(why: Stopping, process: &Process) -> Escalation {
        process.signal(Signal::INT);
        Escalation { why, next: Some((Signal::TERM, Instant::now() + AFTER_INTERRUPT)) }
    }

    fn escalate(self, process: &Process) -> Escalation {
        let next = match self.next {
            Some((Signal::TERM, _)) => {
                process.signal(Signal::TERM);
                Some((Signal::KILL, Instant::now() + AFTER_TERMINATE))
            }
            _ => {
                process.kill();
                None
            }
        };
        Escalation { why: self.why, next }
    }
}

/// Ends the worker as if it had died: nothing is reported.
fn crash(text: &str) -> ! {
    eprintln!("{text}");
    std::process::exit(CRASH_CODE)
}

async fn at_time(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
