//! One script as a process, with its output line by line. It stays in the worker's process group, as with the official
//! worker.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Lines that may wait for the reader; a script that talks faster waits itself.
const LINE_QUEUE: usize = 256;

/// A process that outlives its script may hold the output open: what comes later than this is not waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What runs in a step is killed before the worker when memory runs out.
const OOM_SCORE: &str = "500";

/// A running script.
pub struct Process {
    id: Pid,
    lines: mpsc::Receiver<String>,
    ended: mpsc::Receiver<io::Result<i32>>,
}

/// What a running script does.
#[derive(Debug)]
pub enum Event {
    /// It wrote a line, on either output.
    Line(String),
    /// It ended with this code; 128 + n for signal n.
    Ended(i32),
}

impl Process {
    /// Starts a program.
    pub fn start(
        program: &Path,
        arguments: &[String],
        dir: &Path,
        environment: &BTreeMap<String, String>,
    ) -> io::Result<Process> {
        let (output, ours) = io::pipe()?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(dir)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(ours.try_clone()?)
            .stderr(ours)
            .spawn()?;
        let id = Pid::from_child(&child);
        // Refused where the process already has a higher score; it keeps that one.
        let _ = fs::write(format!("/proc/{id}/oom_score_adj"), OOM_SCORE);
        let (line, lines) = mpsc::channel(LINE_QUEUE);
        let (end, ended) = mpsc::channel(1);
        thread::Builder::new().name("output".into()).spawn(move || read_lines(output, &line))?;
        thread::Builder::new().name("wait".into()).spawn(move || end.blocking_send(wait(child)))?;
        Ok(Process { id, lines, ended })
    }

    /// The next thing it does. Nothing comes after the end but [`Process::last_words`].
    pub async fn next(&mut self) -> io::Result<Event> {
        tokio::select! {
            biased;
            Some(line) = self.lines.recv() => Ok(Event::Line(line)),
            Some(code) = self.ended.recv() => code.map(Event::Ended),
            else => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The lines that were still on their way when the script ended.
    pub async fn last_words(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(Some(line)) = timeout(LAST_WORDS, self.lines.recv()).await {
            lines.push(line);
        }
        lines
    }

    /// Signals the script itself, not what it started.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(self.id, signal); // gone is fine
    }

    /// Ends the script and what it started.
    pub fn kill(&self) {
        for process in tree(self.id) {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

fn wait(mut child: Child) -> io::Result<i32> {
    let status = child.wait()?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

fn read_lines(output: PipeReader, lines: &mpsc::Sender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        if lines.blocking_send(text).is_err() {
            return;
        }
        line.clear();
    }
}

/// A process and all below it, parents first.
fn tree(root: Pid) -> Vec<Pid> {
    let all: Vec<(Pid, Pid)> = processes().filter_map(|it| Some((it, parent(it)?))).collect();
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(process) = tree.get(next).copied() {
        tree.extend(all.iter().filter(|(_, parent)| *parent == process).map(|(child, _)| *child));
        next += 1;
    }
    tree
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|it| Pid::from_raw(it.file_name().to_str()?.parse().ok()?))
}

/// The fourth field of `stat`; the second is a name in parentheses that may hold anything.
fn parent(process: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}

/// Ends what steps have left behind: every process with this variable. Gives number and name of each.
pub fn end_orphans(variable: &str, value: &str) -> Vec<(i32, String)> {
    let wanted = format!("{variable}={value}");
    let mut ended = Vec::new();
    for process in processes() {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        if environment.split(|it| *it == 0).any(|it| it == wanted.as_bytes()) {
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            let _ = kill_process(process, Signal::KILL);
            ended.push((process.as_raw_nonzero().get(), name.trim().to_owned()));
        }
    }
    ended
}
