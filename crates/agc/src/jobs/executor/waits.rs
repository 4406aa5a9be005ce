//! The status of a job that has no pod yet. It is written beside the POST that the job waits for: an API server may take
//! long to answer one request and answer another at once.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use job::Waiting;
use operator::describe;
use runtime::backoff::Backoff;
use tokio::sync::watch;

use super::runner_job::Written;
use super::{Shared, writes};
use crate::jobs::snapshot::JobSnapshot;
use crate::report::job_line;

/// Pauses between tries. Nothing waits for this write, and it goes over nothing that comes later.
const AGAIN: Backoff =
    Backoff::Doubling { first: Duration::from_millis(500), longest: Duration::from_secs(30) };

/// What a job waits for, as its machine says, and what of it is written.
pub(super) struct Waits {
    asked: watch::Receiver<Option<JobSnapshot>>,
    written: Option<Waiting>,
}

impl Waits {
    /// Nothing is written yet.
    pub(super) fn new(asked: watch::Receiver<Option<JobSnapshot>>) -> Self {
        Self { asked, written: None }
    }

    /// Awaits `work`, and meanwhile writes what the job waits for.
    pub(super) async fn beside<T>(
        &mut self,
        shared: &Shared,
        record: &mut Written,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.write(shared, record) => match never {},
        }
    }

    /// What was asked for is not written any more: another status says more.
    pub(super) fn forget(&mut self) {
        self.written = self.asked.borrow().as_ref().and_then(|it| it.waiting);
    }

    /// May be dropped at any point: what was not done then is done the next time.
    async fn write(&mut self, shared: &Shared, record: &mut Written) -> Infallible {
        let mut failures = shared.github.clock.failures(AGAIN);
        loop {
            let asked = self.asked.borrow_and_update().clone();
            let Some(snapshot) = asked.filter(|it| it.waiting != self.written) else {
                if self.asked.changed().await.is_err() {
                    pending::<Infallible>().await; // nobody asks any more
                }
                continue;
            };
            // On the heap while it lasts: this stands in the task of every job, and few need it.
            match Box::pin(writes::status(shared, record, &snapshot)).await {
                Ok(()) => self.written = snapshot.waiting,
                Err(error) => {
                    job_line!(warn, snapshot.line(), error = %describe(&error), "failed to write what the job waits for: trying again");
                    tokio::time::sleep(failures.fail()).await;
                }
            }
        }
    }
}
