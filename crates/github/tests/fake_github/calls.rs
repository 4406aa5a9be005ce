//! REST calls and the token they are made with.

use std::time::Duration;

use fakegithub::{AppRequest, Lever, RateForm, TokenKind};
use github::token::AppCredentials;
use github_proto::rest::{Meta, RestErrorKind, VersionEnd};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::rig::{PATIENCE, Rig};

#[tokio::test]
async fn an_expired_installation_token_is_replaced_within_the_call() {
    let rig = Rig::start().await;
    rig.register("gw-1").await;
    rig.pull(Lever::ExpireTokens { kind: TokenKind::Installation });
    assert_eq!(rig.app.find_runner("gw-1").await.unwrap().unwrap().name, "gw-1");
    assert_eq!(rig.count("A2"), 2);
    rig.blameless().await;
}

#[tokio::test]
async fn a_rotated_app_key_is_used_without_a_restart() {
    let rig = Rig::start().await;
    rig.register("gw-1").await;
    let id = rig.fake.control().create_app(AppRequest::on("synthetic-org")).await.unwrap();
    let changed = AppCredentials {
        app_id: id.app_id.to_string(),
        installation_id: id.installation_id.to_string(),
        private_key: Zeroizing::new(id.private_key.into_bytes()),
    };
    *rig.credentials.0.lock().unwrap() = changed;
    let minted = async {
        while rig.count("A2") < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, minted).await.unwrap();
    rig.register("gw-2").await;
    rig.blameless().await;
}

#[tokio::test]
async fn a_rate_limit_is_no_reason_to_mint_a_token() {
    let rig = Rig::start().await;
    rig.register("gw-1").await;
    let form = RateForm::Primary403;
    rig.pull(Lever::RateLimit {
        endpoint: "R4".into(),
        account: None,
        form,
        count: 1,
        retry_after: None,
        reset_after: Some(7),
    });
    let error = rig.app.find_runner("gw-1").await.unwrap_err();
    assert!(matches!(error.kind(), Some(RestErrorKind::RateLimited(_))), "{error:?}");
    assert_eq!((rig.count("A2"), rig.count("R4")), (1, 1));
    rig.blameless().await;
}

#[tokio::test]
async fn unchanged_ranges_are_told_in_one_word() {
    let rig = Rig::start().await;
    let api = &rig.app.target().api;
    let first = github::app::meta(&rig.client, api, None, &rig.timeouts).await.unwrap();
    let Meta::Ranges { etag: Some(etag), ranges } = first else { panic!("{first:?}") };
    assert!(ranges.actions.is_some());
    let again = github::app::meta(&rig.client, api, Some(&etag), &rig.timeouts).await.unwrap();
    assert_eq!(again, Meta::NotModified);
    rig.blameless().await;
}

#[tokio::test]
async fn the_last_day_of_a_runner_version_can_be_asked_for() {
    let rig = Rig::start().await;
    let end = |version: &'static str| async { rig.app.runner_version_end(version).await.unwrap() };
    assert_eq!(end("2.335.1").await, VersionEnd::At("2026-09-24T15:30:55Z".parse().unwrap()));
    assert_eq!(end("2.337.0").await, VersionEnd::Newest);
    assert_eq!(end("9.9.9").await, VersionEnd::Unknown);
    rig.blameless().await;
}
