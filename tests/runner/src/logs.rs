//! Logs on their way to the results service: one task owns them, and writes each about once a second while it grows.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::service::{LogOf, Service};

/// How often a growing log is written out.
const FLUSH: Duration = Duration::from_secs(1);

/// Lines that may wait here; a step that talks faster than its log can be sent waits itself.
const QUEUE: usize = 1024;

/// Text that is written out without waiting for the second to pass; far below Azure's 4 MiB a block.
const FULL: usize = 256 << 10;

/// Text that is kept while the service does not answer. What comes after it is lost, and said so.
const MAX_PENDING: usize = 2 << 20;

/// What the job tells the task.
enum Message {
    Line { step: String, line: String },
    StepEnded,
}

/// The job's end of the task.
pub struct Logs {
    messages: mpsc::Sender<Message>,
    task: JoinHandle<()>,
}

impl Logs {
    /// Starts the task. Without a results service it only swallows.
    pub fn start(service: Arc<Service>) -> Logs {
        let (messages, inbox) = mpsc::channel(QUEUE);
        Logs { messages, task: tokio::spawn(write_all(service, inbox)) }
    }

    /// Adds a line to the log of a step and of the job.
    pub async fn line(&self, step: &str, line: String) {
        let _ = self.messages.send(Message::Line { step: step.to_owned(), line }).await;
    }

    /// The log of the step is whole.
    pub async fn step_ended(&self) {
        let _ = self.messages.send(Message::StepEnded).await;
    }

    /// All logs are whole: waits until they are written, at most this long.
    pub async fn finish(self, limit: Duration) {
        drop(self.messages);
        if tokio::time::timeout(limit, self.task).await.is_err() {
            eprintln!("the logs were not written in time");
        }
    }
}

async fn write_all(service: Arc<Service>, mut inbox: mpsc::Receiver<Message>) {
    let mut job = Log::new(LogOf::Job);
    let mut step: Option<Log> = None;
    let mut tick = interval(FLUSH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = inbox.recv() => match message {
                Some(Message::Line { step: id, line }) => {
                    let step = step.get_or_insert_with(|| Log::new(LogOf::Step(id)));
                    for log in [&mut job, step] {
                        log.push(&line, &service).await;
                    }
                }
                Some(Message::StepEnded) => {
                    if let Some(step) = step.take() {
                        step.finish(&service).await;
                    }
                }
                None => break,
            },
            _ = tick.tick() => {
                for log in [Some(&mut job), step.as_mut()].into_iter().flatten() {
                    log.flush(&service).await;
                }
            }
        }
    }
    if let Some(step) = step {
        step.finish(&service).await;
    }
    job.finish(&service).await;
}

/// One log: an append blob that grows.
struct Log {
    of: LogOf,
    url: Option<String>,
    pending: String,
    lines: u64,
    complained: bool,
}

impl Log {
    fn new(of: LogOf) -> Log {
        Log { of, url: None, pending: String::new(), lines: 0, complained: false }
    }

    async fn push(&mut self, line: &str, service: &Service) {
        self.lines += 1;
        if self.pending.len() < MAX_PENDING {
            self.pending.push_str(line);
            self.pending.push('\n');
        }
        if self.pending.len() >= FULL && !self.complained {
            self.flush(service).await;
        }
    }

    /// Writes out what is pending; what cannot be written stays for the next time.
    async fn flush(&mut self, service: &Service) {
        if self.pending.is_empty() || !service.has_results() {
            return;
        }
        match self.append(service).await {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                eprintln!("cannot write the log of {:?}: {error:#}", self.of);
            }
            Err(_) => {}
        }
    }

    async fn append(&mut self, service: &Service) -> anyhow::Result<()> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => {
                let url = service.log_url(&self.of).await?;
                let create =
                    [("x-ms-blob-type", "AppendBlob"), ("content-type", "text/plain; charset=utf-8")];
                service.put_blob(&url, &create, Bytes::new()).await?;
                self.url.insert(url).clone()
            }
        };
        let block = Bytes::copy_from_slice(self.pending.as_bytes());
        service.put_blob(&with_query(&url, "comp=appendblock"), &[], block).await?;
        self.pending.clear();
        Ok(())
    }

    async fn finish(mut self, service: &Service) {
        self.flush(service).await;
        let Some(url) = self.url else { return };
        if let Err(error) = service.put_blob(&with_query(&url, "comp=seal"), &[], Bytes::new()).await {
            eprintln!("cannot seal the log of {:?}: {error:#}", self.of);
        }
        if let Err(error) = service.log_written(&self.of, self.lines).await {
            eprintln!("cannot announce the log of {:?}: {error:#}", self.of);
        }
    }
}

fn with_query(url: &str, query: &str) -> String {
    format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' })
}
