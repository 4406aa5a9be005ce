//! What was measured: figures with their unit, count and spread.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One measured quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// What it is, in words that stay the same from run to run.
    pub name: String,
    /// Such as `ms` or `MiB`.
    pub unit: String,
    /// How many samples there are.
    pub count: usize,
    /// The median; the value itself when there is one sample.
    pub p50: f64,
    /// The 99th percentile, by nearest rank.
    pub p99: f64,
    /// The largest sample.
    pub max: f64,
    /// The machine's load average over the last minute, when it was taken.
    pub load: f64,
}

impl Figure {
    /// A figure of these samples; none if there are none.
    pub fn of(name: &str, unit: &str, mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        Some(Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            count: samples.len(),
            p50: rank(&samples, 50)?,
            p99: rank(&samples, 99)?,
            max: *samples.last()?,
            load: load(),
        })
    }

    /// A figure of one sample.
    pub fn single(name: &str, unit: &str, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            count: 1,
            p50: value,
            p99: value,
            max: value,
            load: load(),
        }
    }
}

/// The smallest sample that at least `percent` of all samples do not exceed.
fn rank(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

/// Milliseconds from one moment to a later one; negative if it is not later.
pub fn millis(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}

/// A count as a sample.
#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
pub fn count(value: usize) -> f64 {
    value as f64
}

/// The load average of the last minute, 0 where the kernel does not tell.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Figure;

    #[test]
    fn percentiles_are_samples_of_the_nearest_rank() {
        let figure = Figure::of("x", "ms", (1..=200).rev().map(f64::from).collect()).unwrap();
        assert_eq!((figure.count, figure.p50, figure.p99, figure.max), (200, 100.0, 198.0, 200.0));
    }

    #[test]
    fn the_99th_of_few_samples_is_the_largest() {
        let figure = Figure::of("x", "ms", vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((figure.p50, figure.p99), (2.0, 3.0));
    }

    #[test]
    fn without_samples_there_is_no_figure() {
        assert_eq!(Figure::of("x", "ms", Vec::new()), None);
    }
}
