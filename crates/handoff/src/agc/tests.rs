use super::*;

fn full() -> AgcEnv {
    AgcEnv {
        pod_name: "actions-gateway-controller-0".into(),
        pod_namespace: "team-a".into(),
        pod_uid: "0b5e7c1e-0000-4000-8000-00000000fa4e".into(),
        gateway_name: "team-a".into(),
        github_url: "https://github.example/acme".into(),
        credentials_dir: CREDENTIALS_DIR.into(),
        app_secret: "github-app".into(),
        github_ca_file: Some("/etc/actions-gateway/github-ca/ca.crt".into()),
        github_ca_config_map: Some("github-ca".into()),
        worker_service_account: "actions-gateway-worker".into(),
        worker_image: "registry.example/runner:1".into(),
        wrapper_image: "registry.example/worker:1".into(),
        security_profile: "restricted".into(),
        allowed_priority_classes: "ci,late".into(),
        reserved_priority_classes: "infra".into(),
        log_level: "debug".into(),
        runner_version: "2.336.0".into(),
        never_started: "ForceCancel".into(),
        runner_group_id: 7,
    }
}

fn with_downward(env: &AgcEnv) -> BTreeMap<String, String> {
    let mut written = env.to_env();
    for ((name, _), value) in DOWNWARD.iter().zip([&env.pod_name, &env.pod_namespace, &env.pod_uid]) {
        assert!(
            written.insert((*name).to_owned(), value.clone()).is_none(),
            "{name} comes by the downward API"
        );
    }
    written
}

#[test]
fn what_is_written_is_read_back() {
    assert_eq!(AgcEnv::from_env(&with_downward(&full())), Ok(full()));
    let bare = AgcEnv {
        github_ca_file: None,
        github_ca_config_map: None,
        allowed_priority_classes: String::new(),
        reserved_priority_classes: String::new(),
        ..full()
    };
    assert_eq!(AgcEnv::from_env(&with_downward(&bare)), Ok(bare));
}

#[test]
fn what_an_older_manager_did_not_write_has_its_default() {
    let mut env = with_downward(&full());
    env.retain(|name, _| !["GITHUB_RUNNER_VERSION", "NEVER_STARTED"].contains(&name.as_str()));
    let read = AgcEnv::from_env(&env).unwrap();
    assert_eq!((read.runner_version.as_str(), read.never_started.as_str()), (RUNNER_VERSION, "CompleteJob"));
}

#[test]
fn a_missing_variable_is_named() {
    let mut env = with_downward(&full());
    env.insert("GITHUB_URL".into(), String::new());
    let error = AgcEnv::from_env(&env).unwrap_err();
    assert_eq!(error.to_string(), "environment variable GITHUB_URL is not set");
}

#[test]
fn a_wrong_number_is_named() {
    let mut env = with_downward(&full());
    env.insert("GITHUB_RUNNER_GROUP_ID".into(), "one".into());
    let error = AgcEnv::from_env(&env).unwrap_err();
    assert_eq!(error.to_string(), "environment variable GITHUB_RUNNER_GROUP_ID: \"one\" is not a number");
}
