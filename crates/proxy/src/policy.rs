//! May it go there? Pure: judges names and addresses, resolves none.
//!
//! | Destination | Verdict |
//! |---|---|
//! | an address in an allowed range, under any name and port | yes |
//! | an allowed name, port 443, at a public address | yes |
//! | the same at a private, loopback, link-local, metadata or otherwise special address | no |
//! | anything else | no |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::connect::Host;

/// Where GitHub's runners have to reach: the API, sources, packages, the Actions service, and the storage in
/// which it keeps logs, caches and artifacts. They hold if the environment names no hosts.
const GITHUB_HOSTS: [&str; 7] = [
    "github.com",
    "githubusercontent.com",
    "githubassets.com",
    "githubapp.com",
    "ghe.com",
    "ghcr.io",
    "blob.core.windows.net",
];

/// Names lead to HTTPS only; other ports need their address range allowed.
const HTTPS: u16 = 443;

/// The names and ranges that may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Lower case, without dots at either end.
    suffixes: Vec<String>,
    /// With their text, which is the metrics' `destination`.
    ranges: Vec<(IpNet, String)>,
}

/// Why a destination may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// Its name is not allowed.
    Host,
    /// Its name is allowed, its port is not.
    Port,
    /// Its address is not allowed.
    Address,
}

impl Policy {
    /// `github.com` in `suffixes` admits itself and what is below it. Without suffixes, GitHub's own hold.
    pub fn new(suffixes: &[String], ranges: Vec<IpNet>) -> Self {
        let given = suffixes.iter().map(|it| it.trim_matches(['*', '.', ' ']).to_ascii_lowercase());
        let given: Vec<String> = given.filter(|it| !it.is_empty()).collect();
        let suffixes =
            if given.is_empty() { GITHUB_HOSTS.iter().map(ToString::to_string).collect() } else { given };
        Policy { suffixes, ranges: ranges.into_iter().map(|it| (it, it.to_string())).collect() }
    }

    /// Whether the name may be resolved at all. One that no address can make right is not: a lookup alone
    /// carries data out.
    ///
    /// # Errors
    /// [`Denial`].
    pub fn may_resolve(&self, name: &str, port: u16) -> Result<(), Denial> {
        if !self.ranges.is_empty() { Ok(()) } else { self.by_name(name, port).map(drop) }
    }

    /// Judges one address of a destination; the verdict holds for this address only. Returns the entry that
    /// allows it.
    ///
    /// # Errors
    /// [`Denial`].
    pub fn judge(&self, host: &Host, port: u16, address: IpAddr) -> Result<&str, Denial> {
        let address = address.to_canonical();
        if let Some((_, text)) = self.ranges.iter().find(|(range, _)| range.contains(&address)) {
            return Ok(text);
        }
        let Host::Name(name) = host else { return Err(Denial::Address) };
        let entry = self.by_name(name, port)?;
        if is_public(address) { Ok(entry) } else { Err(Denial::Address) }
    }

    fn by_name(&self, name: &str, port: u16) -> Result<&str, Denial> {
        let entry = self.suffixes.iter().find(|it| is_below(name, it)).ok_or(Denial::Host)?;
        if port == HTTPS { Ok(entry) } else { Err(Denial::Port) }
    }
}

/// The name itself or a subdomain: `notgithub.com` is not below `github.com`.
fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Not in IANA's registry of special-purpose addresses. The cloud's metadata service is link-local.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

/// Global unicast that carries no IPv4 address of its own choosing.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64: what it leads to is the IPv4 address in it.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Teredo and other protocol assignments, documentation, 6to4.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

impl Denial {
    /// The word in metrics and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Denial::Host => "host_denied",
            Denial::Port => "port_denied",
            Denial::Address => "address_denied",
        }
    }
}

#[cfg(test)]
mod tests;
