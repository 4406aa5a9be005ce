use proptest::prelude::*;
use serde_json::Value;

use super::{BodyError, clip, json, plain_text};
use crate::limits::ERROR_TEXT;

#[test]
fn a_byte_order_mark_is_not_a_part_of_the_json() {
    assert_eq!(json::<Value>(b"\xEF\xBB\xBF{}\n", 16), Ok(serde_json::json!({})));
}

#[test]
fn a_body_beyond_the_limit_is_not_parsed() {
    assert_eq!(json::<Value>(b"[1,2,3]", 6), Err(BodyError::TooLong { length: 7, limit: 6 }));
}

#[test]
fn an_error_tells_where_and_not_what() {
    let error = json::<u64>(br#""ghs_FAKESECRET""#, 64).unwrap_err();
    assert_eq!(error.to_string(), "the body is not the expected JSON (data error at line 1, column 16)");
}

#[test]
fn markup_is_not_a_message() {
    assert_eq!(plain_text(b"<!DOCTYPE html>"), "");
    assert_eq!(plain_text(b"404 page not found\n"), "404 page not found");
}

proptest! {
    #[test]
    fn a_clipped_text_is_short_and_on_one_line(text in "(?s).{0,2000}") {
        let clipped = clip(&text);
        prop_assert!(clipped.len() <= ERROR_TEXT);
        prop_assert!(!clipped.chars().any(char::is_control));
    }
}
