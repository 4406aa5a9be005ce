//! Two queues between the job and the results service, emptied at the official worker's pace (protocol §6.9): files in
//! their order, and steps as they last stood.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::diagnostics::Diagnostics;
use crate::log::Block;
use crate::results::{Results, StepUpdate};

/// When the first update leaves, and how often there may be another.
const FIRST_UPDATE: Duration = Duration::from_secs(1);
const UPDATES: Duration = Duration::from_millis(500);

/// Files are looked for after the first update, and then once a second, a few at a time.
const FIRST_FILES: Duration = Duration::from_millis(1100);
const FILES: Duration = Duration::from_secs(1);
const FILES_AT_ONCE: usize = 11;

/// One file.
#[derive(Debug)]
pub enum Upload {
    /// A block of a log.
    Block(Block),
    /// A step's summary.
    Summary { step: String, content: Vec<u8> },
    /// The worker's own log.
    Diagnostics(Vec<u8>),
}

/// The job's end of the queues.
pub struct Uploads {
    way: Way,
    files: mpsc::UnboundedSender<Upload>,
    updates: Updates,
    ending: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

/// Where both go, and who hears of what is lost.
#[derive(Clone)]
struct Way {
    results: Option<Arc<Results>>,
    diagnostics: Diagnostics,
}

/// Steps that have changed since they were last told, each as it stands.
#[derive(Clone, Default)]
struct Updates(Arc<Mutex<Vec<StepUpdate>>>);

impl Uploads {
    /// Starts both. Without a results service they only swallow.
    pub fn start(results: Option<Arc<Results>>, diagnostics: Diagnostics) -> Uploads {
        let way = Way { results, diagnostics };
        let (files, inbox) = mpsc::unbounded_channel(); // files wait on the disk
        let (ending, over) = watch::channel(false);
        let updates = Updates::default();
        let tasks = [
            tokio::spawn(send_updates(way.clone(), updates.clone(), over.clone())),
            tokio::spawn(send_files(way.clone(), inbox, over)),
        ];
        Uploads { way, files, updates, ending, tasks }
    }

    /// A file is to be uploaded.
    pub fn file(&self, upload: Upload) {
        let _ = self.files.send(upload); // the task ends after us
    }

    /// A step has changed.
    pub fn step(&self, update: StepUpdate) {
        self.updates.put(update);
    }

    /// Empties the queues: files first, then the steps.
    pub async fn finish(self) {
        let Uploads { way, files, updates, ending, tasks } = self;
        ending.send_replace(true);
        drop(files);
        for task in tasks {
            let _ = task.await; // a task that panicked has said so
        }
        way.tell(&updates).await;
    }
}

impl Updates {
    fn put(&self, update: StepUpdate) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.iter_mut().find(|it| it.external_id == update.external_id) {
            Some(known) => *known = update,
            None => waiting.push(update),
        }
    }

    fn take(&self) -> Vec<StepUpdate> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn send_updates(way: Way, updates: Updates, mut over: watch::Receiver<bool>) {
    let mut pause = FIRST_UPDATE;
    while !ends_within(&mut over, pause).await {
        way.tell(&updates).await;
        pause = UPDATES;
    }
}

async fn send_files(way: Way, mut inbox: mpsc::UnboundedReceiver<Upload>, mut over: watch::Receiver<bool>) {
    let mut pause = FIRST_FILES;
    while !ends_within(&mut over, pause).await {
        for _ in 0..FILES_AT_ONCE {
            let Ok(next) = inbox.try_recv() else { break };
            way.send(next).await;
        }
        pause = FILES;
    }
    while let Some(next) = inbox.recv().await {
        way.send(next).await;
    }
}

/// Whether the job ends before the pause does.
async fn ends_within(over: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::select! {
        _ = over.wait_for(|it| *it) => true, // an error too: nobody is left
        () = sleep(pause) => false,
    }
}

impl Way {
    /// Tells which steps have changed. What cannot be told is lost, as with the official worker.
    async fn tell(&self, updates: &Updates) {
        let steps = updates.take();
        let Some(results) = self.results.as_ref().filter(|_| !steps.is_empty()) else { return };
        if let Err(error) = results.update_steps(&steps).await {
            self.complain(format!("cannot tell how the steps stand: {error:#}"));
        }
    }

    /// Sends one file. What cannot be sent is lost, and said so; the job goes on.
    async fn send(&self, upload: Upload) {
        let name = upload.name();
        if let Err(error) = self.try_send(upload).await {
            self.complain(format!("cannot upload {name}: {error:#}"));
        }
    }

    async fn try_send(&self, upload: Upload) -> anyhow::Result<()> {
        let upload = upload.opened()?;
        let Some(results) = &self.results else { return Ok(()) };
        match upload {
            Opened::Block(block, content) => {
                results.write_log(&block.of, content, block.first, block.last, block.lines).await
            }
            Opened::Summary(step, content) => results.write_summary(&step, content).await,
            Opened::Diagnostics(content) => results.write_diagnostics(content).await,
        }
    }

    fn complain(&self, text: String) {
        self.diagnostics.info("JobServerQueue", text);
    }
}

enum Opened {
    Block(Block, Vec<u8>),
    Summary(String, Vec<u8>),
    Diagnostics(Vec<u8>),
}

fn take_file(file: &Path) -> anyhow::Result<Vec<u8>> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    Ok(content)
}

impl Upload {
    /// With its content, whose file is gone.
    fn opened(self) -> anyhow::Result<Opened> {
        Ok(match self {
            Upload::Block(block) => {
                let content = take_file(&block.file)?;
                Opened::Block(block, content)
            }
            Upload::Summary { step, content } => Opened::Summary(step, content),
            Upload::Diagnostics(content) => Opened::Diagnostics(content),
        })
    }

    fn name(&self) -> String {
        match self {
            Upload::Block(block) => format!("a block of the log of {:?}", block.of),
            Upload::Summary { step, .. } => format!("the summary of step {step}"),
            Upload::Diagnostics(_) => "the diagnostic log".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
