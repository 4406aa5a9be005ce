//! The series of every process. All but the first come from the collector of Prometheus' client library.

#![expect(missing_docs, reason = "the help text of each says it")]

use crate::{Label, Series, Table};

pub const BUILD_INFO: Series = Series::gauge(
    "actions_gateway_build_info",
    "Always 1; the labels say what is running.",
    &[Label::open("component", "The program."), Label::open("version", "Its version.")],
);
pub const CPU_SECONDS: Series =
    Series::counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", &[]);
pub const OPEN_FDS: Series = Series::gauge("process_open_fds", "Number of open file descriptors.", &[]);
pub const MAX_FDS: Series = Series::gauge("process_max_fds", "Maximum number of open file descriptors.", &[]);
pub const VIRTUAL_MEMORY_BYTES: Series =
    Series::gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", &[]);
pub const RESIDENT_MEMORY_BYTES: Series =
    Series::gauge("process_resident_memory_bytes", "Resident memory size in bytes.", &[]);
pub const START_TIME_SECONDS: Series = Series::gauge(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
    &[],
);
pub const THREADS: Series = Series::gauge("process_threads", "Number of OS threads in the process.", &[]);

/// All of them.
pub const ALL: Table = &[
    &BUILD_INFO,
    &CPU_SECONDS,
    &OPEN_FDS,
    &MAX_FDS,
    &VIRTUAL_MEMORY_BYTES,
    &RESIDENT_MEMORY_BYTES,
    &START_TIME_SECONDS,
    &THREADS,
];
