use super::*;

#[test]
fn what_is_stored_of_an_agent_is_read_back() {
    let group = serde_yaml::from_str(
        "{ apiVersion: v, kind: RunnerGroup, metadata: { name: blue, uid: u }, spec: { runnerLabels: [a] } }",
    );
    let group = GroupId::of(&group.unwrap());
    let agent = Agent {
        index: 3,
        generation: 14,
        name: group.agents().agent(3, 14),
        runner_id: RunnerId(31_007),
        labels: vec!["linux".into(), "gpu-2x".into()],
        jit: JitBlob::new("blob"),
    };
    let secret = agent.to_secret(&group, "team-a", "team-a");
    assert_eq!(secret.metadata.name.as_deref(), Some(group.agents().secret(3).as_str()));
    assert_eq!(secret.metadata.labels.as_ref().unwrap()[api::labels::MANAGED_BY], "actions-gateway");
    assert!(api::names::is_gateways_secret(&group.agents().secret(3)), "no template may mount it");
    assert_eq!(Stored::from_secret(3, &secret), Stored::Agent(agent.clone()));
    assert_eq!(Stored::from_secret(3, &Secret::default()), Stored::Nothing);

    let mut over = consumed(&group, 3, 15, "team-a", "team-a");
    assert_eq!(Stored::from_secret(3, &over), Stored::Consumed { generation: 15 });
    let (keys, written): (Vec<_>, Vec<_>) =
        (secret.data.unwrap().into_keys().collect(), over.data.clone().unwrap().into_keys().collect());
    assert_eq!(keys, written, "nothing of the last agent is left");
    over.data.as_mut().unwrap().remove(GENERATION);
    assert_eq!(Stored::from_secret(3, &over), Stored::Nothing);
}
