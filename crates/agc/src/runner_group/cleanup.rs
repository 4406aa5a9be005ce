//! The agents of a group that is going: off GitHub, out of the namespace.

use std::fmt;

use github_proto::RunnerId;
use operator::describe;

use crate::agents::Registrar;
use crate::agents::registrar::{RegisterError, Stored};
use crate::runner_group::group::GroupId;

/// Places are numbered without gaps, but a person may have deleted a Secret.
const GAP: u32 = 3;

/// A runner that stays registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    name: String,
    runner_id: RunnerId,
    why: String,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.runner_id, self.why)
    }
}

/// Deregisters every agent of the group and forgets it; says which runners GitHub keeps.
///
/// # Errors
/// A Secret was not read: what is in it is not known, so the group may not go yet. What was done bears repeating.
pub async fn remove_agents(registrar: &Registrar, group: &GroupId) -> Result<Vec<Leftover>, RegisterError> {
    let mut leftovers = Vec::new();
    let mut missing = 0;
    let mut index = 0;
    while missing < GAP {
        match registrar.load(group, index).await {
            Ok(Stored::Agent(agent)) => {
                missing = 0;
                let why = match registrar.deregister(agent.runner_id).await {
                    Ok(true) => None,
                    Ok(false) => Some("it runs a job".to_owned()),
                    Err(error) => Some(describe(&error).to_string()),
                };
                leftovers.extend(why.map(|why| Leftover {
                    name: agent.name,
                    runner_id: agent.runner_id,
                    why,
                }));
                forget(registrar, group, index).await;
            }
            Ok(Stored::Consumed { .. }) => {
                missing = 0;
                forget(registrar, group, index).await;
            }
            // A Secret of somebody else's is none of ours.
            Ok(Stored::Nothing) | Err(RegisterError::NameConflict { .. }) => missing += 1,
            Err(error) => return Err(error),
        }
        index += 1;
    }
    Ok(leftovers)
}

async fn forget(registrar: &Registrar, group: &GroupId, index: u32) {
    if let Err(error) = registrar.forget(group, index).await {
        // Its owner is going: the garbage collector takes it.
        tracing::debug!(index, error = %describe(&error), "failed to delete the agent's Secret");
    }
}
