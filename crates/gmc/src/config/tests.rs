use clap::Parser as _;

use super::*;

fn config(more: &[&str], vars: &[(&str, &str)]) -> Result<Config, BadElection> {
    let required =
        ["gmc", "--agc-image=a:1", "--wrapper-image=w:1", "--worker-image=r:1", "--pod-namespace=system"];
    let args = Args::try_parse_from(required.iter().chain(more)).unwrap();
    Config::new(args, vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn extra_environment_passes_only_when_it_is_allowed() {
    let vars = [("AGC_EXTRA_LOG_LEVEL", "debug"), ("AGC_EXTRA_", "nameless"), ("HOME", "/")];
    assert!(config(&[], &vars).unwrap().provision.agc_extra_env.is_empty());
    let allowed = config(&["--allow-agc-extra-env"], &vars).unwrap();
    assert_eq!(
        allowed.provision.agc_extra_env,
        BTreeMap::from([("LOG_LEVEL".to_owned(), "debug".to_owned())])
    );
}

#[test]
fn the_priority_classes_of_workers_are_the_platforms_to_choose() {
    let of = |args: &[&str]| config(args, &[]).unwrap().provision.priority_classes;
    assert_eq!(
        of(&["--allowed-priority-classes=", "--reserved-priority-classes="]),
        PriorityClasses::default()
    );
    let some = of(&["--allowed-priority-classes=ci,late", "--reserved-priority-classes=infra"]);
    assert_eq!(some, PriorityClasses::parse("late,ci", "infra"));
}

#[test]
fn without_the_flag_there_is_no_election() {
    assert_eq!(config(&[], &[]).unwrap().election, None);
}

#[test]
fn an_election_in_which_two_could_lead_is_refused() {
    let refused = config(&["--leader-elect", "--leader-elect-renew-deadline=15s"], &[]).unwrap_err();
    assert!(refused.to_string().contains("--leader-elect-renew-deadline (15s)"), "{refused}");
    assert!(config(&["--leader-elect", "--leader-elect-retry-period=10s"], &[]).is_err());
    assert!(config(&["--leader-elect", "--leader-elect-retry-period=0s"], &[]).is_err());
    assert!(config(&["--leader-elect"], &[]).unwrap().election.is_some());
}
