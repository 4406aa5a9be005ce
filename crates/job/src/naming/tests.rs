use proptest::prelude::*;

use super::*;

const UID: &str = "0b0e1c5e-0000-4000-8000-00000000aaaa";

#[test]
fn names_never_change() {
    let job = RunnerJobName::of_offer("gpu-2x", UID, "a1a1a1a1-0000-4000-8000-00000000fa4e");
    assert_eq!(job.as_str(), "gpu-2x-d1b76572d8");
    assert_eq!(job.payload_secret(), "gpu-2x-d1b76572d8-payload");
    assert_eq!(pod("gpu-2x", "91A4", "10b0"), "gpu-2x-226d3ebf5035");
    let series = AgentSeries::new("gpu-2x", UID);
    assert_eq!(series.agent(3, 14), "gpu-2x-ecefd280-3-14");
    assert_eq!(series.secret(3), "gpu-2x-ecefd280-agent-3");
}

#[test]
fn the_jobs_of_a_matrix_share_a_plan_and_have_pods_of_their_own() {
    assert_ne!(pod("g", "plan", "a"), pod("g", "plan", "b"));
    assert_eq!(pod("g", "PLAN", "A"), pod("g", "plan", "a"), "a GUID means the same in either case");
}

#[test]
fn a_runner_of_another_group_is_not_ours() {
    let ours = AgentSeries::new("blue", UID);
    let recreated = AgentSeries::new("blue", "another uid");
    assert_eq!(ours.parse(&ours.agent(0, 7)), Some((0, 7)));
    assert_eq!(ours.parse(&recreated.agent(0, 7)), None);
    assert_eq!(ours.parse("blue-0-7"), None);
    assert_eq!(ours.parse(&format!("{}x", ours.agent(0, 7))), None);
    assert_eq!(ours.parse(&ours.agent(0, 7).replace("-7", "-07")), None);
}

fn is_dns_label(name: &str) -> bool {
    let inside = name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
    !name.is_empty() && name.len() <= 63 && inside && !name.starts_with('-') && !name.ends_with('-')
}

proptest! {
    #[test]
    fn every_name_is_a_dns_label(group in "[a-z0-9]([-a-z0-9.]{0,80}[a-z0-9])?", index in 0u32..100_000, generation: u32) {
        let job = RunnerJobName::of_offer(&group, UID, "request");
        let series = AgentSeries::new(&group, UID);
        for name in [job.as_str(), &job.payload_secret(), &pod(&group, "p", "j"), &series.secret(index)] {
            prop_assert!(is_dns_label(name), "{name}");
        }
        let agent = series.agent(index, generation);
        prop_assert!(agent.len() <= 64, "{agent}");
        prop_assert_eq!(series.parse(&agent), Some((index, generation)));
    }
}
