use super::*;

struct Folders {
    _all: tempfile::TempDir,
    program: PathBuf,
    secret: PathBuf,
    target: PathBuf,
}

fn folders(files: &[&str]) -> Folders {
    let all = tempfile::tempdir().unwrap();
    let [program, secret, target] = ["program", "secret", "target"].map(|name| all.path().join(name));
    fs::write(&program, "elf").unwrap();
    fs::create_dir(&secret).unwrap();
    fs::create_dir(&target).unwrap();
    for name in files {
        fs::write(secret.join(name), format!("content of {name}")).unwrap();
        fs::set_permissions(secret.join(name), Permissions::from_mode(0o400)).unwrap();
    }
    Folders { _all: all, program, secret, target }
}

fn modes(dir: &Path) -> Vec<(String, u32)> {
    let mut modes: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|it| it.unwrap())
        .map(|it| {
            (it.file_name().into_string().unwrap(), it.metadata().unwrap().permissions().mode() & 0o7777)
        })
        .collect();
    modes.sort();
    modes
}

#[test]
fn wrapper_and_claim_are_copied_for_any_user_and_nothing_else_is() {
    let it = folders(&["payload", "jitconfig", "run.json", "stranger"]);
    for _ in 0..2 {
        install(&it.program, &it.secret, &it.target).unwrap();
        let owned = |(name, mode): (&str, u32)| (name.to_owned(), mode);
        // Without the sticky bit: the runner's user is not the one that installs, and must be able to unlink.
        assert_eq!(modes(&it.target), [("claim", 0o777), ("worker", 0o755)].map(owned));
        let claim = [("jitconfig", 0o644), ("payload", 0o644), ("run.json", 0o644)];
        assert_eq!(modes(&it.target.join("claim")), claim.map(owned));
    }
    assert_eq!(fs::read_to_string(it.target.join("claim/payload")).unwrap(), "content of payload");
    assert_eq!(fs::read_to_string(it.target.join("worker")).unwrap(), "elf");
}

#[test]
fn a_secret_without_a_job_is_an_error() {
    let it = folders(&["jitconfig"]);
    assert!(matches!(install(&it.program, &it.secret, &it.target), Err(Error::NoJob { .. })));
    let missing = it.secret.join("missing");
    assert!(matches!(install(&it.program, &missing, &it.target), Err(Error::NoJob { .. })));
}

#[test]
fn a_target_that_takes_no_file_is_named() {
    let it = folders(&["payload"]);
    let error = install(&it.program, &it.secret, &it.target.join("missing")).unwrap_err();
    assert!(matches!(&error, Error::Copy { to, .. } if *to == it.target.join("missing/worker")), "{error}");
}
