//! What the gateway's status says of a pass. Pure: one function of what stood there, what came of the pass, and time.

use std::time::Duration;

use api::conditions::{Reason, Status, Type, condition, find, settle};
use api::{ActionsGateway, ActionsGatewayStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use operator::describe;

use crate::gateway::availability::unavailable;
use crate::gateway::build::{InCluster, Resources};
use crate::gateway::dereference::{Group, References};
use crate::gateway::error::Error;
use crate::gateway::teardown::Step;
use crate::gateway::{Attempt, away};

/// Conditions of a RunnerGroup that impair it when they hold, the worst first.
const IMPAIRING: [Type; 3] = [Type::RunnerVersionTooOld, Type::Degraded, Type::WorkersUnschedulable];

/// Why a RunnerGroup that nobody listens for is impaired; any other reason passes by itself.
const DEAF: [Reason; 4] =
    [Reason::LabelsRefused, Reason::RunnerGroupNotFound, Reason::TokenUnavailable, Reason::PodRefused];

/// Looks at a controller that is not available: for who watches it start, and for a thousand that will not.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// A message is for people: the first of very many problems will do. The API's own bound is 32 KiB.
const MESSAGE_CHARS: usize = 2000;

/// What came of a pass.
pub enum Outcome {
    /// The cluster was to be made as the gateway asks.
    Attempted(Box<Attempt>),
    /// The gateway is being taken down: the step it is at, or why that failed.
    Ending(Result<Step, Error>),
}

impl Outcome {
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Attempted(attempt) => attempt.result.as_ref().err(),
            Self::Ending(step) => step.as_ref().err(),
        }
    }

    fn applied(&self) -> Option<&Resources<InCluster>> {
        match self {
            Self::Attempted(attempt) => attempt.result.as_ref().ok(),
            Self::Ending(_) => None,
        }
    }

    fn references(&self) -> Option<&References> {
        match self {
            Self::Attempted(attempt) => attempt.references.as_ref(),
            Self::Ending(_) => None,
        }
    }
}

/// The conditions that are ours. The AGC's `CredentialUnavailable` is read here and never written: it has another
/// field manager.
pub fn status(cr: &ActionsGateway, outcome: &Outcome, now: Timestamp) -> ActionsGatewayStatus {
    let judge =
        Judge { cr, now, old: cr.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default() };
    let degraded = judge.degraded(outcome);
    let available = judge.agc_available(outcome);
    let groups = judge.runner_groups_degraded(outcome);
    let ready = judge.ready(outcome, &degraded, available.as_ref(), groups.as_ref());
    let conditions = [Some(ready), available, Some(degraded), groups];
    ActionsGatewayStatus {
        conditions: conditions.into_iter().flatten().map(|it| settle(judge.old, it, now)).collect(),
        observed_generation: cr.metadata.generation,
    }
}

struct Judge<'a> {
    cr: &'a ActionsGateway,
    now: Timestamp,
    old: &'a [Condition],
}

