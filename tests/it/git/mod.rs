//! A branch of a Git repository as a source: through the real `git`, with real repositories.

mod binary;
mod follow;
mod hostile;
mod http;
pub mod repo;
mod restart;
mod signed;

use std::path::Path;
use std::time::Duration;

use bursar::source::git::{Address, Branch, Limits, Options, Repository, Taken, TreePath};
use tokio_util::sync::CancellationToken;

/// Follows `main` of a repository, with its copy in a folder.
pub fn options(url: &str, mirrors: &Path) -> Options {
    Options {
        address: Address::parse(url).unwrap(),
        branch: Branch::parse("main").unwrap(),
        path: TreePath::default(),
        mirrors: mirrors.to_owned(),
        credential: None,
        signers: None,
        allow_rewind: false,
        limits: Limits { time: Duration::from_secs(60), ..Limits::default() },
    }
}

pub fn repository(options: Options) -> Repository {
    Repository::new(options, CancellationToken::new())
}

/// Looks once, and takes in whatever is good.
pub fn look(repository: &mut Repository) -> Result<Option<Taken>, String> {
    let taken = repository.look("bursar.lock")?;
    if let Some(taken) = &taken {
        repository.keep(&taken.commit).unwrap();
    }
    Ok(taken)
}

/// Names and texts of what was taken; a file that was not read is shown as why.
pub fn files(taken: &Taken) -> Vec<(String, String)> {
    let files = taken.tree.files.files().iter();
    files
        .map(|file| {
            let text = match &file.content {
                Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Err(problem) => format!("! {problem}"),
            };
            (file.name.clone(), text)
        })
        .collect()
}

/// Looks once at something new that is good.
#[track_caller]
pub fn took(repository: &mut Repository) -> Taken {
    look(repository).unwrap().expect("something new")
}
