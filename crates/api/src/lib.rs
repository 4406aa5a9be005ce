//! The Kubernetes API of Actions Gateway: `actions-gateway.github.com/v1alpha1`.
//!
//! Three kinds, one file each: [`ActionsGateway`] is what a team asks for, [`RunnerGroup`] one set of
//! runners with the same labels, [`RunnerJob`] the durable memory of one claimed job. Beside them stand
//! the words that more than one program uses: labels and annotations, fixed object names, types and
//! reasons of conditions, reasons of Events, why jobs fail and why worker pods are ended. No code here reaches a cluster,
//! a clock or an environment.

// The facade `kube` brings its client along as soon as one crate of the workspace asks for that. Its derives only write
// these three paths of it, so here the name stands for them alone.
extern crate self as kube;
use kube_core as core;
use kube_derive::{CustomResource, KubeSchema};

pub mod actions_gateway;
pub mod conditions;
pub mod duration;
pub mod events;
pub mod failure;
pub mod field_error;
mod kind;
pub mod labels;
pub mod names;
pub mod pod_template;
pub mod priority;
pub mod problems;
pub mod runner_group;
pub mod runner_job;
pub mod stop;

pub use actions_gateway::{ActionsGateway, ActionsGatewaySpec, ActionsGatewayStatus};
pub use duration::GoDuration;
pub use failure::{FailureClass, FailureReason};
pub use field_error::FieldError;
pub use kind::Kind;
pub use runner_group::{RunnerGroup, RunnerGroupSpec, RunnerGroupStatus};
pub use runner_job::{RunnerJob, RunnerJobSpec, RunnerJobStatus};
pub use stop::StopReason;

#[cfg(test)]
mod tests;
