//! Durations as .NET writes a `TimeSpan` (protocol §0.5): `[d.]hh:mm:ss[.fffffff]`.

use jiff::SignedDuration;

/// A duration in words; a fraction has seven digits and stands there only if there is any.
pub(crate) fn write(duration: SignedDuration) -> String {
    let (seconds, fraction) = (duration.as_secs(), duration.subsec_nanos() / 100);
    let days = seconds / 86_400;
    let hours = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let whole = if days == 0 { hours } else { format!("{days}.{hours}") };
    if fraction == 0 { whole } else { format!("{whole}.{fraction:07}") }
}

/// Reads such words; none when they are others.
pub(crate) fn read(text: &str) -> Option<SignedDuration> {
    let (clock, fraction) = match text.rsplit_once('.') {
        // A point before a colon stands behind days.
        Some((clock, fraction)) if !fraction.contains(':') => (clock, fraction),
        _ => (text, ""),
    };
    let (days, clock) = clock.split_once('.').unwrap_or(("0", clock));
    let [hours, minutes, seconds] = clock.split(':').collect::<Vec<_>>().try_into().ok()?;
    let (hours, minutes, seconds) = (below(hours, 24)?, below(minutes, 60)?, below(seconds, 60)?);
    let seconds = below(days, 10_000)? * 86_400 + hours * 3600 + minutes * 60 + seconds;
    if fraction.len() > 7 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    Some(SignedDuration::new(seconds, nanoseconds))
}

fn below(text: &str, limit: i64) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (text, milliseconds) in [
            ("00:05:00", 300_000),
            ("00:00:00", 0),
            ("01:00:00", 3_600_000),
            ("5.00:00:01", 432_001_000),
            ("00:00:06.2500000", 6_250),
        ] {
            let duration = SignedDuration::from_millis(milliseconds);
            assert_eq!((write(duration).as_str(), read(text)), (text, Some(duration)));
        }
    }

    #[test]
    fn what_is_no_duration_is_not_read() {
        for wrong in ["", "5", "00:05", "00:60:00", "-00:05:00", "a.00:00:00", "00:00:00.12345678"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
