//! Records and the credentials in them.

use fakegithub::{JitDialect, Lever};
use github::app::Registration;
use github::session::Event;
use github_proto::rest::{Deletion, JitRequest};

use crate::rig::{Rig, last, next};

#[tokio::test]
async fn a_name_is_free_again_once_its_runner_is_deleted() {
    let rig = Rig::start().await;
    let first = rig.register("gw-1").await;
    let labels = ["linux".to_owned()];
    let wanted = JitRequest { name: "gw-1", runner_group_id: 1, labels: &labels, work_folder: "_work" };
    assert!(matches!(rig.app.register(&wanted).await.unwrap(), Registration::NameTaken));
    let found = rig.app.find_runner("gw-1").await.unwrap().unwrap();
    assert_eq!(found.id, first.runner.id);
    assert_eq!(rig.app.delete_runner(found.id).await.unwrap(), Deletion::Gone);
    assert_eq!(rig.app.delete_runner(found.id).await.unwrap(), Deletion::Gone);
    rig.register("gw-1").await;
    rig.blameless().await;
}

#[tokio::test]
async fn a_fresh_registration_is_used_once_it_is_known() {
    let rig = Rig::start().await;
    rig.pull(Lever::OauthPropagation { calls: 3 });
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert_eq!(rig.count("O1"), 4);
    rig.blameless().await;
}

#[tokio::test]
async fn credentials_are_read_in_every_form_and_refused_when_they_have_none() {
    let rig = Rig::start().await;
    let dialect = |dialect| rig.pull(Lever::JitDialect { dialect, account: None });
    for (index, form) in [
        JitDialect::Strings,
        JitDialect::MixedCase,
        JitDialect::Typed,
        JitDialect::CamelCase,
        JitDialect::MissingKeys,
        JitDialect::ByteOrderMark,
    ]
    .into_iter()
    .enumerate()
    {
        dialect(form);
        let auth = rig.auth(&format!("gw-{index}")).await;
        let mut session = rig.session(&auth);
        assert!(matches!(next(&mut session).await, Event::Listening), "{form:?}");
    }
    dialect(JitDialect::Garbage);
    let registered = rig.register("gw-garbage").await;
    assert!(registered.config().is_err());
    assert_eq!(rig.app.delete_runner(registered.runner.id).await.unwrap(), Deletion::Gone);
    rig.blameless().await;
}

#[tokio::test]
async fn a_token_service_that_has_moved_is_found() {
    let rig = Rig::start().await;
    rig.pull(Lever::TokenService { migrated: true, account: None });
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert_eq!(rig.count("O1"), 2);
    auth.forget();
    auth.token().await.unwrap();
    assert_eq!(rig.count("O1"), 3, "where it has moved to is remembered");
    rig.blameless().await;
}

#[tokio::test]
async fn a_record_that_was_deleted_is_found_dead_though_its_token_lives() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    auth.first_token().await.unwrap();
    assert_eq!(rig.app.delete_runner(auth.jit().runner.id).await.unwrap(), Deletion::Gone);
    let mut session = rig.session(&auth);
    assert!(last(&mut session).await.starts_with("Dead("));
    rig.blameless().await;
}
