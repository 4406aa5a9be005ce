//! What no template may refer to: the registrations of runners, with their private keys, and the payloads of jobs.
//!
//! A step that has its runner's key can speak to GitHub as that runner; one that has another job's payload has that job's
//! secrets. Secrets that a tenant made are the tenant's to mount.

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};

use super::{FieldError, all_containers};
use crate::names;

pub(super) fn judge(spec: &PodSpec, errors: &mut Vec<FieldError>) {
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        judge_volume(&format!("spec.volumes[{index}]"), volume, errors);
    }
    for (path, container) in all_containers(spec) {
        judge_container(&path, container, errors);
    }
}

fn judge_volume(path: &str, volume: &Volume, errors: &mut Vec<FieldError>) {
    if let Some(name) = volume.secret.as_ref().and_then(|it| it.secret_name.as_deref()) {
        refuse(name, errors, || format!("{path}.secret.secretName"));
    }
    let projected = volume.projected.iter().flat_map(|it| it.sources.iter().flatten());
    for (index, source) in projected.enumerate() {
        if let Some(secret) = &source.secret {
            refuse(&secret.name, errors, || format!("{path}.projected.sources[{index}].secret.name"));
        }
    }
}

fn judge_container(path: &str, container: &Container, errors: &mut Vec<FieldError>) {
    for (index, variable) in container.env.iter().flatten().enumerate() {
        if let Some(key) = variable.value_from.as_ref().and_then(|it| it.secret_key_ref.as_ref()) {
            refuse(&key.name, errors, || format!("{path}.env[{index}].valueFrom.secretKeyRef.name"));
        }
    }
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        if let Some(secret) = &source.secret_ref {
            refuse(&secret.name, errors, || format!("{path}.envFrom[{index}].secretRef.name"));
        }
    }
}

fn refuse(name: &str, errors: &mut Vec<FieldError>, path: impl FnOnce() -> String) {
    if names::is_controllers_secret(name) {
        let rule = "Secrets named like this hold the credentials of runners and the payloads of jobs, which no worker may \
                    read";
        let remedy = "refer to a Secret of your own, under another name";
        errors.push(FieldError::new(path(), rule, remedy));
    }
}
