use std::fs;

use super::*;

fn check(
    files: &[(&str, &str)],
    oom_kills: Option<u64>,
    memory_peak_bytes: Option<u64>,
    cpu_millis: Option<u64>,
) {
    let cgroup = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = cgroup.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    assert_eq!(read(cgroup.path()), Usage { oom_kills, memory_peak_bytes, cpu_millis });
}

#[test]
fn version_two_is_read() {
    let events = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
    let cpu = "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n";
    check(
        &[("memory.events", events), ("memory.peak", "104857600\n"), ("cpu.stat", cpu)],
        Some(2),
        Some(104_857_600),
        Some(1_234),
    );
}

#[test]
fn version_one_is_read() {
    let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n";
    check(
        &[
            ("memory/memory.oom_control", control),
            ("memory/memory.max_usage_in_bytes", "4096\n"),
            ("cpuacct/cpuacct.usage", "5000000\n"),
        ],
        Some(1),
        Some(4096),
        Some(5),
    );
}

#[test]
fn what_a_node_does_not_say_is_absent() {
    check(&[], None, None, None);
    check(
        &[("memory.events", "oom_kill many\n"), ("memory.peak", "max\n"), ("cpu.stat", "")],
        None,
        None,
        None,
    );
}

#[test]
fn what_was_used_before_the_job_is_not_the_jobs() {
    let usage = |oom_kills, memory_peak_bytes, cpu_millis| Usage { oom_kills, memory_peak_bytes, cpu_millis };
    let before = usage(Some(3), Some(50), Some(1_000));
    let after = usage(Some(4), Some(70), Some(2_500));
    assert_eq!(between(before, after), usage(Some(1), Some(70), Some(1_500)));
    assert_eq!(between(Usage::default(), after), after);
    assert_eq!(between(before, Usage::default()), Usage::default());
}
