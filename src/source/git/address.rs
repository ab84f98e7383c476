//! Where a repository is, which branch and which folder of it: parsed once, so that nothing
//! that reaches the `git` program can be an option, a remote helper or a path outside.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::domain::text::inert;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    raw: String,
    kind: Kind,
}

/// How a repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `https://`, or `http://` of this machine; the scheme, host and port of it.
    Http {
        /// `https://git.example:8443`.
        origin: String,
        /// `https`, or `http` of this machine.
        scheme: &'static str,
    },
    /// `ssh://` or `user@host:path`.
    Ssh,
    /// A folder of this machine.
    Local(PathBuf),
}

/// Why an address, a branch or a folder is refused. Never repeats an address, for it may
/// hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(&'static str);

impl Address {
    /// Takes `https://`, `ssh://`, `user@host:path`, `file://` and paths.
    ///
    /// # Errors
    /// Anything else: remote helpers (`ext::`), options, passwords, other schemes.
    pub fn parse(raw: &str) -> Result<Self, Refused> {
        let kind = kind(raw)?;
        Ok(Self { raw: raw.to_owned(), kind })
    }

    /// How it is reached.
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The one word for `GIT_ALLOW_PROTOCOL`.
    pub const fn protocol(&self) -> &'static str {
        match &self.kind {
            Kind::Http { scheme, .. } => scheme,
            Kind::Ssh => "ssh",
            Kind::Local(_) => "file",
        }
    }

    /// As the program takes it.
    pub fn argument(&self) -> OsString {
        match &self.kind {
            Kind::Http { .. } | Kind::Ssh => self.raw.clone().into(),
            Kind::Local(path) => path.clone().into_os_string(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&inert(&self.raw))
    }
}

fn kind(raw: &str) -> Result<Kind, Refused> {
    if raw.is_empty() || raw.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Refused("a repository's address is not empty and holds no white space or control characters"));
    }
    if raw.starts_with('-') {
        return Err(Refused("an address that begins with `-` would be an option of git's"));
    }
    let before_slash = raw.split('/').next().unwrap_or_default();
    if before_slash.contains("::") {
        return Err(Refused("`NAME::` runs a remote helper of git's, which is never done"));
    }
    if let Some((scheme, rest)) = raw.split_once("://") {
        return match scheme {
            "https" => http(rest, "https"),
            "http" => http(rest, "http"),
            "ssh" => ssh(rest.split('/').next().unwrap_or_default(), rest.split_once('/').map(|(_, path)| path)),
            "file" if rest.starts_with('/') => Ok(Kind::Local(PathBuf::from(rest))),
            _ => Err(Refused("only https://, ssh://, user@host:path, file:/// and paths are taken")),
        };
    }
    match before_slash.split_once(':') {
        Some((authority, _)) => ssh(authority, raw.split_once(':').map(|(_, path)| path)),
        None => std::path::absolute(Path::new(raw))
            .map(Kind::Local)
            .map_err(|_| Refused("the folder that this process stands in is not known")),
    }
}

fn http(rest: &str, scheme: &'static str) -> Result<Kind, Refused> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Refused(
            "a user or password in the address would stand in the list of processes; use --git-token-file",
        ));
    }
    if rest.contains(['?', '#', '\\']) {
        return Err(Refused("an address has no `?`, `#` or `\\`"));
    }
    if !is_host(host_of(authority)) {
        return Err(Refused("the address names no host"));
    }
    if scheme == "http" && !is_loopback(host_of(authority)) {
        return Err(Refused(
            "http:// sends everything in the clear, so it is taken for this machine only; use https://",
        ));
    }
    Ok(Kind::Http { origin: format!("{scheme}://{authority}"), scheme })
}

fn ssh(authority: &str, path: Option<&str>) -> Result<Kind, Refused> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("git", authority));
    if user.contains(':') {
        return Err(Refused("a password in the address would stand in the list of processes; use --git-ssh-key"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) || !is_host(host_of(host)) {
        return Err(Refused("the address names no user and host that ssh could take"));
    }
    match path {
        Some(path) if !path.is_empty() && !path.starts_with('-') => Ok(Kind::Ssh),
        _ => Err(Refused("the address names no path on the host")),
    }
}

/// The host without its port; an IPv6 address in brackets stays whole.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

fn is_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && !host.starts_with('-')
                && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_')
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A branch's name, without `refs/heads/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch(String);

impl Branch {
    /// Takes a name that git takes for a branch.
    ///
    /// # Errors
    /// An option, a pattern, a refspec, or what git refuses in a name.
    pub fn parse(raw: &str) -> Result<Self, Refused> {
        let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        let parts_hold =
            raw.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
        if raw.starts_with(['-', '+']) || raw.chars().any(bad) || !parts_hold {
            return Err(Refused("this is no name of a branch"));
        }
        if raw.contains("..") || raw.contains("@{") || raw.ends_with('.') || raw == "@" {
            return Err(Refused("this is no name of a branch"));
        }
        Ok(Self(raw.to_owned()))
    }

    /// The name, without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `refs/heads/NAME`: only a branch is followed, never a tag of that name.
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&inert(&self.0))
    }
}

