//! Secure defaults by profile, where the template says nothing.

use api::actions_gateway::SecurityProfile;
use api::names;
use handoff::worker::RUNNER_USER;
use k8s_openapi::api::core::v1::{Capabilities, Container, PodSpec, SeccompProfile};

/// For the containers of the template, and the runner.
pub(super) fn fill_gaps(spec: &mut PodSpec, profile: SecurityProfile) {
    if profile == SecurityProfile::Privileged {
        return;
    }
    let pod = spec.security_context.get_or_insert_default();
    pod.seccomp_profile.get_or_insert_with(runtime_default);
    if profile == SecurityProfile::Restricted {
        pod.run_as_non_root.get_or_insert(true);
        pod.run_as_user.get_or_insert(RUNNER_USER);
        spec.init_containers.iter_mut().flatten().chain(&mut spec.containers).for_each(restrict);
    }
}

/// The user that runs the job, as far as the pod says it; else the image does.
pub(super) fn runners_user(spec: &PodSpec) -> Option<i64> {
    let runner = spec.containers.iter().find(|it| it.name == names::RUNNER_CONTAINER);
    let own = runner.and_then(|it| it.security_context.as_ref()?.run_as_user);
    own.or_else(|| spec.security_context.as_ref()?.run_as_user)
}

fn restrict(container: &mut Container) {
    let context = container.security_context.get_or_insert_default();
    context.allow_privilege_escalation.get_or_insert(false);
    context
        .capabilities
        .get_or_insert_with(|| Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None });
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }
}
