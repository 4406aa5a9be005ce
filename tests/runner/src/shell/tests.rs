use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder with these programs, as a `PATH`.
fn image(programs: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in programs {
        let file = folder.path().join(name);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// The call of a shell in an image with these programs.
fn call(wish: &str, programs: &[&str]) -> Result<String, Error> {
    let image = image(programs);
    let path = image.path().display().to_string();
    let shell = Shell::find(wish, &path)?;
    let program = shell.program.file_name().unwrap().to_str().unwrap().to_owned();
    Ok(format!("{} = {program} {}", shell.name, shell.arguments(Path::new("/t/x")).join("|")))
}

#[test]
fn shells_are_called_as_by_the_official_worker() {
    let all = ["bash", "sh", "python", "perl"];
    let table = [
        ("", "sh = bash -e|/t/x"),
        ("bash", "bash = bash --noprofile|--norc|-e|-o|pipefail|/t/x"),
        ("sh", "sh = sh -e|/t/x"),
        ("python", "python = python /t/x"),
        ("bash -x {0}", "bash = bash -x|/t/x"),
        ("perl -e \"do '{0}'; 1\" --", "perl = perl -e|do '/t/x'; 1|--"),
    ];
    for (wish, expected) in table {
        assert_eq!(call(wish, &all).unwrap(), expected, "{wish}");
    }
}

#[test]
fn an_image_without_bash_runs_what_names_no_shell_with_sh() {
    assert_eq!(call("", &["sh"]).unwrap(), "sh = sh -e|/t/x");
    assert_eq!(call("bash", &["sh"]), Err(Error::NotFound("bash".into())));
    assert_eq!(call("", &[]), Err(Error::NotFound("sh".into())));
}

#[test]
fn python_may_be_called_python3() {
    assert_eq!(call("python", &["python3"]).unwrap(), "python = python3 /t/x");
}

#[test]
fn a_shell_that_is_neither_known_nor_a_template_is_refused() {
    for wish in ["fish", "fish -c", "bash -x"] {
        assert_eq!(call(wish, &["fish", "bash"]), Err(Error::Invalid), "{wish}");
    }
}

#[test]
fn a_program_that_may_not_run_is_none() {
    let image = image(&[]);
    fs::write(image.path().join("sh"), "").unwrap();
    assert!(Shell::find("sh", &image.path().display().to_string()).is_err());
}