impl Judge<'_> {
    fn condition(
        &self,
        type_: Type,
        holds: bool,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Condition {
        condition(type_, holds, reason, clip(message.into()), self.cr.metadata.generation)
    }

    fn degraded(&self, outcome: &Outcome) -> Condition {
        match outcome.error() {
            Some(error) => self.condition(Type::Degraded, true, error.reason(), describe(error).to_string()),
            None => self.condition(Type::Degraded, false, Reason::ReconcileSucceeded, "reconcile succeeded"),
        }
    }

    /// Without a look at the Deployment the old answer stands, with the generation that it was given for.
    fn agc_available(&self, outcome: &Outcome) -> Option<Condition> {
        let Some(references) = outcome.references() else {
            return find(self.old, Type::AGCAvailable).cloned();
        };
        let wanted = outcome.applied().and_then(|it| it.deployment.meta.generation);
        let pods = &references.controller_pods;
        Some(match unavailable(references.own_controller(), pods, wanted) {
            None => self.condition(Type::AGCAvailable, true, Reason::AGCReady, "the controller runs"),
            Some(why) => self.condition(Type::AGCAvailable, false, Reason::AGCNotReady, why),
        })
    }

    fn runner_groups_degraded(&self, outcome: &Outcome) -> Option<Condition> {
        let Some(references) = outcome.references() else {
            return find(self.old, Type::RunnerGroupsDegraded).cloned();
        };
        let groups = &references.runner_groups;
        let impaired: Vec<(&Group, String)> =
            groups.iter().filter_map(|it| Some((it, impairment(it)?))).collect();
        Some(match impaired.first() {
            None => {
                let message = format!("{} RunnerGroups, none impaired", groups.len());
                self.condition(Type::RunnerGroupsDegraded, false, Reason::AllRunnerGroupsHealthy, message)
            }
            Some((group, why)) => {
                let name = group.meta.name.as_deref().unwrap_or_default();
                let message =
                    format!("{} of {} RunnerGroups impaired; {name}: {why}", impaired.len(), groups.len());
                self.condition(Type::RunnerGroupsDegraded, true, Reason::RunnerGroupsImpaired, message)
            }
        })
    }

    fn away(&self, since: Timestamp, available: Option<&Condition>) -> Condition {
        let why = available.filter(|it| it.status != "True").map(|it| format!("; {}", it.message));
        let message = clip(format!("{}{}", away::words(since), why.unwrap_or_default()));
        condition(Type::Ready, Status::Unknown, Reason::ControllerAway, message, self.cr.metadata.generation)
    }

    /// The first thing that is not well gives reason and message; causes stand before their effects.
    fn ready(
        &self,
        outcome: &Outcome,
        degraded: &Condition,
        available: Option<&Condition>,
        groups: Option<&Condition>,
    ) -> Condition {
        if let Outcome::Ending(Ok(step)) = outcome {
            return self.condition(Type::Ready, false, Reason::Terminating, step.to_string());
        }
        let not = |why: &Condition| self.condition(Type::Ready, false, why.reason.clone(), &why.message);
        if degraded.status == "True" {
            return not(degraded);
        }
        // What the controller says of the credentials is old then, too.
        if let Some(since) = outcome.references().and_then(|it| it.away_since(self.now)) {
            return self.away(since, available);
        }
        let credential = find(self.old, Type::CredentialUnavailable);
        if let Some(refused) = credential.filter(|it| it.status != "False") {
            return not(refused);
        }
        match available {
            None => {
                return self.condition(
                    Type::Ready,
                    false,
                    Reason::AGCNotReady,
                    "the controller's Deployment has not been read yet",
                );
            }
            Some(unavailable) if unavailable.status != "True" => return not(unavailable),
            Some(_) => {}
        }
        if credential.is_none() {
            let message = "the controller has not said yet whether the App's credentials work";
            return self.condition(Type::Ready, false, Reason::AGCNotReady, message);
        }
        match groups.filter(|it| it.status == "True") {
            Some(impaired) => not(impaired),
            None => self.condition(
                Type::Ready,
                true,
                Reason::AllAvailable,
                "the controller runs, its credentials work, no RunnerGroup is impaired",
            ),
        }
    }
}

/// The worst thing that impairs the group.
fn impairment(group: &Group) -> Option<String> {
    let conditions = match &group.conditions {
        Ok(conditions) => conditions,
        Err(unreadable) => return Some(format!("cannot be read: {unreadable}")),
    };
    worst(conditions).map(|it| format!("{} ({}): {}", it.type_, it.reason, it.message))
}

/// The worst of a RunnerGroup's conditions that impair it. A version that will be refused some day still works.
pub fn worst(conditions: &[Condition]) -> Option<&Condition> {
    let is_ill = |it: &&Condition| it.status == "True" && it.reason != Reason::VersionEnding.as_str();
    let holds = |type_| find(conditions, type_).filter(is_ill);
    let is_deaf = |it: &&Condition| it.status != "True" && DEAF.iter().any(|word| it.reason == word.as_str());
    let deaf = || find(conditions, Type::Ready).filter(is_deaf);
    IMPAIRING.into_iter().find_map(holds).or_else(deaf)
}

fn clip(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS) {
        None => message,
        Some((end, _)) => format!("{}…", &message[..end]),
    }
}

/// When to look again at what nothing tells of, if there is such a thing: a pod that cannot start says so without a change
/// of its Deployment. The longer it has been so, the less often.
pub fn look_again(status: &ActionsGatewayStatus, now: Timestamp) -> Option<Duration> {
    let Some(ill) = find(&status.conditions, Type::AGCAvailable).filter(|it| it.status != "True") else {
        // It runs, and is about to take the Lease.
        let is_away = find(&status.conditions, Type::Ready).is_some_and(|it| it.status == "Unknown");
        return is_away.then_some(LOOK_AGAIN.0);
    };
    let age = Duration::try_from(now.duration_since(ill.last_transition_time.0)).unwrap_or_default();
    Some((age / 2).clamp(LOOK_AGAIN.0, LOOK_AGAIN.1))
}

/// Whether the answer that users wait for is another than before, and so worth an Event.
pub fn ready_changed(cr: &ActionsGateway, new: &ActionsGatewayStatus) -> Option<Condition> {
    let old = cr.status.as_ref().and_then(|it| find(&it.conditions, Type::Ready));
    let new = find(&new.conditions, Type::Ready)?;
    let same = old.is_some_and(|it| it.status == new.status && it.reason == new.reason);
    // A gateway on its way up says so once it has arrived, or once it is known why it does not.
    let starting = old.is_none() && new.reason == Reason::AGCNotReady.as_str();
    (!same && !starting).then(|| new.clone())
}

#[cfg(test)]
mod tests;
