//! What a repository of manifests is called, wherever it is checked out.

use super::text::inert;

/// What a repository is known by: the first of these that there is.
///
/// A name must be the same in every checkout, a shallow one of CI's too, which has neither
/// the first commit nor the folder of the machine before it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "by", content = "id", rename_all = "snake_case")]
pub enum RepositoryName {
    /// The journal that `bursar.lock` names: two checkouts of one fleet name the same one,
    /// and a fleet is what a plan is for.
    Journal(String),
    /// Where `origin` is: host and path, without scheme, user, password and `.git`, so that
    /// `https` and `ssh` are the same. A path on this machine is no such name.
    Origin(String),
    /// The commits that everything began with, where the history is whole.
    Root(String),
    /// The folder itself: good on one machine only.
    Folder(String),
}

impl RepositoryName {
    /// In words, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Journal(id) => format!("the one whose bursar.lock names the journal {}", inert(id)),
            Self::Origin(place) => format!("the one of {}", inert(place)),
            Self::Root(commits) => format!("the one that begins with the commit {}", inert(commits)),
            Self::Folder(path) => format!("the folder {}", inert(path)),
        }
    }
}
