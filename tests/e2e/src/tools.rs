//! The programs that a person would use: helm, kubectl, promtool.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// No tool of the suite takes longer.
const LIMIT: Duration = Duration::from_secs(180);

/// Runs a tool and returns what it printed. Fails with what it complained about.
pub async fn run(program: &str, args: &[&str], input: &str) -> Result<String> {
    let line = format!("{program} {}", args.join(" "));
    let mut command = Command::new(program);
    command.args(args);
    let input = input.to_owned();
    let output = tokio::task::spawn_blocking(move || output(command, &input));
    let output = tokio::time::timeout(LIMIT, output)
        .await
        .with_context(|| format!("{line} did not end within {LIMIT:?}"))??
        .with_context(|| format!("{program} cannot be run: is it installed and on PATH?"))?;
    if !output.status.success() {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{line} ended with {}:\n{stderr}{stdout}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn output(mut command: Command, input: &str) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that ends without reading its input tells why by its exit.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}
