use github_proto::request::Request;
use http::header::AUTHORIZATION;
use http::{Method, Response};

use super::next;

fn request(method: Method) -> Request {
    http::Request::builder()
        .method(method)
        .uri("https://api.github.test/repos/a/old?x=1")
        .header(AUTHORIZATION, "Bearer ghs_FAKE")
        .body("{}".into())
        .unwrap()
}

fn redirect(status: u16, location: &str) -> Response<()> {
    Response::builder().status(status).header("location", location).body(()).unwrap()
}

#[test]
fn method_body_and_token_go_along_on_the_same_host() {
    let next = next(&request(Method::POST), &redirect(307, "/repositories/42")).unwrap().unwrap();
    assert_eq!(next.uri(), "https://api.github.test/repositories/42");
    assert_eq!(next.method(), Method::POST);
    assert_eq!(next.body().as_bytes(), b"{}");
    assert!(next.headers().contains_key(AUTHORIZATION));
}

#[test]
fn the_token_stays_behind_on_another_host_or_port() {
    for location in ["https://evil.test/x", "https://api.github.test:8443/x"] {
        let next = next(&request(Method::GET), &redirect(302, location)).unwrap().unwrap();
        assert!(!next.headers().contains_key(AUTHORIZATION), "{location}");
    }
}

#[test]
fn a_redirect_out_of_tls_is_not_followed() {
    assert!(next(&request(Method::GET), &redirect(301, "http://api.github.test/x")).is_err());
}

#[test]
fn a_write_is_not_turned_into_a_read() {
    assert!(next(&request(Method::POST), &redirect(301, "/x")).unwrap().is_none());
    assert!(next(&request(Method::POST), &redirect(302, "/x")).unwrap().is_none());
    assert!(next(&request(Method::GET), &redirect(301, "/x")).unwrap().is_some());
}

#[test]
fn other_answers_are_read() {
    assert!(next(&request(Method::GET), &redirect(201, "/x")).unwrap().is_none());
    assert!(next(&request(Method::GET), &redirect(304, "/x")).unwrap().is_none());
}
