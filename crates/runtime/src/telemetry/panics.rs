//! A panic is one line of the log as anything else is.

use std::panic::PanicHookInfo;

/// Replaces the hook that would write several lines of text to stderr.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(
            target: "panic",
            error = message(panic),
            location,
            thread = thread.name().unwrap_or("unnamed"),
            "a thread panicked"
        );
    }));
}

fn message<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    panic.payload_as_str().unwrap_or("no message")
}
