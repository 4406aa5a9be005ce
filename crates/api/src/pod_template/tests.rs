use super::*;

mod everywhere;

fn rules(profile: SecurityProfile) -> Rules {
    Rules { profile, app_secret: "the-app".into(), ..Rules::default() }
}

fn parsed(yaml: &str) -> Result<PodTemplateSpec, Vec<FieldError>> {
    parse(&template(yaml), &rules(SecurityProfile::Restricted))
}

fn template(yaml: &str) -> PodTemplate {
    serde_yaml::from_str(yaml).unwrap()
}

#[track_caller]
fn refused(yaml: &str, paths: &[&str]) {
    let errors = parsed(yaml).expect_err("must be refused");
    assert_eq!(errors.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), paths);
}

#[test]
fn an_empty_template_is_taken() {
    assert_eq!(
        parse(&PodTemplate::default(), &rules(SecurityProfile::Restricted)).unwrap(),
        PodTemplateSpec::default()
    );
}

#[test]
fn an_ordinary_template_is_taken() {
    let written = template(
        "{metadata: {labels: {team: blue}}, spec: {nodeSelector: {disk: ssd}, terminationGracePeriodSeconds: 60,
          containers: [{name: runner, image: 'example.org/runner:1', resources: {requests: {cpu: 1, memory: 2Gi}, limits: {cpu: 1.5}}}]}}",
    );
    let parsed = parse(&written, &rules(SecurityProfile::Restricted)).unwrap();
    let runner = &parsed.spec.unwrap().containers[0];
    let requests = runner.resources.as_ref().unwrap().requests.as_ref().unwrap();
    assert_eq!(requests["cpu"].0, "1", "a number is a quantity too");
}

#[test]
fn unknown_fields_are_refused_with_their_path() {
    refused(
        "{spec: {containers: [{name: runner, imagee: x}], nodeSelecter: {a: b}}}",
        &["spec.containers[0].imagee", "spec.nodeSelecter"],
    );
    refused("{sepc: {}}", &["sepc"]);
}

#[test]
fn a_wrong_type_is_refused() {
    refused("{spec: {containers: runner}}", &[""]);
}

#[test]
fn an_explicit_null_is_as_if_absent() {
    parsed("{spec: {containers: [], nodeSelector: null}}").unwrap();
}

#[test]
fn reserved_fields_are_refused_with_their_path() {
    refused("{metadata: {name: x}}", &["metadata.name"]);
    refused(
        "{metadata: {labels: {actions-gateway.github.com/component: agc}}}",
        &["metadata.labels[actions-gateway.github.com/component]"],
    );
    for (field, value) in [
        ("serviceAccountName", "admin"),
        ("automountServiceAccountToken", "true"),
        ("hostNetwork", "true"),
        ("hostPID", "true"),
        ("hostIPC", "true"),
        ("shareProcessNamespace", "true"),
        ("ephemeralContainers", "[{name: debug}]"),
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", "10"),
        ("priority", "5"),
    ] {
        refused(&format!("{{spec: {{containers: [], {field}: {value}}}}}"), &[&format!("spec.{field}")]);
    }
    refused(
        "{spec: {containers: [], volumes: [{name: actions-gateway-run, emptyDir: {}}]}}",
        &["spec.volumes[0].name"],
    );
    refused("{spec: {containers: [{name: actions-gateway-install}]}}", &["spec.containers[0].name"]);
    refused(
        "{spec: {containers: [{name: runner, command: [sh], args: [x]}]}}",
        &["spec.containers[0].command", "spec.containers[0].args"],
    );
    refused(
        "{spec: {containers: [{name: side, env: [{name: A, value: b}, {name: Https_Proxy, value: c}]}]}}",
        &["spec.containers[0].env[1]"],
    );
}

#[test]
fn the_harmless_value_of_a_reserved_field_is_taken() {
    let harmless = template(
        "{spec: {containers: [], hostNetwork: false, automountServiceAccountToken: false, restartPolicy: Never}}",
    );
    parse(&harmless, &rules(SecurityProfile::Restricted)).unwrap();
}

#[test]
fn an_error_names_field_rule_and_remedy() {
    let errors = parsed("{spec: {containers: [], hostPID: true}}").unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "spec.hostPID: workers share no namespace with the node; remove it or set false"
    );
}

#[test]
fn a_way_out_of_the_container_needs_the_privileged_profile() {
    for (written, path) in [
        ("volumes: [{name: node, hostPath: {path: /}}]", "spec.volumes[0].hostPath"),
        (
            "containers: [{name: a, securityContext: {privileged: true}}]",
            "spec.containers[0].securityContext.privileged",
        ),
        (
            "initContainers: [{name: a, securityContext: {procMount: Unmasked}}]",
            "spec.initContainers[0].securityContext.procMount",
        ),
        (
            "containers: [{name: a, ports: [{containerPort: 80, hostPort: 80}]}]",
            "spec.containers[0].ports[0].hostPort",
        ),
        (
            "containers: [{name: a, securityContext: {capabilities: {add: [CHOWN, SYS_ADMIN]}}}]",
            "spec.containers[0].securityContext.capabilities.add[1]",
        ),
    ] {
        let containers = if written.starts_with("containers") { "" } else { ", containers: []" };
        let asks = template(&format!("{{spec: {{{written}{containers}}}}}"));
        for profile in [SecurityProfile::Restricted, SecurityProfile::Baseline] {
            let errors = parse(&asks, &rules(profile)).unwrap_err();
            let paths: Vec<_> = errors.iter().map(|it| it.path.as_str()).collect();
            assert_eq!(paths, [path], "{profile:?}");
        }
        parse(&asks, &rules(SecurityProfile::Privileged)).unwrap();
    }
}

#[test]
fn the_controllers_own_secrets_are_refused_wherever_a_template_may_name_one() {
    for name in ["blue-0123abcd-agent-0", "blue-0123456789-payload"] {
        refused(
            &format!(
                "{{spec: {{volumes: [{{name: a, secret: {{secretName: {name}}}}}, {{name: b, projected: {{sources: [{{secret: {{name: {name}}}}}]}}}}],
                   initContainers: [{{name: i, env: [{{name: E, valueFrom: {{secretKeyRef: {{name: {name}, key: k}}}}}}]}}],
                   containers: [{{name: runner, envFrom: [{{secretRef: {{name: {name}}}}}]}}]}}}}"
            ),
            &[
                "spec.volumes[0].secret.secretName",
                "spec.volumes[1].projected.sources[0].secret.name",
                "spec.initContainers[0].env[0].valueFrom.secretKeyRef.name",
                "spec.containers[0].envFrom[0].secretRef.name",
            ],
        );
    }
    let own = "{spec: {volumes: [{name: a, secret: {secretName: payload}}, {name: b, secret: {secretName: build-agent-1}}], containers: []}}";
    parsed(own).unwrap();
}

#[test]
fn a_mount_of_a_volume_of_the_gateway_is_refused_with_its_path() {
    let errors = parsed(
        "{spec: {containers: [{name: runner}, {name: side, volumeMounts: [{name: actions-gateway-payload, mountPath: /p}]}]}}",
    )
    .unwrap_err();
    let expected = "spec.containers[1].volumeMounts[0].name: actions-gateway-payload is a volume of the gateway; remove the mount";
    assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_shutdown_grace_may_stand_in_a_template_whatever_it_is() {
    let long = "{spec: {terminationGracePeriodSeconds: 30, containers: [{name: runner, env: [{name: WORKER_SHUTDOWN_GRACE, value: 10m}]}]}}";
    parsed(long).unwrap();
}
