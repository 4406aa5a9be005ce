//! The wrapper as a program of this package, so that its tests can start it in front of the stand-in.

use std::process::ExitCode;

fn main() -> ExitCode {
    worker::main(std::env::args().skip(1), |name| std::env::var(name).ok())
}
