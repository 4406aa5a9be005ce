use super::{ApiBase, Repository, Scope, Target, UrlError, join};
use url::Url;

#[track_caller]
fn check(configured: &str, api: &str, scope: &str) {
    let target = Target::parse(configured, false).unwrap();
    assert_eq!(target.api.join(&["meta"]).as_str(), format!("{api}/meta"));
    assert_eq!(target.scope.to_string(), scope);
}

#[test]
fn each_kind_of_host_has_its_rest_base() {
    check("https://github.com/synthetic-org", "https://api.github.com", "orgs/synthetic-org");
    check("https://www.github.com/a/b", "https://api.github.com", "repos/a/b");
    check("https://tenant.ghe.com/org", "https://api.tenant.ghe.com", "orgs/org");
    check("https://github.localhost/org", "https://api.github.localhost", "orgs/org");
    check("https://ghes.test:8443/org/", "https://ghes.test:8443/api/v3", "orgs/org");
    check("http://ghes.test/org", "http://ghes.test/api/v3", "orgs/org");
}

#[test]
fn a_name_that_only_looks_like_github_is_enterprise_server() {
    check("https://github.com.evil.test/org", "https://github.com.evil.test/api/v3", "orgs/org");
    check("https://notghe.com/org", "https://notghe.com/api/v3", "orgs/org");
}

#[test]
fn enterprise_server_can_be_forced() {
    let target = Target::parse("https://github.com/org", true).unwrap();
    assert_eq!(target.api.as_url().as_str(), "https://github.com/api/v3");
}

#[test]
fn the_path_names_the_scope() {
    check("https://github.com//org//", "https://api.github.com", "orgs/org");
    check("https://github.com/Enterprises/big-co", "https://api.github.com", "enterprises/big-co");
    let scope = |text: &str| Target::parse(text, false).map(|it| it.scope);
    assert_eq!(scope("https://github.com/"), Err(UrlError::Scope));
    assert_eq!(scope("https://github.com/a/b/c"), Err(UrlError::Scope));
    assert_eq!(scope("https://github.com/enterprises"), Ok(Scope::Org("enterprises".into())));
    assert_eq!(scope("https://github.com/a%2Fb"), Err(UrlError::Name("a%2Fb".into())));
    assert_eq!(scope("https://user:secret@github.com/a"), Err(UrlError::Server));
    assert_eq!(scope("ftp://github.com/a"), Err(UrlError::Server));
    assert!(matches!(scope("github.com/a"), Err(UrlError::Syntax(_))));
}

#[test]
fn a_repository_cannot_climb_out_of_its_path() {
    assert!(Repository::parse("synthetic-org/demo-repo").is_ok());
    for name in ["", "a", "a/", "/b", "../b", "a/..", "a/b/c", "a/b?c", "a/b c", "ä/b"] {
        assert!(Repository::parse(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_verb_is_joined_with_one_slash_and_the_query_kept() {
    let check = |base: &str, joined: &str| {
        assert_eq!(join(&Url::parse(base).unwrap(), "acquirejob").as_str(), joined);
    };
    check("https://run-0.actions.test/38/", "https://run-0.actions.test/38/acquirejob");
    check("https://run-0.actions.test/38", "https://run-0.actions.test/38/acquirejob");
    check("https://run-0.actions.test/38//?a=b", "https://run-0.actions.test/38/acquirejob?a=b");
    check("https://run-0.actions.test", "https://run-0.actions.test/acquirejob");
}

#[test]
fn a_base_is_taken_with_or_without_a_slash() {
    let meta = |base: &str| ApiBase::parse(base).unwrap().join(&["meta"]).to_string();
    assert_eq!(meta("https://fake.test/api/v3/"), "https://fake.test/api/v3/meta");
    assert_eq!(meta("https://fake.test/api/v3"), "https://fake.test/api/v3/meta");
}
