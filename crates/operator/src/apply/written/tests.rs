use serde_json::json;

use super::*;

fn id(number: usize) -> ObjectId {
    ObjectId { kind: "Pod".into(), namespace: Some("team-a".into()), name: number.to_string().into() }
}

#[test]
fn the_memory_is_bounded_and_holds_what_came_last() {
    let written = Written::default();
    let meta = ObjectMeta { resource_version: Some("1".to_owned()), ..ObjectMeta::default() };
    let last = 3 * REMEMBERED;
    for number in 0..=last {
        written.remember(&id(number), &json!({}), &meta);
    }
    assert!(written.writes().by_object.len() <= REMEMBERED);
    assert!(written.is_current(&id(last), &json!({}), &meta));
    assert!(!written.is_current(&id(0), &json!({}), &meta));
}

#[test]
fn an_answer_without_a_version_proves_nothing() {
    let written = Written::default();
    written.remember(&id(1), &json!({}), &ObjectMeta::default());
    assert!(!written.is_current(&id(1), &json!({}), &ObjectMeta::default()));
}
