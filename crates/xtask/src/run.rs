//! Running other programs: quietly, with their output kept for when they fail.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// How many lines of a failed program's output are shown.
const TAIL: usize = 60;

/// Root of the repository.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).map(Path::to_owned).context("the repository has no root")
}

/// Where logs and archives of this program go.
pub(crate) fn output_dir() -> Result<PathBuf> {
    let dir = root()?.join("target/xtask");
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Where things are kept that outlive the checkout.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|it| !it.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("actions-gateway"))
}

/// Runs to the end, showing output as it comes.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| spoken(command))?;
    if !status.success() {
        bail!("{} failed: {status}", spoken(command));
    }
    Ok(())
}

/// Runs to the end with output in a log of that name, whose end is shown on failure.
pub(crate) fn logged(name: &str, command: &mut Command) -> Result<()> {
    let path = output_dir()?.join(format!("{name}.log"));
    let log = File::create(&path)?;
    let status = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .with_context(|| spoken(command))?;
    if !status.success() {
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        bail!("{tail}\n{} failed: {status}; all of its output is in {}", spoken(command), path.display());
    }
    Ok(())
}

/// Runs to the end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::piped()).output().with_context(|| spoken(command))?;
    if !output.status.success() {
        bail!("{} failed: {}\n{}", spoken(command), output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs to the end with `input`, and returns what it printed.
pub(crate) fn fed(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| spoken(command))?;
    // The programs that are fed read all of their input before they print, so writing first cannot block for ever.
    child.stdin.take().context("a piped child has an input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{} failed: {}\n{}", spoken(command), output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Has a command make the folder that its last argument names. It works beside the place until all is there: a build that
/// was cut off must not be taken for one.
pub(crate) fn built(folder: &Path, log: &str, mut command: Command) -> Result<()> {
    let unfinished = folder.with_extension("unfinished");
    logged(log, command.arg(&unfinished))?;
    fs::rename(&unfinished, folder).with_context(|| folder.display().to_string())
}

/// Two of the same at a time would take each other's cluster away.
pub(crate) fn lock(name: &str) -> Result<File> {
    let path = cache_dir()?.join(format!("{name}.lock"));
    fs::create_dir_all(path.parent().context("the lock has a folder")?)?;
    let file = File::create(&path)?;
    file.try_lock()
        .map_err(|_| anyhow!("another run of this holds {}: wait for it, or end it", path.display()))?;
    Ok(file)
}

/// Whether a program of that name is on the PATH.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn spoken(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let text = words.map(|it| it.to_string_lossy()).collect::<Vec<_>>().join(" ");
    if text.chars().count() > 200 { text.chars().take(200).chain("…".chars()).collect() } else { text }
}
