//! Secure defaults by profile, where the template says nothing.

use api::actions_gateway::SecurityProfile;
use api::names;
use handoff::worker::RUNNER_USER;
use k8s_openapi::api::core::v1::{Capabilities, Container, PodSpec, SeccompProfile};

pub(super) fn fill_gaps(spec: &mut PodSpec, profile: SecurityProfile) {
    if profile == SecurityProfile::Privileged {
        return;
    }
    let pod = spec.security_context.get_or_insert_default();
    pod.seccomp_profile.get_or_insert_with(runtime_default);
    if profile == SecurityProfile::Restricted {
        pod.run_as_non_root.get_or_insert(true);
        pod.run_as_user.get_or_insert(RUNNER_USER);
        let own_init =
            spec.init_containers.iter_mut().flatten().filter(|it| it.name != names::INSTALL_CONTAINER);
        own_init.chain(&mut spec.containers).for_each(restrict);
    }
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
