use kube::core::Status;

use super::*;

fn refused(code: u16, message: &str) -> Option<Refusal> {
    let status = Status::failure(message, "").with_code(code);
    Refusal::of(&kube::Error::Api(Box::new(status)))
}

#[test]
fn only_a_quota_without_room_is_a_matter_of_time() {
    let full =
        "pods \"p\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4";
    assert_eq!(refused(403, full), Some(Refusal::Quota));
    let unsaid = "pods \"p\" is forbidden: failed quota: team: must specify requests.cpu for: runner";
    assert_eq!(refused(403, unsaid), Some(Refusal::Invalid));
    let denied = "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\"";
    assert_eq!(refused(403, denied), Some(Refusal::Invalid));
    for code in [400, 404, 422] {
        assert_eq!(refused(code, "no"), Some(Refusal::Invalid), "{code}");
    }
}

#[test]
fn trouble_of_the_api_server_is_no_judgement_of_the_object() {
    let webhook = "Internal error occurred: failed calling webhook \"pods.policy.example\"";
    let quota = "pods \"p\" is forbidden: status unknown for quota: team, resources: pods";
    let conflict = "Operation cannot be fulfilled on resourcequotas \"team\"";
    for (code, message) in [(500, webhook), (503, "down"), (429, "slow"), (403, quota), (409, conflict)] {
        assert_eq!(refused(code, message), None, "{message}");
    }
    assert_eq!(Refusal::of(&kube::Error::LinesCodecMaxLineLengthExceeded), None);
}
