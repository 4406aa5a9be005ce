use super::*;

fn env(extra: &[(&str, &str)]) -> BTreeMap<String, String> {
    let written = AgcEnv {
        pod_name: String::new(),
        pod_namespace: String::new(),
        pod_uid: String::new(),
        gateway_name: "team-a".into(),
        github_url: "https://github.com/synthetic-org".into(),
        credentials_dir: "/creds".into(),
        app_secret: "github-app".into(),
        github_ca_file: None,
        github_ca_config_map: None,
        worker_service_account: "actions-gateway-worker".into(),
        worker_image: "runner:1".into(),
        wrapper_image: "wrapper:1".into(),
        security_profile: "restricted".into(),
        allowed_priority_classes: "ci".to_owned(),
        reserved_priority_classes: String::new(),
        log_level: "info".into(),
        runner_version: "2.337.0".into(),
        never_started: "ForceCancel".into(),
        runner_group_id: 1,
    };
    let mut env = written.to_env();
    let pod = [("POD_NAME", "agc-0"), ("POD_NAMESPACE", "team-a"), ("POD_UID", "uid")];
    env.extend(pod.iter().chain(extra).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env
}

#[test]
fn what_the_manager_writes_is_enough() {
    let config = Config::from_env(&env(&[])).unwrap();
    assert_eq!(config.target.scope.to_string(), "orgs/synthetic-org");
    assert_eq!(config.platform.profile, SecurityProfile::Restricted);
    assert_eq!(config.never_started, NeverStarted::ForceCancel);
    assert!(config.platform.proxy.is_empty() && config.platform.proxy_ca.is_none());
    assert!(config.github_client().unwrap().proxy.is_none());
}

#[test]
fn a_proxy_is_used_by_us_and_by_the_workers() {
    let config =
        Config::from_env(&env(&[("HTTPS_PROXY", "https://proxy:8080"), ("NO_PROXY", "localhost")])).unwrap();
    let names: Vec<&str> = config.platform.proxy.keys().map(String::as_str).collect();
    assert_eq!(names, ["HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy"]);
    let client = config.github_client().unwrap();
    assert_eq!(client.proxy.map(|it| it.uri).as_deref(), Some("https://proxy:8080"));
    assert_eq!(client.no_proxy, "localhost");
}

#[test]
fn a_variable_that_makes_no_sense_is_named() {
    let error = |name, value| Config::from_env(&env(&[(name, value)])).map(|_| ()).unwrap_err().to_string();
    assert!(error("SECURITY_PROFILE", "lax").contains("SECURITY_PROFILE"));
    assert!(error("NEVER_STARTED", "Pray").contains("NEVER_STARTED"));
    assert!(error("GITHUB_URL", "https://github.com/").contains("GITHUB_URL"));
    assert!(error("GITHUB_RUNNER_GROUP_ID", "0").contains("GITHUB_RUNNER_GROUP_ID"));
}

#[test]
fn a_ca_file_that_is_not_there_is_named() {
    let config = Config::from_env(&env(&[("GITHUB_CA_FILE", "/nowhere/ca.crt")])).unwrap();
    assert!(config.github_client().map(|_| ()).unwrap_err().to_string().contains("/nowhere/ca.crt"));
}
