use std::time::Duration;

use axum::{body::Body, http::Request};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

async fn get(router: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn ready_means_that_every_check_holds() {
    let health = Health::new();
    let router = health_router(health.clone(), no_status());
    assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);

    let watch = health.check("runnergroups");
    let token = health.check("token");
    token.pass();
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, r#"{"failing":{"runnergroups":"not yet"},"status":"failed"}"#);

    watch.pass();
    assert_eq!(get(&router, "/readyz").await, (StatusCode::OK, r#"{"status":"ok"}"#.to_owned()));

    token.fail("GitHub refused it");
    assert!(get(&router, "/readyz").await.1.contains(r#""token":"GitHub refused it""#));
}

#[tokio::test]
async fn a_draining_process_is_alive_and_not_ready() {
    let health = Health::new();
    let router = health_router(health.clone(), no_status());
    health.drain();
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains(r#""shutdown":"draining""#));
    assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_stops_beating_fails_liveness_until_it_beats_again() {
    let health = Health::new();
    let router = health_router(health.clone(), no_status());
    let heartbeat = health.heartbeat("poll", Duration::from_secs(10));

    tokio::time::advance(Duration::from_secs(50)).await;
    assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK);
    tokio::time::advance(Duration::from_secs(1)).await;
    let (status, body) = get(&router, "/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains(r#""poll":"no progress for 51 s""#), "{body}");

    heartbeat.beat();
    assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_retired_heartbeat_is_forgotten_and_a_dropped_one_is_not() {
    let health = Health::new();
    health.heartbeat("retired", Duration::from_secs(1)).retire();
    drop(health.heartbeat("dropped", Duration::from_secs(1)));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(health.stalled().into_keys().collect::<Vec<_>>(), ["dropped"]);
}

#[tokio::test]
async fn metrics_are_served_in_prometheus_text_and_the_status_page_as_json() {
    let router = metrics_router(crate::metrics::registry("proxy").unwrap())
        .merge(health_router(Health::new(), Arc::new(|| serde_json::json!({ "leader": true }))));
    let (status, body) = get(&router, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains(&format!(
        "actions_gateway_build_info{{component=\"proxy\",version=\"{}\"}} 1",
        crate::version::VERSION
    )));
    assert!(body.contains("process_resident_memory_bytes"));
    assert_eq!(get(&router, "/statusz").await.1, r#"{"leader":true}"#);
    assert_eq!(get(&router, "/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = bind(0).await.unwrap();
    let port = first.local_addr().unwrap().port();
    assert_eq!(bind(port).await.unwrap_err().to_string(), format!("failed to listen on port {port}"));
}

#[tokio::test]
async fn the_server_ends_when_told() {
    let stop = CancellationToken::new();
    let listener = bind(0).await.unwrap();
    let server = tokio::spawn(serve(listener, health_router(Health::new(), no_status()), stop.clone()));
    stop.cancel();
    server.await.unwrap();
}
