use std::time::Duration;

use jiff::Timestamp;

use super::RateLimit;
use crate::fixture::{answer, reply};

fn now() -> Timestamp {
    "2026-09-01T10:00:00Z".parse().unwrap()
}

#[track_caller]
fn check(status: u16, headers: &[(&str, &str)], message: &str, expected: Option<RateLimit>) {
    assert_eq!(RateLimit::of(&reply(status, headers, ""), message), expected);
}

#[test]
fn the_table_of_limits() {
    let minute = Some(RateLimit::After(Duration::from_secs(60)));
    check(429, &[("retry-after", "60")], "", minute);
    check(403, &[("retry-after", "60")], "", minute);
    let reset = "1788260400";
    let until = Some(RateLimit::Until(Timestamp::from_second(1_788_260_400).unwrap()));
    check(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)], "", until);
    check(429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)], "", until);
    check(403, &[("x-ratelimit-remaining", "0")], "", Some(RateLimit::Unspecified));
    check(403, &[], "You have exceeded a Secondary Rate Limit.", Some(RateLimit::Unspecified));
    check(429, &[], "", Some(RateLimit::Unspecified));
}

#[test]
fn a_missing_permission_is_not_a_rate_limit() {
    check(403, &[("x-ratelimit-remaining", "4000")], "Resource not accessible by integration", None);
    check(200, &[("x-ratelimit-remaining", "0")], "", None);
    check(503, &[("retry-after", "3")], "", None);
}

#[test]
fn retry_after_may_be_a_date_or_nonsense() {
    let date = Some(RateLimit::Until("2031-01-01T00:00:00Z".parse().unwrap()));
    check(429, &[("retry-after", "Wed, 01 Jan 2031 00:00:00 GMT")], "", date);
    check(429, &[("retry-after", "soon")], "", Some(RateLimit::Unspecified));
    check(429, &[("retry-after", "-5")], "", Some(RateLimit::Unspecified));
}

#[test]
fn a_wait_is_never_negative_and_never_long() {
    let until = |text: &str| RateLimit::Until(text.parse().unwrap()).delay(now());
    assert_eq!(until("2026-09-01T09:00:00Z"), Duration::ZERO);
    assert_eq!(until("2026-09-01T10:00:07Z"), Duration::from_secs(7));
    assert_eq!(until("2031-01-01T00:00:00Z"), Duration::from_secs(3600));
    assert_eq!(RateLimit::After(Duration::MAX).delay(now()), Duration::from_secs(3600));
    assert_eq!(RateLimit::Unspecified.delay(now()), Duration::from_secs(60));
}

#[test]
fn the_secondary_limit_of_the_fixture_lasts_a_minute() {
    let limit = RateLimit::of(&answer("r5_secondary_limit"), "");
    assert_eq!(limit, Some(RateLimit::After(Duration::from_secs(60))));
}
