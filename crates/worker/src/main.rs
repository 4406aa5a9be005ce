//! The wrapper's program: arguments and environment go in, an exit code comes out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(worker::main(std::env::args().skip(1), std::env::vars_os().collect()))
}
