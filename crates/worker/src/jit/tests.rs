use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn blob(files: &[(&str, &str)]) -> String {
    let map: BTreeMap<_, _> = files.iter().map(|(name, content)| (name, BASE64.encode(content))).collect();
    BASE64.encode(serde_json::to_vec(&map).unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_two_known_files_are_written_for_their_owner_only() {
    let home = tempfile::tempdir().unwrap();
    let files = [(".runner", "{}"), (".credentials", "c")];
    let config = decode(&blob(&files)).unwrap();
    assert!(!config.key_dropped && config.refused.is_empty());
    write(&config, home.path()).unwrap();
    for (name, content) in files {
        let path = home.path().join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(mode(&path), 0o600);
    }
}

#[test]
fn the_private_key_of_an_older_controllers_blob_is_dropped_unread() {
    let home = tempfile::tempdir().unwrap();
    let map = BTreeMap::from([(".runner", BASE64.encode("{}")), (PRIVATE_KEY, "not base64".to_owned())]);
    let config = decode(&BASE64.encode(serde_json::to_vec(&map).unwrap())).unwrap();
    assert!(config.key_dropped && config.refused.is_empty());
    write(&config, home.path()).unwrap();
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

/// During an upgrade a pod may have the wrapper of the last release: it wants no file but `.runner`.
#[test]
fn the_settings_alone_are_a_whole_configuration() {
    let home = tempfile::tempdir().unwrap();
    let config = decode(&blob(&[(".runner", "{}")])).unwrap();
    write(&config, home.path()).unwrap();
    assert_eq!(fs::read_to_string(home.path().join(".runner")).unwrap(), "{}");
}

#[test]
fn names_that_are_not_known_are_refused_and_reach_no_path() {
    let parent = tempfile::tempdir().unwrap();
    let home = parent.path().join("home");
    fs::create_dir(&home).unwrap();
    let names = ["../x", "/tmp/x", ".env", ".runner/../../x", ".Runner"];
    let files: Vec<_> = names.into_iter().chain([".runner"]).map(|name| (name, "{}")).collect();
    let config = decode(&blob(&files)).unwrap();
    write(&config, &home).unwrap();
    let mut refused = names.map(str::to_owned).to_vec();
    refused.sort();
    assert_eq!(config.refused, refused);
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn a_link_or_a_mode_left_by_the_image_does_not_survive() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = home.path().join("elsewhere");
    fs::write(&elsewhere, "old").unwrap();
    symlink(&elsewhere, home.path().join(".runner")).unwrap();
    fs::write(home.path().join(".credentials"), "old").unwrap();
    fs::set_permissions(home.path().join(".credentials"), fs::Permissions::from_mode(0o666)).unwrap();
    write(&decode(&blob(&[(".runner", "{}"), (".credentials", "new")])).unwrap(), home.path()).unwrap();
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "old");
    assert_eq!(mode(&home.path().join(".credentials")), 0o600);
}

#[test]
fn a_home_without_settings_is_an_error_that_names_the_file() {
    let home = tempfile::tempdir().unwrap();
    let error = write(&decode("").unwrap(), home.path()).unwrap_err();
    assert!(matches!(&error, Error::NoSettings { path } if *path == home.path().join(".runner")), "{error}");
}

#[test]
fn settings_that_the_image_brings_are_enough() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".runner"), "{}").unwrap();
    write(&decode(" \n").unwrap(), home.path()).unwrap();
}

#[test]
fn broken_blobs_are_refused_without_quoting_them() {
    let not_strings = BASE64.encode("{\".runner\": \"fine\", \".credentials\": [\"s3cret\"]}");
    let not_a_map = BASE64.encode("\"s3cret\"");
    let not_base64_inside = BASE64.encode("{\".runner\": \"s3cret!\"}");
    for blob in ["s3cret!", &not_strings, &not_a_map, &not_base64_inside] {
        let error = decode(blob).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn debug_output_holds_names_only() {
    let config = decode(&blob(&[(".credentials", "private")])).unwrap();
    let text = format!("{config:?}");
    assert!(text.contains(".credentials") && !text.contains("112"), "{text}");
}
