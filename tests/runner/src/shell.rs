//! One script in a shell, in a process group of its own, with its output line by line.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Lines that may wait for the reader; a script that talks faster waits itself.
const LINE_QUEUE: usize = 256;

/// A process that outlives its script may hold the output open: what comes later than this is not waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running script.
pub struct Shell {
    group: Pid,
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

impl Shell {
    /// Starts `sh -e` on a script.
    pub fn start(script: &Path, dir: &Path, environment: &BTreeMap<String, String>) -> io::Result<Shell> {
        let (output, ours) = io::pipe()?;
        let child = Command::new("/bin/sh")
            .arg("-e")
            .arg(script)
            .current_dir(dir)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(ours.try_clone()?)
            .stderr(ours)
            .process_group(0)
            .spawn()?;
        let group = Pid::from_child(&child);
        let (line, lines) = mpsc::channel(LINE_QUEUE);
        let (end, ended) = mpsc::channel(1);
        thread::Builder::new().name("output".into()).spawn(move || read_lines(output, &line))?;
        thread::Builder::new().name("wait".into()).spawn(move || end.blocking_send(wait(child)))?;
        Ok(Shell { group, lines, ended })
    }

    /// The next thing it does. After the end come the lines still in the pipe, then `None`.
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

    /// Asks the whole group to stop.
    pub fn terminate(&self) {
        let _ = rustix::process::kill_process_group(self.group, Signal::TERM); // gone is fine
    }

    /// Stops the whole group.
    pub fn kill(&self) {
        let _ = rustix::process::kill_process_group(self.group, Signal::KILL);
    }
}

fn wait(mut child: Child) -> io::Result<i32> {
    use std::os::unix::process::ExitStatusExt;
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
