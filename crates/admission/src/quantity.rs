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

/// The quantity as Kubernetes writes it: `250m`, `1500m`, `4`, and in bytes `64Mi`, which is 65536Ki, or `1G`.
#[must_use]
pub fn canonical(millis: i128) -> String {
    let [text] = alike([millis]);
    text
}

/// Quantities of one resource with the same suffix, so that they can be compared at a glance: `3900m`, `4000m`, `250m`.
#[must_use]
pub fn alike<const N: usize>(millis: [i128; N]) -> [String; N] {
    let decimal = with_suffix(millis, 1000, &["m", "", "k", "M", "G", "T", "P", "E"]);
    if millis.iter().any(|it| it % 1000 != 0) {
        return decimal;
    }
    let binary = with_suffix(millis.map(|it| it / 1000), 1024, &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]);
    let length = |texts: &[String; N]| texts.iter().map(String::len).sum::<usize>();
    if length(&binary) < length(&decimal) { binary } else { decimal }
}

/// The numbers divided by the largest power of `base` that divides them all.
fn with_suffix<const N: usize>(mut numbers: [i128; N], base: i128, suffixes: &[&str]) -> [String; N] {
    if numbers == [0; N] {
        return numbers.map(|it| it.to_string());
    }
    let mut used = 0;
    while used + 1 < suffixes.len() && numbers.iter().all(|it| it % base == 0) {
        numbers = numbers.map(|it| it / base);
        used += 1;
    }
    let suffix = suffixes.get(used).copied().unwrap_or_default();
    numbers.map(|it| format!("{it}{suffix}"))
}

#[cfg(test)]
mod tests;
