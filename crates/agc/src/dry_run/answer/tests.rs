use kube::core::Status;

use super::*;

fn error(code: u16, message: &str) -> kube::Error {
    kube::Error::Api(Box::new(Status { code, message: message.to_owned(), ..Status::default() }))
}

/// What an answer with this code and message comes to, under the default profile.
fn answer(code: u16, message: &str) -> Answer {
    Answer::of(&error(code, message), SecurityProfile::Baseline)
}

#[test]
fn what_would_be_refused_each_time_is_a_refusal_with_the_api_servers_words() {
    let said = [
        (
            422,
            r#"Pod "linux-dry-run" is invalid: spec.containers[0].volumeMounts[0].name: Not found: "cache""#,
        ),
        (403, r#"pods "linux-dry-run" is forbidden: no PriorityClass with name ci-standard was found"#),
        (
            403,
            r#"pods "linux-dry-run" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false"#,
        ),
        (
            403,
            r#"pods "linux-dry-run" is forbidden: minimum memory usage per Container is 48Mi, but request is 32Mi"#,
        ),
        (
            403,
            r#"pods "linux-dry-run" is forbidden: failed quota: team: must specify requests.cpu for: runner"#,
        ),
        (400, r#"Pod in version "v1" cannot be handled as a Pod"#),
        (404, r#"namespaces "team-a" not found"#),
        (
            403,
            r#"pods "linux-dry-run" is forbidden: ValidatingAdmissionPolicy 'ids' with binding 'ids' denied request"#,
        ),
    ];
    for (code, words) in said {
        assert!(matches!(answer(code, words), Answer::Refused(it) if it.starts_with(words)), "{words}");
    }
}

#[test]
fn a_quota_without_room_is_no_refusal() {
    let words = r#"pods "linux-dry-run" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2"#;
    assert_eq!(answer(403, words), Answer::QuotaExceeded(words.to_owned()));
}

#[test]
fn what_says_nothing_of_the_pod_is_no_refusal() {
    let unsupported = r#"admission webhook "pods.policy.example" does not support dry run"#;
    assert_eq!(answer(400, unsupported), Answer::Unsupported(unsupported.to_owned()));
    let account = r#"pods "linux-dry-run" is forbidden: error looking up service account team-a/actions-gateway-worker: serviceaccount "actions-gateway-worker" not found"#;
    assert_eq!(answer(403, account), Answer::Unknown(account.to_owned()));
    for code in [401, 409, 429, 500, 503, 504] {
        assert!(matches!(answer(code, "failed calling webhook"), Answer::Unknown(_)), "{code}");
    }
}

#[test]
fn a_refusal_says_what_to_do_where_that_is_known() {
    let remedy = |words: &str, profile| with_remedy(words.to_owned(), profile)[words.len()..].to_owned();
    let level = |it: &str| {
        format!(r#"pods "x" is forbidden: violates PodSecurity "{it}:latest": runAsNonRoot != true"#)
    };
    assert_eq!(
        remedy(&level("restricted"), SecurityProfile::Baseline),
        ": the namespace enforces restricted, and spec.securityProfile of the gateway is baseline: set it to restricted"
    );
    let template = ": the namespace enforces baseline: correct the fields of podTemplate that are named here";
    assert_eq!(remedy(&level("baseline"), SecurityProfile::Baseline), template);
    assert_eq!(remedy(&level("baseline"), SecurityProfile::Restricted), template);
    let specify = "failed quota: team: must specify requests.cpu for: runner";
    assert!(remedy(specify, SecurityProfile::Baseline).contains("LimitRange"));
    assert_eq!(remedy("denied the request: no", SecurityProfile::Baseline), "");
}

#[test]
fn the_worst_of_several_answers_counts() {
    let refused = || Answer::Refused("no".into());
    let answers =
        [Answer::Accepted, refused(), Answer::QuotaExceeded("full".into()), Answer::Unknown("?".into())];
    assert_eq!(answers.into_iter().max(), Some(refused()));
}

#[test]
fn a_very_long_message_leaves_room_for_its_remedy_in_an_event() {
    let Answer::Refused(words) = answer(403, &format!("must specify {}", "é".repeat(5000))) else {
        panic!("a refusal")
    };
    assert!(words.len() < 1000 && words.contains("LimitRange"), "{words}");
}
