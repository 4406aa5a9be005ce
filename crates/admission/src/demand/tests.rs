use api::RunnerJob;
use kube_core::Resource as _;

use super::*;

fn demand(yaml: &str) -> Demand {
    Demand::of(&serde_yaml::from_str(yaml).unwrap())
}

/// What the pod of this spec takes, but for `pods` and `count/pods`, which each takes one of.
#[track_caller]
fn check(yaml: &str, expected: &[(&str, &str)]) {
    let mut amounts = demand(yaml).amounts(Object::Pod);
    assert_eq!((amounts.remove("pods"), amounts.remove("count/pods")), (Some(1000), Some(1000)));
    let expected: Amounts = expected
        .iter()
        .map(|(name, it)| ((*name).to_owned(), crate::quantity::millis(it).unwrap()))
        .collect();
    assert_eq!(amounts, expected, "{yaml}");
}

#[test]
fn containers_add_up_and_an_init_container_counts_alone() {
    check(
        "
        initContainers:
        - { name: install, resources: { requests: { cpu: 10m, memory: 2Gi }, limits: { memory: 2Gi } } }
        containers:
        - { name: runner, resources: { requests: { cpu: '1' }, limits: { memory: 1Gi } } }
        - { name: sidecar, resources: { requests: { cpu: 500m } } }
        ",
        &[
            ("cpu", "1500m"),
            ("requests.cpu", "1500m"),
            ("memory", "2Gi"),
            ("requests.memory", "2Gi"),
            ("limits.memory", "2Gi"),
        ],
    );
}

#[test]
fn a_native_sidecar_runs_beside_the_containers_and_the_init_containers_after_it() {
    let pod = |sidecar: &str, install: &str| {
        format!(
            "
            initContainers:
            - {{ name: before, resources: {{ requests: {{ cpu: '3' }} }} }}
            - {{ name: proxy, restartPolicy: Always, resources: {{ requests: {{ cpu: {sidecar} }} }} }}
            - {{ name: install, resources: {{ requests: {{ cpu: {install} }} }} }}
            containers:
            - {{ name: runner, resources: {{ requests: {{ cpu: '1' }} }} }}
            "
        )
    };
    check(&pod("500m", "100m"), &[("cpu", "3"), ("requests.cpu", "3")]);
    check(&pod("2500m", "100m"), &[("cpu", "3500m"), ("requests.cpu", "3500m")]);
    check(&pod("500m", "'4'"), &[("cpu", "4500m"), ("requests.cpu", "4500m")]);
}

#[test]
fn what_a_pod_claims_as_a_whole_goes_before_its_containers() {
    check(
        "{ resources: { requests: { cpu: '2' }, limits: { cpu: '3' } },
           containers: [{ name: a, resources: { requests: { cpu: '1', memory: 1Gi } } }] }",
        &[
            ("cpu", "2"),
            ("requests.cpu", "2"),
            ("limits.cpu", "3"),
            ("memory", "1Gi"),
            ("requests.memory", "1Gi"),
        ],
    );
}

#[test]
fn a_pods_own_request_is_that_of_its_containers_else_its_limit() {
    check(
        "{ resources: { limits: { cpu: '3', memory: 2Gi } }, containers: [{ name: a, resources: { requests: { cpu: '1' } } }] }",
        &[
            ("cpu", "1"),
            ("requests.cpu", "1"),
            ("limits.cpu", "3"),
            ("memory", "2Gi"),
            ("requests.memory", "2Gi"),
            ("limits.memory", "2Gi"),
        ],
    );
}

#[test]
fn the_overhead_of_a_runtime_class_is_added_to_limits_only_where_there_are_any() {
    check(
        "{ overhead: { cpu: 250m, memory: 120Mi }, containers: [{ name: a, resources: { limits: { cpu: '1' } } }] }",
        &[
            ("cpu", "1250m"),
            ("requests.cpu", "1250m"),
            ("limits.cpu", "1250m"),
            ("memory", "120Mi"),
            ("requests.memory", "120Mi"),
        ],
    );
}

