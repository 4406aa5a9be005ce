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

fn installed(it: &Folders, claim: &str, reader: For) -> Result<(), Error> {
    install(&it.program, &it.secret, &it.target, Path::new(claim), reader)
}

#[track_caller]
fn check_modes(dir: PathBuf, expected: &[(&str, u32)]) {
    let owned: Vec<_> = expected.iter().map(|(name, mode)| ((*name).to_owned(), *mode)).collect();
    assert_eq!(modes(&dir), owned, "{}", dir.display());
}

#[test]
fn wrapper_and_claim_are_copied_and_nothing_else_is() {
    let it = folders(&["payload", "jitconfig", "run.json", "stranger"]);
    installed(&it, "claim/name", For::Anybody).unwrap();
    assert_eq!(fs::read_to_string(it.target.join("claim/name/payload")).unwrap(), "content of payload");
    assert_eq!(fs::read_to_string(it.target.join("worker")).unwrap(), "elf");
}

#[test]
fn a_claim_for_any_user_is_for_those_who_know_its_folder() {
    let it = folders(&["payload", "jitconfig", "run.json", "stranger"]);
    for _ in 0..2 {
        installed(&it, "claim/name", For::Anybody).unwrap();
        check_modes(it.target.clone(), &[("claim", 0o711), ("worker", 0o755)]);
        // Without the sticky bit: the runner's user is not the one that installs, and must be able to unlink.
        check_modes(it.target.join("claim"), &[("name", 0o777)]);
        let files = [("jitconfig", 0o644), ("payload", 0o644), ("run.json", 0o644)];
        check_modes(it.target.join("claim/name"), &files);
    }
}

#[test]
fn a_private_claim_is_for_its_owner_alone() {
    let it = folders(&["payload", "run.json"]);
    for _ in 0..2 {
        installed(&it, "claim/name", For::Owner).unwrap();
        check_modes(it.target.clone(), &[("claim", 0o700), ("worker", 0o755)]);
        check_modes(it.target.join("claim"), &[("name", 0o700)]);
        check_modes(it.target.join("claim/name"), &[("payload", 0o600), ("run.json", 0o600)]);
    }
}

#[test]
fn a_secret_without_a_job_is_an_error() {
    let it = folders(&["jitconfig"]);
    assert!(matches!(installed(&it, "claim", For::Anybody), Err(Error::NoJob { .. })));
    let missing = it.secret.join("missing");
    assert!(matches!(
        installed(&Folders { secret: missing, ..it }, "claim", For::Anybody),
        Err(Error::NoJob { .. })
    ));
}

#[test]
fn a_target_that_takes_no_file_is_named() {
    let it = folders(&["payload"]);
    let error =
        installed(&Folders { target: it.target.join("missing"), ..it }, "claim", For::Owner).unwrap_err();
    assert!(matches!(&error, Error::Copy { to, .. } if *to == it.target.join("missing/worker")), "{error}");
}
