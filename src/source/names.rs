//! Which files are manifests, by their names: one rule for folders on disk and in commits.

/// The deepest folder that is read; a tree that is deeper is not one of manifests.
pub(super) const DEEPEST: usize = 64;

/// What an entry of a folder is by its name, before anybody looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// A manifest, if it is a file.
    Manifest,
    /// Nothing for us, unless it is a folder.
    Other,
    /// Left out, whatever it is.
    Hidden,
    /// A policy or configuration of ours, which nobody should believe to be in force here.
    Operators,
}

impl Name {
    pub(super) fn of(name: &[u8]) -> Self {
        let hidden = name.starts_with(b".");
        let manifest = !hidden && (name.ends_with(b".yaml") || name.ends_with(b".yml"));
        match std::str::from_utf8(name) {
            _ if manifest => Self::Manifest,
            Ok(name) if is_operators(name) => Self::Operators,
            _ if hidden => Self::Hidden,
            _ => Self::Other,
        }
    }
}

/// What a file is by its path below the folder of manifests, when that is walked down from
/// the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A manifest.
    Manifest,
    /// Nothing for us.
    Other,
    /// It, or a folder on the way, is left out.
    Hidden,
    /// What is at this path, it or a folder on the way, has the name of a file of ours.
    Operators(&'a [u8]),
    /// It stands in a folder that is too deep.
    Deep,
}

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a [u8]) -> Self {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let (mut begin, mut last) = (0, Name::Other);
        for (depth, end) in ends.chain([path.len()]).enumerate() {
            if depth > DEEPEST {
                return Self::Deep;
            }
            last = Name::of(&path[begin..end]);
            match last {
                Name::Hidden => return Self::Hidden,
                Name::Operators => return Self::Operators(&path[..end]),
                Name::Manifest | Name::Other => begin = end + 1,
            }
        }
        if last == Name::Manifest { Self::Manifest } else { Self::Other }
    }
}

/// Whether a file that is no manifest by its name (hidden, or of another format) looks like a
/// policy or configuration of ours.
fn is_operators(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let stem = stem.strip_prefix('.').unwrap_or(stem);
    let ours = ["bursar", "bursar.policy", "bursar-policy", "bursar.config", "bursar-config"].contains(&stem);
    ours && ["yaml", "yml", "toml", "json"].contains(&extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_path_has_its_say_and_the_first_word_counts() {
        let deep = |folders: usize| format!("{}a.yaml", "d/".repeat(folders));
        for (path, place) in [
            ("a.yaml", Place::Manifest),
            ("x.yaml/b.yml", Place::Manifest),
            ("x.yaml/README", Place::Other),
            ("a.YAML", Place::Other),
            ("yaml", Place::Other),
            (".yaml", Place::Hidden),
            (".x/a.yaml", Place::Hidden),
            (".x/bursar.toml", Place::Hidden),
            ("bursar.yaml", Place::Manifest),
            ("x/.bursar.yaml", Place::Operators(b"x/.bursar.yaml")),
            ("x/bursar.toml/.y/a.yaml", Place::Operators(b"x/bursar.toml")),
            (&deep(DEEPEST), Place::Manifest),
            (&deep(DEEPEST + 1), Place::Deep),
            (&format!(".x/{}", deep(DEEPEST)), Place::Hidden),
        ] {
            assert_eq!(Place::of(path.as_bytes()), place, "{path}");
        }
        assert_eq!(Place::of(b"\xff.yaml"), Place::Manifest, "a name need be no text");
    }
}
