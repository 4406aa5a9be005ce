//! Tells the crate which commit it is built from.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=BUILD_COMMIT");
    // What is shipped names its own commit. A debug build may name the one it was first made from: to follow
    // each commit would compile every program again.
    if std::env::var("PROFILE").is_ok_and(|it| it == "release") {
        println!("cargo:rerun-if-changed=../../.git/logs/HEAD");
    } else {
        println!("cargo:rerun-if-changed=build.rs");
    }
    println!("cargo:rustc-env=BUILD_COMMIT={}", commit());
}

/// `BUILD_COMMIT` where the image build has no repository at hand, else what git says.
fn commit() -> String {
    std::env::var("BUILD_COMMIT")
        .ok()
        .filter(|it| !it.is_empty())
        .or_else(commit_of_checkout)
        .unwrap_or_else(|| "unknown".to_owned())
}

fn commit_of_checkout() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|it| output.status.success() && !it.is_empty())
}
