use handoff::worker::INSTALL_PRIVATE;

use super::*;

fn platform(profile: SecurityProfile) -> Platform {
    Platform {
        namespace: "team-a".into(),
        gateway: "team-a".into(),
        worker_image: "runner:default".into(),
        wrapper_image: "wrapper:1".into(),
        service_account: names::WORKER.into(),
        profile,
        app_secret: "github-app".into(),
        priority_classes: Default::default(),
        proxy: BTreeMap::new(),
        proxy_ca: None,
        github_ca: None,
    }
}

fn template(yaml: &str) -> Template {
    let rules = platform(SecurityProfile::Privileged).rules();
    let pod = api::pod_template::parse(&serde_yaml::from_str(yaml).unwrap(), &rules).unwrap();
    Template { group: "blue".into(), pod, worker_image: None, lifetime_seconds: Some(43_200) }
}

fn run() -> RunInfo {
    RunInfo {
        repository: "synthetic-org/demo-repo".into(),
        workflow: "ci".into(),
        job_name: "build (linux)".into(),
        run_id: "7700000001".into(),
        run_attempt: 1,
        trace_id: "0123456789abcdef0123456789abcdef".into(),
        ..RunInfo::default()
    }
}

fn owner() -> OwnerReference {
    OwnerReference {
        api_version: "actions-gateway.github.com/v1alpha1".into(),
        kind: "RunnerJob".into(),
        name: "blue-0123456789".into(),
        uid: "uid-of-the-runner-job".into(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn built(platform: &Platform, template: &Template, priority_class: Option<&str>) -> Pod {
    let run = run();
    let work = Work {
        name: "blue-0123456789ab",
        owner: owner(),
        payload_secret: "blue-0123456789-payload",
        run: &run,
        priority_class,
    };
    build(platform, template, &work)
}

#[test]
fn an_empty_template_makes_a_restricted_worker() {
    insta::assert_yaml_snapshot!(built(&platform(SecurityProfile::Restricted), &template("{}"), None));
}

#[test]
fn a_baseline_worker_keeps_what_its_template_says_and_goes_out_by_the_proxy() {
    let through_proxy = Platform {
        proxy: [
            ("HTTPS_PROXY", "https://actions-gateway-proxy:8080"),
            ("https_proxy", "https://actions-gateway-proxy:8080"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        proxy_ca: Some("actions-gateway-trust".into()),
        github_ca: Some("ghes-ca".into()),
        ..platform(SecurityProfile::Baseline)
    };
    let template = Template {
        worker_image: Some("runner:of-the-group".into()),
        ..template(
            "
            metadata: { labels: { team: blue }, annotations: { note: kept } }
            spec:
              activeDeadlineSeconds: 600
              terminationGracePeriodSeconds: 90
              nodeSelector: { disk: ssd }
              initContainers: [{ name: warm-up, image: busybox }]
              containers:
              - { name: sidecar, image: redis }
              - { name: runner, env: [{ name: GREETING, value: hello }], resources: { requests: { cpu: 2 } } }
              volumes: [{ name: cache, emptyDir: {} }]
            ",
        )
    };
    insta::assert_yaml_snapshot!(built(&through_proxy, &template, Some("high")));
}

#[test]
fn what_the_gateway_sets_on_a_worker_no_template_may_set() {
    let proxy = ["http://proxy:8080", "https://proxy:8080", "localhost"].map(|it| Some(it.to_owned()));
    let [http, https, none] = proxy;
    let everything = Platform {
        proxy: handoff::proxy::ClientEnv { http, https, none, ca_file: None }.to_env(),
        proxy_ca: Some(names::TRUST.into()),
        github_ca: Some("ghes-ca".into()),
        ..platform(SecurityProfile::Baseline)
    };
    let spec = built(&everything, &template("{}"), None).spec.unwrap();
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let variables: Vec<&str> =
        containers.flat_map(|it| it.env.iter().flatten()).map(|it| it.name.as_str()).collect();
    assert_eq!(variables.len(), 13, "{variables:?}");
    for name in variables.iter().filter(|it| **it != "ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT") {
        let yaml = format!("{{ spec: {{ containers: [{{ name: runner, env: [{{ name: {name} }}] }}] }} }}");
        let template = serde_yaml::from_str(&yaml).unwrap();
        let refused = api::pod_template::parse(&template, &everything.rules()).unwrap_err();
        assert_eq!(refused[0].path, "spec.containers[0].env[0]", "{name}");
    }
}

#[test]
fn a_privileged_worker_gets_no_security_defaults_but_the_fence_stays() {
    let template =
        template("{ spec: { containers: [{ name: runner, securityContext: { privileged: true } }] } }");
    insta::assert_yaml_snapshot!(built(&platform(SecurityProfile::Privileged), &template, None));
}

#[test]
fn the_runners_diagnostics_stay_out_of_the_log_unless_the_template_wants_them() {
    let value = |yaml: &str| {
        let pod = built(&platform(SecurityProfile::Baseline), &template(yaml), None);
        let runner = pod.spec.unwrap().containers.remove(0);
        let mut found = runner
            .env
            .unwrap_or_default()
            .into_iter()
            .filter(|it| it.name == "ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT");
        (found.next().and_then(|it| it.value), found.count())
    };
    assert_eq!(value("{}"), (Some("0".into()), 0));
    let wanted = "{ spec: { containers: [{ name: runner, env: [{ name: ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT, value: '1' }] }] } }";
    assert_eq!(value(wanted), (Some("1".into()), 0));
}

#[test]
fn no_template_opens_the_fence() {
    let mut hostile = template("{}");
    hostile.pod.spec = Some(PodSpec {
        service_account_name: Some("admin".into()),
        service_account: Some("admin".into()),
        automount_service_account_token: Some(true),
        host_network: Some(true),
        host_pid: Some(true),
        host_ipc: Some(true),
        restart_policy: Some("Always".into()),
        termination_grace_period_seconds: Some(1),
        priority: Some(2_000_000_000),
        ..PodSpec::default()
    });
    let pod = built(&platform(SecurityProfile::Privileged), &hostile, None);
    let fence = built(&platform(SecurityProfile::Privileged), &template("{}"), None);
    assert_eq!(pod, fence, "whatever it says about reserved fields, the pod is the same");
}

#[test]
fn only_the_install_container_sees_the_payload_secret() {
    let pod = built(
        &platform(SecurityProfile::Baseline),
        &template("{ spec: { initContainers: [{ name: other, image: x }] } }"),
        None,
    );
    let spec = pod.spec.unwrap();
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mounting: Vec<&str> = all
        .filter(|it| it.volume_mounts.iter().flatten().any(|mount| mount.name == names::PAYLOAD_VOLUME))
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(mounting, [names::INSTALL_CONTAINER]);
}

#[test]
fn the_user_of_the_job_installs_its_claim_and_nobody_else_may_read_it_where_the_pod_says_who_it_is() {
    let installed = |profile, yaml: &str| {
        let spec = built(&platform(profile), &template(yaml), None).spec.unwrap();
        let install = spec.init_containers.unwrap_or_default().pop().unwrap();
        let private = install.args.unwrap_or_default().iter().any(|it| it == INSTALL_PRIVATE);
        let context = install.security_context.unwrap();
        (context.run_as_user.unwrap(), context.run_as_non_root.unwrap(), private)
    };
    let of_pod = "{ spec: { securityContext: { runAsUser: 5 }, containers: [{ name: other, securityContext: { runAsUser: 6 } }] } }";
    let of_runner = "{ spec: { securityContext: { runAsUser: 5 }, containers: [{ name: runner, securityContext: { runAsUser: 7 } }] } }";
    let root = "{ spec: { containers: [{ name: runner, securityContext: { runAsUser: 0 } }] } }";
    use SecurityProfile::{Baseline, Privileged, Restricted};
    assert_eq!(installed(Restricted, "{}"), (1001, true, true));
    assert_eq!(installed(Restricted, of_runner), (7, true, true));
    assert_eq!(installed(Baseline, of_pod), (5, true, true));
    assert_eq!(installed(Privileged, root), (0, false, true));
    assert_eq!(installed(Baseline, "{}"), (65532, true, false), "only the image knows its user");
}

#[test]
fn the_payload_is_installed_when_the_templates_init_containers_are_done() {
    let template =
        template("{ spec: { initContainers: [{ name: one, image: x }, { name: two, image: x }] } }");
    let pod = built(&platform(SecurityProfile::Baseline), &template, None);
    let inits = pod.spec.unwrap().init_containers.unwrap_or_default();
    assert_eq!(
        inits.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
        ["one", "two", names::INSTALL_CONTAINER]
    );
}
