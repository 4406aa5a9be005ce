//! The images that specs use, put together here: nothing is pulled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::{Upstream, folder};
use crate::cluster::Program;
use crate::run;

/// What specs run in agnhost besides agnhost itself: dig, curl, sh, getent, nc.
pub(super) const DEBIAN: [&str; 5] = ["bind9-dnsutils", "curl", "dash", "libc-bin", "netcat-openbsd"];
/// Those of them that a busybox has, too. Its shell would run its own, whatever there is on the path.
const ALSO_APPLETS: [&str; 2] = ["nc", "sh"];

/// Folders of Debian's packages that programs need.
const PROGRAM_FOLDERS: [&str; 4] = ["bin", "lib", "lib64", "usr"];

/// How an image is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipe {
    /// agnhost from upstream's source, with tools of Debian and a busybox.
    Agnhost,
    /// A busybox.
    Busybox,
    /// A program that would become root, from upstream's source.
    NoNewPrivileges,
    /// agnhost's web server. Specs ask of nginx no more than that it runs and listens.
    WebServer,
    /// What every pod of our cluster holds.
    Pause,
}

impl Recipe {
    /// How the image is made, if it is one that the listed specs use.
    fn of(image: &str) -> Option<Self> {
        let (name, _tag) = image.strip_prefix("registry.k8s.io/")?.split_once(':')?;
        match name {
            "e2e-test-images/agnhost" | "e2e-test-images/glibc-dns-testing" => Some(Self::Agnhost),
            "e2e-test-images/busybox" => Some(Self::Busybox),
            "e2e-test-images/nonewprivs" => Some(Self::NoNewPrivileges),
            "e2e-test-images/nginx" => Some(Self::WebServer),
            "pause" => Some(Self::Pause),
            _ => None,
        }
    }
}

/// Packs the images; returns their archives.
pub(super) fn pack(
    upstream: &Upstream,
    program: &Program,
    busybox: &Path,
    tools: &Path,
) -> Result<Vec<PathBuf>> {
    let packer = Packer { upstream, program, busybox, tools, applets: applets(busybox)? };
    let folder = folder()?.join("images");
    fs::create_dir_all(&folder)?;
    let mut archives = Vec::new();
    for image in upstream.images()? {
        if let Some(recipe) = Recipe::of(&image) {
            let archive = folder.join(format!("{}.tar", image.replace(['/', ':'], "_")));
            run::logged("image-pack", packer.command(recipe, &image).arg("-o").arg(&archive))?;
            archives.push(archive);
        }
    }
    if archives.is_empty() {
        bail!("upstream's suite names no image that we know how to make");
    }
    Ok(archives)
}

struct Packer<'a> {
    upstream: &'a Upstream,
    program: &'a Program,
    busybox: &'a Path,
    tools: &'a Path,
    applets: Vec<String>,
}

impl Packer<'_> {
    fn command(&self, recipe: Recipe, image: &str) -> Command {
        let mut command = self.program.command();
        command.args(["image", "pack", "--name", image]);
        match recipe {
            Recipe::Agnhost => {
                for folder in PROGRAM_FOLDERS {
                    file(&mut command, &self.tools.join(folder), &format!("/{folder}"));
                }
                self.busybox(&mut command, &ALSO_APPLETS, "/usr/bin:/bin");
                self.agnhost(&mut command, &["pause"]);
                file(&mut command, &self.upstream.file("localhost.crt"), "/localhost.crt:0644");
                file(&mut command, &self.upstream.file("localhost.key"), "/localhost.key:0644");
                command.args(["--link", "/agnhost-2:agnhost", "--link", "/bin/nc:nc.openbsd"]);
                command.args(["--dir", "/uploads:1777"]);
            }
            Recipe::Busybox => {
                self.busybox(&mut command, &[], "/bin");
                command.arg("--arg=sh");
            }
            Recipe::NoNewPrivileges => {
                file(&mut command, &self.upstream.file("nonewprivs"), "/nnp:4755");
                command.args(["--entrypoint", "/nnp"]);
            }
            Recipe::WebServer => self.agnhost(&mut command, &["netexec", "--http-port=80"]),
            Recipe::Pause => {
                file(&mut command, &self.program.pause(), "/pause:0755");
                command.args(["--entrypoint", "/pause"]);
            }
        }
        command
    }

    fn agnhost(&self, command: &mut Command, args: &[&str]) {
        file(command, &self.upstream.file("agnhost"), "/agnhost:0755");
        command.args(["--entrypoint", "/agnhost"]).args(args.iter().map(|it| format!("--arg={it}")));
    }

    fn busybox(&self, command: &mut Command, without: &[&str], path: &str) {
        file(command, self.busybox, "/bin/busybox:0755");
        let applets = self.applets.iter().filter(|it| !without.contains(&it.as_str()));
        command.args(applets.map(|it| format!("--link=/bin/{it}:busybox")));
        command.args(["--dir", "/tmp:1777", "--env", &format!("PATH={path}")]);
    }
}

fn file(command: &mut Command, source: &Path, target: &str) {
    command.arg("--file").arg(format!("{}:{target}", source.display()));
}

/// What a busybox can be called by, but for its own name.
fn applets(busybox: &Path) -> Result<Vec<String>> {
    let printed = run::output(Command::new(busybox).arg("--list"))?;
    Ok(printed.lines().filter(|it| *it != "busybox").map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_name_whatever_its_version() {
        assert_eq!(Recipe::of("registry.k8s.io/e2e-test-images/agnhost:9.1"), Some(Recipe::Agnhost));
        assert_eq!(Recipe::of("registry.k8s.io/pause:3.10.2"), Some(Recipe::Pause));
    }

    #[test]
    fn an_image_of_another_registry_is_none_of_ours() {
        assert_eq!(Recipe::of("gcr.io/k8s-authenticated-test/agnhost:2.6"), None);
        assert_eq!(Recipe::of("registry.k8s.io/e2e-test-images/perl:5.26"), None);
    }
}
