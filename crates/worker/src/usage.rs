//! What the container used, read once at its end: the kernel keeps totals and peaks, so there is nothing to sample.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use handoff::worker::Usage;

/// Where a container sees its own cgroup.
pub const CGROUP: &str = "/sys/fs/cgroup";

/// These files hold a few hundred bytes.
const MAX_FILE: u64 = 64 << 10;

/// Reads cgroup v2, or v1 where a node still has it.
pub fn read(cgroup: &Path) -> Usage {
    let text = |file: &str| {
        let mut text = String::new();
        File::open(cgroup.join(file)).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let number = |file: &str| text(file)?.trim().parse::<u64>().ok();
    let keyed = |file: &str, key: &str| {
        let text = text(file)?;
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value?.trim().parse::<u64>().ok()
    };
    Usage {
        oom_kills: keyed("memory.events", "oom_kill")
            .or_else(|| keyed("memory/memory.oom_control", "oom_kill")),
        memory_peak_bytes: number("memory.peak").or_else(|| number("memory/memory.max_usage_in_bytes")),
        cpu_millis: keyed("cpu.stat", "usage_usec")
            .map(|micros| micros / 1_000)
            .or_else(|| Some(number("cpuacct/cpuacct.usage")? / 1_000_000)),
    }
}

/// The part of two readings that fell between them; the peak is the later one's. In a container of its own the earlier
/// one is next to nothing; where a cgroup is shared, what others did before is not ours.
pub fn between(earlier: Usage, later: Usage) -> Usage {
    let grown =
        |earlier: Option<u64>, later: Option<u64>| Some(later?.saturating_sub(earlier.unwrap_or_default()));
    Usage {
        oom_kills: grown(earlier.oom_kills, later.oom_kills),
        memory_peak_bytes: later.memory_peak_bytes,
        cpu_millis: grown(earlier.cpu_millis, later.cpu_millis),
    }
}

#[cfg(test)]
mod tests;