#[test]
fn a_limit_of_zero_gets_no_overhead() {
    check(
        "{ overhead: { cpu: 250m }, containers: [{ name: a, resources: { limits: { cpu: '0' } } }] }",
        &[("cpu", "250m"), ("requests.cpu", "250m"), ("limits.cpu", "0")],
    );
}

#[test]
fn extended_resources_and_huge_pages_are_counted_as_requests() {
    check(
        "containers: [{ name: a, resources: { limits: { nvidia.com/gpu: 2, hugepages-2Mi: 4Mi, ephemeral-storage: 1Gi } } }]",
        &[
            ("requests.nvidia.com/gpu", "2"),
            ("hugepages-2Mi", "4Mi"),
            ("requests.hugepages-2Mi", "4Mi"),
            ("ephemeral-storage", "1Gi"),
            ("requests.ephemeral-storage", "1Gi"),
            ("limits.ephemeral-storage", "1Gi"),
        ],
    );
}

#[test]
fn huge_pages_of_containers_are_claimed_by_a_pod_that_claims_as_a_whole() {
    check(
        "{ resources: { requests: { cpu: '1' } },
           containers: [{ name: a, resources: { limits: { hugepages-2Mi: 4Mi }, requests: { cpu: 100m } } }] }",
        &[("cpu", "1"), ("requests.cpu", "1"), ("hugepages-2Mi", "4Mi"), ("requests.hugepages-2Mi", "4Mi")],
    );
}

#[test]
fn the_claims_of_ephemeral_volumes_are_needed_too() {
    let demand = demand(
        "
        containers: [{ name: runner }]
        volumes:
        - { name: tmp, emptyDir: {} }
        - name: work
          ephemeral: { volumeClaimTemplate: { spec: { storageClassName: fast, resources: { requests: { storage: 10Gi } } } } }
        - name: cache
          ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: 1500m } } } } }
        - name: old
          ephemeral:
            volumeClaimTemplate:
              metadata: { annotations: { volume.beta.kubernetes.io/storage-class: slow } }
              spec: { storageClassName: fast, resources: { requests: { storage: '8' } } }
        ",
    );
    let gib = 1000 * (1i128 << 30);
    let expected = [
        ("count/persistentvolumeclaims", 3000),
        ("fast.storageclass.storage.k8s.io/persistentvolumeclaims", 1000),
        ("fast.storageclass.storage.k8s.io/requests.storage", 10 * gib),
        ("persistentvolumeclaims", 3000),
        ("requests.storage", 10 * gib + 2000 + 8000),
        ("slow.storageclass.storage.k8s.io/persistentvolumeclaims", 1000),
        ("slow.storageclass.storage.k8s.io/requests.storage", 8000),
    ];
    let expected: Amounts = expected.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
    assert_eq!(demand.amounts(Object::Claims), expected);
}

#[test]
fn claims_for_devices_that_are_made_for_the_pod_are_counted() {
    let demand = demand(
        "{ containers: [{ name: a }], resourceClaims: [{ name: gpu, resourceClaimTemplateName: gpu }, { name: old, resourceClaimName: old }] }",
    );
    let expected = Amounts::from([("count/resourceclaims.resource.k8s.io".to_owned(), 1000)]);
    assert_eq!(demand.amounts(Object::Claims), expected);
}

#[test]
fn the_runner_job_and_the_payload_secret_are_counted() {
    let demand = demand("containers: []");
    let names = |object| demand.amounts(object).into_keys().collect::<Vec<_>>();
    assert_eq!(names(Object::PayloadSecret), ["count/secrets", "secrets"]);
    let (plural, group) = (RunnerJob::plural(&()), RunnerJob::group(&()));
    assert_eq!(names(Object::RunnerJob), [format!("count/{plural}.{group}")]);
}
