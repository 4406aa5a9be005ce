use proptest::prelude::*;

use super::*;

const LIMIT: usize = 8 * 1024;

fn head(line: &str, headers: &str) -> String {
    format!("{line}\r\n{headers}\r\n")
}

#[track_caller]
fn accepts(target: &str, host: Host, port: u16) {
    let text = head(&format!("CONNECT {target} HTTP/1.1"), "Host: x\r\n");
    let parsed = parse(text.as_bytes(), LIMIT).unwrap().unwrap();
    assert_eq!((parsed.host, parsed.port, parsed.length), (host, port, text.len()));
}

#[track_caller]
fn refuses(text: &str, expected: Invalid) {
    assert_eq!(parse(text.as_bytes(), LIMIT), Err(expected), "{text:?}");
}

#[test]
fn a_destination_is_a_name_or_an_address_with_a_port() {
    accepts("api.github.com:443", Host::Name("api.github.com".to_owned()), 443);
    accepts("API.GitHub.COM.:443", Host::Name("api.github.com".to_owned()), 443);
    accepts("10.0.0.1:8443", Host::Address("10.0.0.1".parse().unwrap()), 8443);
    accepts("[fd00::1]:443", Host::Address("fd00::1".parse().unwrap()), 443);
}

#[test]
fn what_is_not_a_destination_is_malformed() {
    for target in [
        "github.com",
        "github.com:",
        "github.com:0",
        "github.com:65536",
        "github.com:+443",
        ":443",
        "a..b:443",
        ".:443",
        "user@github.com:443",
        "https://github.com:443",
        "/path:443",
        "fd00::1:443",
        "[fd00::1:443",
        "[10.0.0.1]:443",
        "git%68ub.com:443",
    ] {
        refuses(&head(&format!("CONNECT {target} HTTP/1.1"), ""), Invalid::Malformed("destination"));
    }
    refuses(
        &head(&format!("CONNECT {}:443 HTTP/1.1", "a".repeat(64)), ""),
        Invalid::Malformed("destination"),
    );
    refuses(
        &head(&format!("CONNECT {}:443 HTTP/1.1", ["a"; 128].join(".")), ""),
        Invalid::Malformed("destination"),
    );
}

#[test]
fn any_other_method_is_refused_as_such() {
    for method in ["GET", "POST", "OPTIONS", "connect"] {
        refuses(&head(&format!("{method} http://github.com/ HTTP/1.1"), ""), Invalid::Method);
    }
}

#[test]
fn what_is_not_http_is_malformed() {
    refuses("\r\n\r\n", Invalid::Malformed("request line"));
    refuses(&head("CONNECT github.com:443", ""), Invalid::Malformed("request line"));
    refuses(&head("CONNECT  github.com:443 HTTP/1.1", ""), Invalid::Malformed("request line"));
    refuses(&head("CONNECT github.com:443 HTTP/2.0", ""), Invalid::Malformed("version"));
    refuses(&head("C0NNECT github.com:443 HTTP/1.1", ""), Invalid::Malformed("method"));
    refuses(&head("CONNECT github.com:443 HTTP/1.1", "no colon\r\n"), Invalid::Malformed("header"));
    refuses(
        &head("CONNECT github.com:443 HTTP/1.1", "Host: x\r\n folded: y\r\n"),
        Invalid::Malformed("header name"),
    );
    refuses(&head("CONNECT github.com:443 HTTP/1.1", "Host : x\r\n"), Invalid::Malformed("header name"));
    refuses(&head("CONNECT github.com:443 HTTP/1.1", "Host: x\nEvil: y\r\n"), Invalid::Malformed("line end"));
    refuses(&head("CONNECT github.com:443 HTTP/1.1", "Host: caf\u{e9}\r\n"), Invalid::Malformed("not ASCII"));
    refuses(&head("CONNECT github.com:443 HTTP/1.1", "Host: \0\r\n"), Invalid::Malformed("not ASCII"));
}

#[test]
fn a_request_with_a_body_is_refused() {
    refuses(&head("CONNECT github.com:443 HTTP/1.1", "Content-Length: 5\r\n"), Invalid::Malformed("a body"));
    refuses(
        &head("CONNECT github.com:443 HTTP/1.1", "transfer-encoding: chunked\r\n"),
        Invalid::Malformed("a body"),
    );
    let empty = head("CONNECT github.com:443 HTTP/1.1", "Content-Length: 0\r\n");
    assert!(parse(empty.as_bytes(), LIMIT).unwrap().is_some());
}

#[test]
fn what_follows_the_head_is_left_for_the_tunnel() {
    let text = head("CONNECT github.com:443 HTTP/1.1", "Traceparent: 00-ab-cd-01\r\n") + "\u{16}\u{3}rest";
    let parsed = parse(text.as_bytes(), LIMIT).unwrap().unwrap();
    assert_eq!(&text[parsed.length..], "\u{16}\u{3}rest");
    assert_eq!(parsed.traceparent.as_deref(), Some("00-ab-cd-01"));
}

#[test]
fn a_head_that_does_not_end_is_waited_for_up_to_the_limit() {
    assert_eq!(parse(b"CONNECT github.com:443 HTTP/1.1\r\nA: b\r\n", LIMIT), Ok(None));
    let long = head("CONNECT github.com:443 HTTP/1.1", &format!("A: {}\r\n", "b".repeat(LIMIT)));
    refuses(&long, Invalid::TooLong);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&bytes, 512);
    }

    #[test]
    fn a_head_means_the_same_however_much_of_the_tunnel_came_with_it(
        label in "[a-z][a-z0-9-]{0,20}",
        port in 1u16..,
        value in "[ -~]{0,40}",
        rest in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let text = head(&format!("CONNECT {label}.example.org:{port} HTTP/1.1"), &format!("X-Any: {value}\r\n"));
        let alone = parse(text.as_bytes(), LIMIT).unwrap().unwrap();
        let together = parse(&[text.as_bytes(), &rest].concat(), LIMIT).unwrap().unwrap();
        prop_assert_eq!(&alone, &together);
        prop_assert_eq!(alone.host, Host::Name(format!("{label}.example.org")));
        prop_assert_eq!(alone.length, text.len());
    }

    #[test]
    fn no_prefix_of_a_good_head_is_refused_or_taken(cut in 0usize..80) {
        let text = head("CONNECT api.github.com:443 HTTP/1.1", "Host: api.github.com:443\r\nA: b\r\n");
        prop_assert_eq!(parse(&text.as_bytes()[..cut.min(text.len() - 1)], LIMIT), Ok(None));
    }
}
