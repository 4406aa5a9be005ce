use super::*;

/// Protocol, Appendix B.
const STRINGS: &str = r#"{"AgentId":"31007","AgentName":"gw-blue-0007","PoolId":"1","PoolName":null,"ServerUrl":"https://broker.actions.test/","WorkFolder":"_work","GitHubUrl":"","UseV2Flow":"true","ServerUrlV2":"https://broker.actions.test/","Ephemeral":"True","DisableUpdate":"False"}"#;

fn check(text: &str) {
    let expected = Settings {
        agent_id: Some(31007),
        agent_name: "gw-blue-0007".into(),
        work_folder: "_work".into(),
        client_id: None,
    };
    assert_eq!(Settings::parse(text).unwrap(), expected, "{text}");
}

#[test]
fn both_dialects_and_any_case_of_the_keys_are_read() {
    check(STRINGS);
    check(&format!("\u{feff}{STRINGS}"));
    check(
        r#"{"AgentId":31007,"AgentName":"gw-blue-0007","PoolId":1,"UseV2Flow":true,"Ephemeral":true,"DisableUpdate":false}"#,
    );
    check(r#"{"agentId":"31007","agentname":"gw-blue-0007","WORKFOLDER":"_work"}"#);
}

#[test]
fn what_the_official_runner_cannot_read_is_an_error() {
    let cases = [
        "",
        "not json",
        "[]",
        r#"{"AgentId":"seven"}"#,
        r#"{"PoolId":null}"#,
        r#"{"Ephemeral":"perhaps"}"#,
        r#"{"UseV2Flow":1}"#,
    ];
    for text in cases {
        assert!(Settings::parse(text).is_err(), "{text}");
    }
}

#[test]
fn credentials_give_a_client_id_and_may_be_missing() {
    assert_eq!(client_id(r#"{"scheme":"OAuth","Data":{"ClientId":"c"}}"#).as_deref(), Some("c"));
    assert_eq!(client_id("{}"), None);
}
