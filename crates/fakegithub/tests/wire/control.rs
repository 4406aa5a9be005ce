//! The control API over HTTP.

use std::net::SocketAddr;

use fakegithub::Config;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Github;

/// One request by hand: a client library would add nothing here.
async fn call(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: control\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn start() -> (Github, SocketAddr) {
    let control_listen = Some("127.0.0.1:0".parse().unwrap());
    let github = Github::start_with(Config { control_listen, ..Config::default() }).await;
    let address = github.server.control_address().unwrap();
    (github, address)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn an_app_a_run_and_its_end_over_http() {
    let (github, address) = start().await;
    let (status, app) = call(address, "POST", "/control/apps", r#"{"account": "globex"}"#).await;
    assert_eq!(status, 201);
    assert!(json_of(&app)["privateKey"].as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    let (_, ca) = call(address, "GET", "/control/ca", "").await;
    assert_eq!(ca, github.server.ca_pem());

    let workflow = "repository: acme/demo\njobs:\n  build:\n    runs-on: [self-hosted, linux]\n    strategy: {matrix: {shard: [1, 2]}}\n";
    let (status, run) = call(address, "POST", "/control/runs", workflow).await;
    let run = json_of(&run);
    assert_eq!((status, &run["jobs"][1]["name"]), (201, &json!("build (2)")));
    let path = format!("/control/runs/{}", run["runId"]);
    let wait = format!("{path}?until=completed&timeout=20");
    let (waited, cancelled) = tokio::join!(call(address, "GET", &wait, ""), async {
        call(address, "POST", &format!("{path}/cancel"), "").await
    });
    assert_eq!((waited.0, cancelled.0), (200, 202));
    assert_eq!(json_of(&waited.1)["conclusion"], "cancelled");
    assert_eq!(call(address, "POST", &format!("{path}/cancel"), "").await.0, 409);
    assert_eq!(json_of(&call(address, "GET", "/control/runs", "").await.1)["runs"][0]["runId"], run["runId"]);
    let log = format!("{path}/jobs/{}/log", run["jobs"][0]["id"]);
    assert_eq!(call(address, "GET", &log, "").await, (200, String::new()));
    assert_eq!(call(address, "GET", &format!("{log}s"), "").await, (200, r#"{"logs":[]}"#.to_owned()));
    assert_eq!(call(address, "GET", "/control/runs/1", "").await.0, 404);
}

#[tokio::test]
async fn a_wait_that_is_not_met_returns_the_run_as_it_is() {
    let (github, address) = start().await;
    let run = github.run(crate::support::ONE_JOB);
    let path = format!("/control/runs/{}?until=completed&timeout=0.05", run.run_id);
    let (status, body) = call(address, "GET", &path, "").await;
    assert_eq!((status, json_of(&body)["status"].clone()), (200, json!("queued")));
    let path = format!("/control/runs/{}?until=done", run.run_id);
    assert_eq!(call(address, "GET", &path, "").await.0, 400);
}

#[tokio::test]
async fn levers_are_turned_one_by_one_or_as_a_list() {
    let (github, address) = start().await;
    let one = r#"{"lever": "fail", "endpoint": "M1", "status": 500}"#;
    assert_eq!(call(address, "POST", "/control/faults", one).await.0, 204);
    let (_, faults) = call(address, "GET", "/control/faults", "").await;
    assert_eq!(
        (&json_of(&faults)["faults"][0]["endpoint"], github.control().faults().len()),
        (&json!("M1"), 1)
    );
    github.get("/meta").expect(500).await;
    let list = r#"[{"lever": "fan-out", "sessions": 3}, {"lever": "clock-offset", "seconds": 60},
                  {"lever": "repeated-acquire", "answer": "200"}, {"lever": "token-life", "kind": "runner", "seconds": 5},
                  {"lever": "rate-limit", "endpoint": "R3", "form": "secondary-429", "retryAfter": "7"},
                  {"lever": "encrypt-messages", "mode": "rsa-sha1"}, {"lever": "byte-order-mark", "on": true}]"#;
    assert_eq!(call(address, "POST", "/control/faults", list).await.0, 204);
    let settings = async || json_of(&call(address, "GET", "/control/faults", "").await.1)["settings"].clone();
    assert_eq!(
        (&settings().await["fanOut"], &settings().await["repeatedAcquire"]),
        (&json!(3), &json!("200"))
    );
    assert_eq!(call(address, "DELETE", "/control/faults", "").await.0, 204);
    assert_eq!(settings().await["fanOut"], 1);
    assert!(github.control().faults().is_empty());
    for wrong in [
        r#"{"lever": "explode"}"#,
        r#"{"lever": "fan-out", "sessions": 3, "x": 1}"#,
        r#"{"lever": "time-factor", "factor": 0.0}"#,
        r#"{"lever": "drop-session", "agent": "nobody"}"#,
        "nonsense",
    ] {
        assert_eq!(call(address, "POST", "/control/faults", wrong).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn what_was_asked_and_what_was_wrong_can_be_read() {
    let (github, address) = start().await;
    github.get("/nothing").expect(404).await;
    let (_, violations) = call(address, "GET", "/control/violations", "").await;
    let violation = json_of(&violations)["violations"][0].clone();
    assert_eq!((&violation["call"], &violation["request"]), (&json!("GET /nothing"), &json!(1)));
    let (_, requests) = call(address, "GET", "/control/requests?since=0", "").await;
    assert_eq!(json_of(&requests)["requests"][0]["status"], 404);
    assert_eq!(call(address, "DELETE", "/control/violations", "").await.0, 204);
    github.assert_no_violation();
    github.runner("one").await;
    let (_, offers) = call(address, "GET", "/control/offers?account=acme&runId=1", "").await;
    assert_eq!(json_of(&offers), json!({"offers": [], "unclaimed": 0, "decliners": []}));
    let (_, state) = call(address, "GET", "/control/state", "").await;
    assert_eq!(json_of(&state)["agents"][0]["name"], "one");
    let (status, error) = call(address, "POST", "/control/runs", "repository: x\njobs: {}\n").await;
    assert!(status == 400 && json_of(&error)["error"].as_str().unwrap().contains("owner/name"), "{error}");
    let contained = "repository: acme/demo\njobs: {b: {runs-on: x, container: alpine}}\n";
    let (status, error) = call(address, "POST", "/control/runs", contained).await;
    assert!(
        status == 422 && json_of(&error)["error"].as_str().unwrap().contains("'jobs.b.container'"),
        "{error}"
    );
}
