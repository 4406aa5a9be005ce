use super::*;

fn certificate(name: &str) -> String {
    format!("{PEM_BEGIN}\n{name}\n-----END CERTIFICATE-----")
}

#[test]
fn certificates_of_files_without_a_last_line_break_stay_apart() {
    let joined = join([certificate("a").as_str(), &(certificate("b") + "\n\n"), &certificate("c")]);
    assert_eq!(joined, format!("{}\n{}\n{}\n", certificate("a"), certificate("b"), certificate("c")));
}

#[test]
fn a_missing_an_empty_and_a_foreign_file_add_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.crt");
    assert_eq!(read_extra(&path).unwrap(), None);
    for content in ["", "\n", "not a certificate"] {
        fs::write(&path, content).unwrap();
        assert_eq!(read_extra(&path).unwrap(), None);
    }
    fs::write(&path, certificate("a")).unwrap();
    assert_eq!(read_extra(&path).unwrap(), Some(certificate("a")));
}

#[test]
fn the_first_bundle_that_is_there_is_the_systems() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["one", "two", "three"].map(|name| dir.path().join(name));
    assert_eq!(read_first(&paths).unwrap(), None);
    fs::write(&paths[2], certificate("three")).unwrap();
    fs::write(&paths[1], certificate("two")).unwrap();
    assert_eq!(read_first(&paths).unwrap(), Some(certificate("two")));
}

#[test]
fn the_bundle_is_readable_by_all_and_replaces_an_old_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(BUNDLE), "old").unwrap();
    let path = write("new", &[dir.path()]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn a_directory_that_does_not_take_it_makes_way_for_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert_eq!(write("pem", &[&missing, dir.path()]).unwrap(), dir.path().join(BUNDLE));
    let error = write("pem", &[&missing]).unwrap_err();
    assert!(matches!(&error, Error::Write { dir, .. } if *dir == missing), "{error}");
}

#[test]
fn a_file_without_an_end_is_refused() {
    let error = read_extra(Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
}
