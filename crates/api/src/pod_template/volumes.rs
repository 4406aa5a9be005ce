//! The gateway's own volumes, through which a job reaches its runner: no container of a template may read them.

use serde_json::Value;

use super::FieldError;
use crate::names;

/// The lists of containers of a pod.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// `spec` is the template's, as JSON.
pub(super) fn judge(spec: &Value, errors: &mut Vec<FieldError>) {
    for (path, volume) in items(spec, "spec", "volumes") {
        if name_of(volume).is_some_and(names::is_gateways) {
            let rule = "volume names of this prefix are the gateway's";
            errors.push(FieldError::new(format!("{path}.name"), rule, "choose another name"));
        }
    }
    for (path, container) in CONTAINERS.into_iter().flat_map(|list| items(spec, "spec", list)) {
        judge_container(&path, container, errors);
    }
}

fn judge_container(path: &str, container: &Value, errors: &mut Vec<FieldError>) {
    for list in ["volumeMounts", "volumeDevices"] {
        for (path, mount) in items(container, path, list) {
            refuse(&format!("{path}.name"), name_of(mount), "remove the mount", errors);
        }
    }
    for (path, variable) in items(container, path, "env") {
        // The kubelet reads the file for the container, which need not mount the volume.
        let volume = variable.pointer("/valueFrom/fileKeyRef/volumeName").and_then(Value::as_str);
        let path = format!("{path}.valueFrom.fileKeyRef.volumeName");
        refuse(&path, volume, "remove the variable", errors);
    }
}

fn refuse(path: &str, volume: Option<&str>, remedy: &str, errors: &mut Vec<FieldError>) {
    if let Some(volume) = volume.filter(|it| names::is_gateways(it)) {
        errors.push(FieldError::new(path, format!("{volume} is a volume of the gateway"), remedy));
    }
}

/// The items of an object's list, each with its path.
fn items<'a>(object: &'a Value, path: &str, list: &str) -> impl Iterator<Item = (String, &'a Value)> {
    let path = format!("{path}.{list}");
    let items = object.get(list).and_then(Value::as_array).into_iter().flatten();
    items.enumerate().map(move |(index, item)| (format!("{path}[{index}]"), item))
}

fn name_of(object: &Value) -> Option<&str> {
    object.get("name")?.as_str()
}
