//! How the rest of the program speaks to a pool.

use api::runner_job::AgentRef;
use job::listeners::Intake;
use tokio::sync::{mpsc, oneshot};

use super::registrar::SharedGroup;

/// What a pool is told.
#[derive(Debug)]
pub enum Message {
    /// The group's spec changed, or its controller made a pass: parked agents are tried again.
    Configure(SharedGroup),
    /// There are credentials again: what failed without them is tried at once.
    CredentialsBack,
    /// A job of this agent is claimed.
    Claimed(AgentRef),
    /// The job that was offered to this agent is not claimed.
    Released(AgentRef),
    /// The job of this agent is over: its seat is for another one. Answered when that is done, or put off.
    Replace(AgentRef, oneshot::Sender<()>),
    /// Whether the group takes jobs has changed.
    Intake(Intake),
    /// Stop listening for good, then answer.
    Drain(oneshot::Sender<()>),
    /// The runner version that the group reports has changed.
    VersionChanged,
}

/// Tells a pool what happens. Cheap to clone; the pool ends when the last clone is gone.
///
/// What is told is never lost and nobody waits to tell it: whoever decides about jobs must not wait for a pool, and an
/// agent that is not heard to be claimed or released would be lost to its group. So the queue has no bound of its own. Its
/// length has one: each job is told of three times at most (claimed or released, then replaced), the group's intake when it
/// changes, and the rest once in a pass of the group's controller.
#[derive(Debug, Clone)]
pub struct PoolHandle(mpsc::UnboundedSender<Message>);

impl PoolHandle {
    /// A handle, and where its messages come out.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Message>) {
        let (sender, messages) = mpsc::unbounded_channel();
        (Self(sender), messages)
    }

    /// Tells the pool. One that has ended need not know.
    pub fn tell(&self, message: Message) {
        let _ = self.0.send(message);
    }

    /// Ends the pool. Waits until its sessions have ended.
    pub async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        self.tell(Message::Drain(done));
        let _ = drained.await;
    }

    /// Whether both are of one pool.
    #[must_use]
    pub fn is_of_same_pool(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }
}
