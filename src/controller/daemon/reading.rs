//! Reading the manifests: what changed in them, which commit is in force, and what does not hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Daemon, Scope};
use crate::controller::last_good::changed_clients;
use crate::controller::tally::Fault;
use crate::controller::watch::Watch;
use crate::domain::ClientName;
use crate::manifest::{Finding, Severity};
use crate::provider::Class;

impl Daemon {
    /// Reads the source; tells what changed about it, and what is to be looked at.
    pub(super) async fn read(&mut self, watch: &mut Watch) -> Option<Scope> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.read()).await;
        self.next_poll = Instant::now() + self.timing.poll;
        let reading = match read {
            Ok(Ok(reading)) => reading,
            Ok(Err(trouble)) => return self.unreadable(trouble),
            Err(_) => return self.unreadable("reading the manifests stopped short, which is a bug".into()),
        };
        if self.source_trouble.take().is_some() {
            tracing::info!("the manifests can be read again");
        }
        self.board.read(self.reconciler.keeper().now());
        let reading = reading?;
        let first = !std::mem::replace(&mut self.ever_read, true);
        self.unread = 0;
        watch.set(reading.watched);
        let stated = reading.revision.is_some();
        if stated {
            self.take_revision(reading.revision);
        }
        self.span().in_scope(|| self.tell_findings(&reading.findings));
        let held = self.held.take(reading.wanted);
        let mut changed = changed_clients(&self.held.wanted, &held.wanted);
        changed.extend(held.kept.keys().filter(|client| !self.held.kept.contains_key(*client)).cloned());
        let leaving = self.held.wanted.offboardings.iter().map(|o| &o.people).collect::<Vec<_>>()
            != held.wanted.offboardings.iter().map(|o| &o.people).collect::<Vec<_>>();
        let fewer = self.held.wanted.clients.len() != held.wanted.clients.len()
            || self.held.wanted.invalid != held.wanted.invalid
            || self.held.kept != held.kept;
        let present: BTreeSet<&ClientName> = held.wanted.clients.iter().map(|client| &client.name).collect();
        for client in self.held.wanted.clients.iter().filter(|client| !present.contains(&client.name)) {
            self.reconciler.memory().forget(&client.name);
        }
        self.held = held;
        if !stated && (fewer || leaving || !changed.is_empty()) {
            let source = Arc::clone(&self.source);
            self.reconciler.revision = tokio::task::spawn_blocking(move || source.revision()).await.ok().flatten();
        }
        self.tell_source(&reading.findings);
        for client in &changed {
            self.reconciler.memory().forget(client);
        }
        if leaving || first {
            Some(Scope::Everything(Class::Changed))
        } else if changed.is_empty() && !fewer {
            None
        } else {
            Some(Scope::Clients(changed))
        }
    }

    /// Notes the commit that is in force from now on, and says so.
    fn take_revision(&mut self, revision: Option<String>) {
        let commit = revision.as_deref().map(short).unwrap_or_default().to_owned();
        if self.reconciler.revision != revision {
            let before = self.commit.as_deref();
            tracing::info!(commit, before, "the commit is in force");
        }
        self.commit = Some(commit);
        self.reconciler.revision = revision;
    }

    fn unreadable(&mut self, trouble: String) -> Option<Scope> {
        self.unread = self.unread.saturating_add(1);
        self.board.fault(Fault::Source, &trouble, self.reconciler.keeper().now());
        if self.source_trouble.as_ref() != Some(&trouble) {
            let _in_force = self.span().entered();
            if self.ever_read {
                tracing::warn!("{trouble}; every client's last good version stays in force");
            } else {
                tracing::warn!("{trouble}; nothing is in force yet, so nothing is done");
            }
            self.source_trouble = Some(trouble);
        }
        None
    }

    fn tell_findings(&mut self, findings: &[Finding]) {
        let now: Vec<String> = findings.iter().map(ToString::to_string).collect();
        for (finding, line) in findings.iter().zip(&now) {
            if !self.findings.contains(line) {
                match finding.severity {
                    Severity::Error => tracing::warn!("{line}"),
                    Severity::Warning => tracing::info!("{line}"),
                }
            }
        }
        if now.is_empty() && !self.findings.is_empty() {
            tracing::info!("the manifests hold again");
        }
        self.findings = now;
    }
}

/// A commit for people.
fn short(revision: &str) -> &str {
    revision.get(..12).unwrap_or(revision)
}
