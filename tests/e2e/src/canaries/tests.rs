use super::*;

fn canaries(secrets: &[(&str, &str)]) -> Canaries {
    Canaries::new(secrets.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned()))).unwrap()
}

fn found(secret: &str, text: &str) -> bool {
    let canaries = canaries(&[("it", secret)]);
    let names = canaries.in_stream(text.as_bytes()).unwrap();
    !names.is_empty()
}

/// A value of which no part is like another.
fn long(length: usize) -> String {
    (0..2000).map(|it: u64| format!("{:x}", it * 2_654_435 + 7)).collect::<Vec<_>>().concat()[..length]
        .to_owned()
}

#[test]
fn a_whole_secret_is_found() {
    for length in [16, 17, 40, 63, 64, 65, 200, 2000] {
        let secret = long(length);
        assert!(found(&secret, &format!("Authorization: Bearer {secret}\n")), "of length {length}");
        assert!(!found(&secret, "Authorization: Bearer REDACTED\n"));
    }
}

#[test]
fn a_half_is_found() {
    for length in [40, 64, 127, 128, 2000] {
        let secret = long(length);
        assert!(found(&secret, &secret[..length.div_ceil(2)]), "the first of {length}");
        assert!(found(&secret, &secret[length / 2..]), "the last of {length}");
    }
}

#[test]
fn the_beginning_that_tokens_share_is_none() {
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{}", long(300));
    assert!(!found(&token, "eyJhbGciOiJSUzI1NiJ9."));
}

#[test]
fn a_key_is_found_by_any_line_however_it_is_quoted() {
    let key = format!("-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----\n", &long(128)[..64], &long(128)[64..]);
    assert!(found(&key, &serde_json::to_string(&key).unwrap()));
    assert!(found(&key, key.lines().nth(2).unwrap()));
    assert!(!found(&key, "-----BEGIN KEY-----\n-----END KEY-----\n"));
}

#[test]
fn a_secret_too_short_to_look_for_is_an_error() {
    assert!(Canaries::new([("it".to_owned(), "short".to_owned())]).is_err());
}

#[test]
fn each_is_told_by_its_name() {
    let (one, other) = (long(40), long(90)[50..].to_owned());
    let canaries = canaries(&[("one", &one), ("other", &other)]);
    let names = canaries.in_stream(format!("{other} {one}").as_bytes()).unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["one", "other"]);
}
