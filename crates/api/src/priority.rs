//! Which PriorityClasses workers may have. Pure.

use std::collections::BTreeSet;

use crate::field_error::FieldError;
use crate::runner_group::RunnerGroupSpec;

/// The classes of Kubernetes' own pods begin so.
const OF_THE_CLUSTER: &str = "system-";

/// What the platform decides about PriorityClasses: those of workers and those of its own pods have none in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriorityClasses {
    /// Those that workers may have; empty for all that are nobody else's.
    pub allowed: BTreeSet<String>,
    /// Those of the platform's own pods.
    pub reserved: BTreeSet<String>,
}

impl PriorityClasses {
    /// Reads two lists, as [`Self::list`] writes them.
    pub fn parse(allowed: &str, reserved: &str) -> Self {
        Self { allowed: split(allowed), reserved: split(reserved) }
    }

    /// Names with commas between them.
    pub fn list(names: &BTreeSet<String>) -> String {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }

    /// What is wrong with the classes that a group asks for, with paths from its spec's root.
    pub fn problems(&self, spec: &RunnerGroupSpec) -> Vec<FieldError> {
        let tiers = spec.priority_tiers.iter().enumerate();
        let mut errors: Vec<FieldError> = tiers
            .filter_map(|(index, tier)| {
                let path = format!("priorityTiers[{index}].priorityClassName");
                self.refusal(path, &tier.priority_class_name)
            })
            .collect();
        let path = "podTemplate.spec.priorityClassName";
        let of_template =
            spec.pod_template.0.get("spec").and_then(|it| it.get("priorityClassName")?.as_str());
        if let Some(class) = of_template.filter(|it| !it.is_empty()) {
            errors.extend(self.refusal(path.to_owned(), class));
            if !spec.priority_tiers.is_empty() {
                errors.push(FieldError::new(path, "is chosen by priorityTiers", "remove one of the two"));
            }
        }
        errors
    }

    fn refusal(&self, path: String, class: &str) -> Option<FieldError> {
        let refuse = |rule: String| Some(FieldError::new(path, rule, self.remedy()));
        if class.starts_with(OF_THE_CLUSTER) {
            return refuse(format!("PriorityClass {class} is for the cluster's own pods"));
        }
        if self.reserved.contains(class) {
            return refuse(format!("PriorityClass {class} is for the platform's own pods"));
        }
        if !self.allowed.is_empty() && !self.allowed.contains(class) {
            return refuse(format!("PriorityClass {class} is not allowed for workers"));
        }
        None
    }

    fn remedy(&self) -> String {
        let ours = self
            .allowed
            .difference(&self.reserved)
            .filter(|it| !it.starts_with(OF_THE_CLUSTER))
            .cloned()
            .collect();
        match Self::list(&ours) {
            none if none.is_empty() => "choose another one".to_owned(),
            names => format!("choose one of {names}, or ask whoever runs the cluster to allow it"),
        }
    }
}

fn split(text: &str) -> BTreeSet<String> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