/// A folder inside of a commit; empty for all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreePath(String);

impl TreePath {
    /// Takes a relative path with `/` that stays inside.
    ///
    /// # Errors
    /// `..`, an absolute path, an option, control characters.
    pub fn parse(raw: &str) -> Result<Self, Refused> {
        if raw.starts_with(['/', '-', ':']) || raw.chars().any(|c| c.is_control() || c == '\\') {
            return Err(Refused("this is no path of a folder inside of the repository"));
        }
        let mut parts = Vec::new();
        for part in raw.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(Refused("a path inside of the repository has no `..`")),
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// The path without slashes at its ends; empty for the whole tree.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.0.is_empty() { ".".into() } else { inert(&self.0) })
    }
}

/// A commit's full name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommitId(String);

impl CommitId {
    /// Takes 40 or 64 lower-case hexadecimal digits.
    pub fn parse(raw: &str) -> Option<Self> {
        let whole = matches!(raw.len(), 40 | 64);
        let hex = raw.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (whole && hex).then(|| Self(raw.to_owned()))
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// What the repository must count its objects by.
    pub(super) fn object_format(&self) -> &'static str {
        if self.0.len() == 64 { "sha256" } else { "sha1" }
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(raw: &str) -> String {
        match Address::parse(raw) {
            Ok(address) => match address.kind() {
                Kind::Http { origin, .. } => format!("http {origin}"),
                Kind::Ssh => "ssh".to_owned(),
                Kind::Local(path) => format!("local {}", path.display()),
            },
            Err(Refused(why)) => format!("refused: {why}"),
        }
    }

    #[test]
    fn addresses_are_of_four_kinds() {
        for (raw, kind) in [
            ("https://git.example/a/b.git", "http https://git.example"),
            ("https://git.example:8443/a", "http https://git.example:8443"),
            ("http://127.0.0.1:80/a", "http http://127.0.0.1:80"),
            ("http://[::1]:80/a", "http http://[::1]:80"),
            ("ssh://git@git.example:22/a/b.git", "ssh"),
            ("ssh://git.example/a", "ssh"),
            ("git@git.example:a/b.git", "ssh"),
            ("git.example:/srv/a", "ssh"),
            ("/srv/a:b.git", "local /srv/a:b.git"),
            ("file:///srv/a.git", "local /srv/a.git"),
        ] {
            assert_eq!(kind_of(raw), kind, "{raw}");
        }
        assert!(kind_of("clients").starts_with("local /"));
    }

    #[test]
    fn whatever_would_run_or_reveal_something_is_refused() {
        for raw in [
            "",
            "-u./x",
            "--upload-pack=touch x",
            "--upload-pack=x",
            "ext::sh -c touch%20x",
            "ext::sh",
            "fd::3",
            "fd::3/foo",
            "https://user:canary@git.example/a",
            "https://canary@git.example/a",
            "ssh://git:canary@git.example/a",
            "ssh://-oProxyCommand=x/a",
            "ssh://git@-oProxyCommand=x/a",
            "-oProxyCommand=x:a",
            "git@-oProxyCommand=x:a",
            "git@git.example:-x",
            "git@git.example:",
            "ssh://git.example",
            "http://git.example/a",
            "http://localhost.evil.example/a",
            "https:///a",
            "https://git.example/a?token=canary",
            "https://git.example\\@evil.example/a",
            "git://git.example/a",
            "ftp://git.example/a",
            "file://host/a",
            "https://git.example/a\nb",
        ] {
            let kind = kind_of(raw);
            assert!(kind.starts_with("refused: ") && !kind.contains("canary"), "{raw}: {kind}");
        }
    }

    #[test]
    fn branches_and_folders_are_names_and_nothing_else() {
        for good in ["main", "release/2026", "a-b", "ünï"] {
            assert_eq!(Branch::parse(good).unwrap().reference(), format!("refs/heads/{good}"));
        }
        for bad in [
            "",
            "-x",
            "--upload-pack=x",
            "+main",
            "a:b",
            "a*",
            "a b",
            "a..b",
            "a//b",
            "/a",
            "a/",
            ".a",
            "a/.b",
            "a.lock",
            "a@{1}",
            "@",
            "a\u{1b}",
            "a~1",
            "a^",
            "a\\b",
            "a.",
        ] {
            assert!(Branch::parse(bad).is_err(), "{bad:?}");
        }
        for (raw, path) in [(".", ""), ("", ""), ("./a/b/", "a/b"), ("a//b", "a/b"), ("a b", "a b")] {
            assert_eq!(TreePath::parse(raw).unwrap().as_str(), path);
        }
        for bad in ["..", "a/../../b", "/etc", "-x", ":(glob)**", "a\nb", "a\\..\\b"] {
            assert!(TreePath::parse(bad).is_err(), "{bad:?}");
        }
    }
}
