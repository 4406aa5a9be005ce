//! What only a privileged gateway may ask for: ways out of the container, by the baseline level of the Pod Security
//! Standards (Kubernetes docs, "Pod Security Standards"). Host namespaces are refused to all.

use k8s_openapi::api::core::v1::{Container, PodSpec, SecurityContext};

use super::{FieldError, all_containers};

/// Capabilities that the baseline level lets a container add.
const HARMLESS: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

pub(super) fn judge(spec: &PodSpec, errors: &mut Vec<FieldError>) {
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        if volume.host_path.is_some() {
            refuse(errors, format!("spec.volumes[{index}].hostPath"));
        }
    }
    for (path, container) in all_containers(spec) {
        judge_container(&path, container, errors);
    }
}

fn judge_container(path: &str, container: &Container, errors: &mut Vec<FieldError>) {
    for (index, port) in container.ports.iter().flatten().enumerate() {
        if port.host_port.is_some_and(|it| it != 0) {
            refuse(errors, format!("{path}.ports[{index}].hostPort"));
        }
    }
    let Some(context) = &container.security_context else { return };
    let path = format!("{path}.securityContext");
    if context.privileged == Some(true) {
        refuse(errors, format!("{path}.privileged"));
    }
    if context.proc_mount.as_deref().is_some_and(|it| it != "Default") {
        refuse(errors, format!("{path}.procMount"));
    }
    for (index, _) in added(context).enumerate().filter(|(_, it)| !HARMLESS.contains(it)) {
        refuse(errors, format!("{path}.capabilities.add[{index}]"));
    }
}

fn added(context: &SecurityContext) -> impl Iterator<Item = &str> {
    context.capabilities.iter().flat_map(|it| it.add.iter().flatten()).map(String::as_str)
}

fn refuse(errors: &mut Vec<FieldError>, path: String) {
    errors.push(FieldError::new(path, "needs securityProfile privileged", "remove it or change the profile"));
}
