use std::time::Duration;

use proptest::prelude::*;

use super::{InvalidTime, parse_span, parse_time};

#[test]
fn year_one_is_unset_with_and_without_zone() {
    assert_eq!(parse_time("0001-01-01T00:00:00"), Ok(None));
    assert_eq!(parse_time("0001-01-01T00:00:00Z"), Ok(None));
}

#[test]
fn a_time_without_zone_is_utc() {
    let utc = Some("2026-09-01T10:20:00Z".parse().unwrap());
    assert_eq!(parse_time("2026-09-01T10:20:00"), Ok(utc));
    assert_eq!(parse_time("2026-09-01T10:20:00.0000000Z"), Ok(utc));
    assert_eq!(parse_time("2026-09-01T12:20:00+02:00"), Ok(utc));
    assert_eq!(parse_time("yesterday"), Err(InvalidTime));
}

#[test]
fn a_span_has_days_and_fractions_or_not() {
    assert_eq!(parse_span("00:05:00"), Ok(Duration::from_secs(300)));
    assert_eq!(parse_span("1.02:03:04"), Ok(Duration::from_secs(93_784)));
    assert_eq!(parse_span("00:00:00.2500000"), Ok(Duration::from_millis(250)));
    for text in
        ["", "5", "00:05", "-00:05:00", "00:05:00:00", "a:b:c", "+1:00:00", "99999999999999999999:00:00"]
    {
        assert_eq!(parse_span(text), Err(InvalidTime), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,40}", digits in "[0-9.:TZ+-]{0,40}") {
        let _ = (parse_time(&text), parse_span(&text), parse_time(&digits), parse_span(&digits));
    }

    #[test]
    fn a_span_is_what_was_written(days in 0u64..1000, hours in 0u64..24, minutes in 0u64..60, seconds in 0u64..60) {
        let written = format!("{days}.{hours:02}:{minutes:02}:{seconds:02}");
        let expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
        prop_assert_eq!(parse_span(&written), Ok(Duration::from_secs(expected)));
    }
}
