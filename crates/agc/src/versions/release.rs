//! Release numbers of the runner, and days. Pure.

use jiff::Timestamp;

/// A longer text names no release.
const LONGEST: usize = 32;

const SECONDS_OF_A_DAY: i64 = 24 * 60 * 60;

/// The three numbers of a release; `None` for any other text.
pub(super) fn numbers(version: &str) -> Option<[u64; 3]> {
    let is_number = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let parts: Vec<u64> = version.split('.').filter(is_number).filter_map(|it| it.parse().ok()).collect();
    let whole = version.len() <= LONGEST && version.split('.').count() == 3;
    parts.try_into().ok().filter(|_| whole)
}

/// Whole days from `now` to `end`, rounded down: zero in the last 24 hours, below zero from the end on.
pub(super) fn days_left(end: Timestamp, now: Timestamp) -> i64 {
    (end.as_second() - now.as_second()).div_euclid(SECONDS_OF_A_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_three_numbers() {
        assert_eq!(numbers("2.337.0"), Some([2, 337, 0]));
        for bad in ["", "2.337", "2.337.0.1", "v2.337.0", "2.337.x", "2..0", "+2.3.7", "2.337.0\n"] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
        assert_eq!(numbers(&format!("2.337.{}", "0".repeat(40))), None);
    }

    #[test]
    fn releases_are_ordered_by_number() {
        assert!(numbers("2.99.9") < numbers("2.337.0"));
        assert!(numbers("nonsense") < numbers("0.0.1"));
    }

    #[test]
    fn days_are_counted_whole() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let end = at("2026-12-15T00:00:00Z");
        assert_eq!(days_left(end, at("2026-12-01T00:00:00Z")), 14);
        assert_eq!(days_left(end, at("2026-12-01T00:00:01Z")), 13);
        assert_eq!(days_left(end, at("2026-12-14T23:59:59Z")), 0);
        assert_eq!(days_left(end, at("2026-12-15T00:00:01Z")), -1);
    }
}
