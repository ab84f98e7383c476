//! `--only` and `--changed-since`: a part of the clients, by name or by what a branch touches.

use std::collections::BTreeSet;

use crate::domain::ClientName;
use crate::domain::text::inert;
use crate::manifest::{self, Wanted};
use crate::plan::{Selector, Touched, touched};
use crate::source::git::since;

use super::error::CliError;
use super::manifests::ManifestArgs;

/// A part of the clients. The matching of manifests to accounts always looks at all of them.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ScopeArgs {
    /// Only these clients; several are joined by commas, or the option is given again
    #[arg(long, value_name = "CLIENT", value_delimiter = ',')]
    only: Vec<String>,
    /// Only clients that come out otherwise than where REF and HEAD last were one: by their own
    /// manifests, by defaults or by groups
    #[arg(long, value_name = "REF")]
    changed_since: Option<String>,
}

impl ScopeArgs {
    /// Refuses the options beside a saved plan, which says itself which clients it is for.
    ///
    /// # Errors
    /// One of them was given.
    pub fn check_absent(&self) -> Result<(), CliError> {
        if self.only.is_empty() && self.changed_since.is_none() {
            return Ok(());
        }
        Err(CliError::new("a saved plan says itself which clients it is for")
            .hint("leave --only and --changed-since out, or make another one: bursar plan --only CLIENT --out FILE"))
    }

    /// The clients that are meant, of those with the labels.
    ///
    /// # Errors
    /// A client that no manifest names, or a revision that cannot be read.
    pub async fn selector(&self, manifests: &ManifestArgs, wanted: &Wanted) -> Result<Selector, CliError> {
        let mut selector = manifests.selector();
        if !self.only.is_empty() {
            let names = self.only.iter().map(|name| named(name, wanted)).collect::<Result<_, _>>()?;
            selector = selector.among(names);
        }
        if let Some(reference) = &self.changed_since {
            let Touched { clients, notices } = changed(manifests, reference.clone(), wanted).await?;
            selector = selector.telling(notices);
            if let Some(clients) = clients {
                selector = selector.among(clients);
            }
        }
        Ok(selector)
    }
}

/// A client that a manifest names, even one that does not hold.
fn named(raw: &str, wanted: &Wanted) -> Result<ClientName, CliError> {
    let raw = raw.trim();
    let invalid = wanted.invalid.iter().filter_map(|document| document.name.as_ref());
    let known: BTreeSet<&ClientName> = wanted.clients.iter().map(|client| &client.name).chain(invalid).collect();
    if let Some(name) = known.iter().find(|name| name.as_str() == raw) {
        return Ok((*name).clone());
    }
    let error = CliError::new(format!("no manifest is named `{}`", inert(raw)));
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(name.as_str(), raw), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.as_str().len() / 4);
    Err(match near {
        Some((_, name)) => error.hint(format!("did you mean {name}?")),
        None => error.hint("--only takes a client's metadata.name; bursar render lists them"),
    })
}

async fn changed(manifests: &ManifestArgs, reference: String, wanted: &Wanted) -> Result<Touched, CliError> {
    let (paths, options) = (manifests.paths.clone(), manifests.options());
    let before = tokio::task::spawn_blocking(move || {
        since::read(&paths, &reference).map(|tree| (manifest::load(&tree.files, &options).wanted, tree.opaque))
    });
    let (before, opaque) = before.await?.map_err(|error| {
        let hint = error.hint();
        CliError::from(error).hint(hint)
    })?;
    Ok(match opaque {
        0 => touched(&before, wanted),
        n => Touched {
            clients: None,
            notices: [touched(&before, wanted).notices, Touched::all(not_known(n)).notices].concat(),
        },
    })
}

fn not_known(entries: usize) -> String {
    format!(
        "the earlier revision has {entries} symbolic {} among its manifests, which are not followed, so every client \
         is planned",
        if entries == 1 { "link or submodule" } else { "links or submodules" }
    )
}
