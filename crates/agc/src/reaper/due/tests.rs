use super::*;

const GROUP: &str = "blue";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn groups(spec: &str) -> BTreeMap<String, Arc<Group>> {
    let yaml = format!(
        "{{ apiVersion: v, kind: RunnerGroup, metadata: {{ name: {GROUP} }}, spec: {{ runnerLabels: [a], {spec} }} }}"
    );
    let group = serde_yaml::from_str(&yaml).unwrap();
    let group = crate::runner_group::validate::validate(&group, &Default::default()).unwrap();
    [(GROUP.to_owned(), Arc::new(group))].into()
}

/// A pod that ended at second 0, with these finalizers.
fn ended_pod(finalizers: &str) -> Arc<Pod> {
    let yaml = format!(
        "
        metadata:
          name: pod
          creationTimestamp: '{}'
          finalizers: {finalizers}
          labels: {{ actions-gateway.github.com/runner-group: {GROUP}, actions-gateway.github.com/runner-job: job-0 }}
          ownerReferences: [{{ apiVersion: v, kind: RunnerJob, name: job-0, uid: uid-0, controller: true }}]
        spec: {{ nodeName: node, containers: [] }}
        status:
          phase: Succeeded
          containerStatuses:
          - {{ name: runner, image: i, imageID: i, ready: false, restartCount: 0,
               state: {{ terminated: {{ exitCode: 0, finishedAt: '{}' }} }} }}
        ",
        at(-10),
        at(0)
    );
    Arc::new(serde_yaml::from_str(&yaml).unwrap())
}

const OURS: &str = "[actions-gateway.github.com/job]";

/// A job that ended at this second, with this result.
fn job(index: i64, result: &str) -> RunnerJob {
    let yaml = format!(
        "
        apiVersion: actions-gateway.github.com/v1alpha1
        kind: RunnerJob
        metadata: {{ name: job-{index}, uid: uid-{index} }}
        spec: {{ runnerGroup: {{ name: {GROUP} }}, broker: {{ requestId: r, runServiceURL: u, agent: {{ name: a, runnerId: 1 }} }} }}
        status:
          result: {result}
          times: {{ finished: '{}' }}
          conditions: [{{ type: Complete, status: 'True', reason: {result}, message: '', lastTransitionTime: '{}' }}]
        ",
        at(index),
        at(index)
    );
    serde_yaml::from_str(&yaml).unwrap()
}

#[test]
fn a_finished_pod_stays_on_show_for_its_time() {
    let groups = groups("completedPodTTL: 60s");
    let pods = [ended_pod("[]")];
    assert!(finished_pods(&pods, &groups, at(59)).is_empty());
    let due = finished_pods(&pods, &groups, at(60));
    assert_eq!((due.len(), due[0].reason, due[0].group.as_str()), (1, StopReason::CompletedTtl, GROUP));
}

#[test]
fn a_pod_whose_end_is_not_written_down_stays() {
    let pods = [ended_pod(OURS)];
    assert!(finished_pods(&pods, &groups("completedPodTTL: 0s"), at(3600)).is_empty());
}

#[test]
fn a_pod_that_waits_for_a_job_which_is_not_there_is_an_orphan() {
    let pods = [ended_pod(OURS)];
    assert!(orphans(&pods, &[job(0, "Succeeded")], at(3600)).is_empty());
    assert!(orphans(&pods, &[], at(60)).is_empty(), "its job may not have been seen yet");
    assert_eq!(orphans(&pods, &[], at(3600)).len(), 1);
    assert!(orphans(&[ended_pod("[]")], &[], at(3600)).is_empty(), "nobody waits for anybody");
}

#[test]
fn history_is_kept_by_count_the_youngest_first() {
    let groups = groups("jobHistory: { succeeded: 1, failed: 2, ttl: 1h }");
    let jobs =
        [job(0, "Succeeded"), job(5, "Succeeded"), job(1, "Failed"), job(2, "Failed"), job(3, "Failed")];
    assert_eq!(surplus_jobs(&jobs, &[], &groups, at(10)), ["job-1", "job-0"]);
}

#[test]
fn history_is_kept_by_age() {
    let groups = groups("jobHistory: { succeeded: 10, failed: 10, ttl: 1h }");
    let jobs = [job(0, "Succeeded"), job(100, "Failed")];
    assert_eq!(surplus_jobs(&jobs, &[], &groups, at(3600)), ["job-0"]);
}

#[test]
fn a_job_that_is_not_settled_is_no_history() {
    let groups = groups("jobHistory: { succeeded: 0, failed: 0, ttl: 1m }");
    let mut running = job(1, "Succeeded");
    running.status.as_mut().unwrap().conditions.clear();
    let held = [ended_pod(OURS)];
    assert!(surplus_jobs(&[job(0, "Succeeded"), running], &held, &groups, at(3600)).is_empty());
}
