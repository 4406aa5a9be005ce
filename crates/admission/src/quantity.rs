//! Kubernetes quantities as exact numbers of thousandths.

/// Parses a quantity (`1500m`, `2Gi`, `1e3`) into thousandths, rounded up as the API server does below that.
/// `None` when it is not a quantity.
#[must_use]
pub fn millis(text: &str) -> Option<i128> {
    let text = text.trim();
    let end = text.find(|it: char| !matches!(it, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (numerator, denominator) = decimal(number)?;
    let (factor, divisor) = scale(suffix)?;
    let product = numerator.checked_mul(factor)?.checked_mul(1000)?;
    let divisor = denominator.checked_mul(divisor)?;
    let floor = product.div_euclid(divisor);
    Some(if product.rem_euclid(divisor) == 0 { floor } else { floor + 1 })
}

/// `12.5` as 125 tenths.
fn decimal(number: &str) -> Option<(i128, i128)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 12 || fraction.contains(['+', '-']) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, 10i128.pow(u32::try_from(fraction.len()).ok()?)))
}

/// Factor and divisor of a suffix.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let scaled = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => return exponent(suffix),
    };
    Some(scaled)
}

fn exponent(suffix: &str) -> Option<(i128, i128)> {
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10i128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        let cases = [
            ("1", 1000),
            ("1500m", 1500),
            ("0.5", 500),
            (".5", 500),
            ("2Ki", 2_048_000),
            ("1e3", 1_000_000),
            ("1E", 10i128.pow(21)),
            ("100n", 1),
            ("12E-1", 1200),
            ("-1", -1000),
            ("1.5Gi", 1_610_612_736_000),
            ("+3", 3000),
            ("0", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["", "Gi", "1Q", "1.2.3", "1 Gi", "--1", "1e", "99999999999999999999999999999999999999Ei", "1e99"]
        {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
