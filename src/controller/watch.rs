//! Watching folders: file events as hints to read again. A burst is one hint; what the
//! system could not report in full, or at all, is found by the daemon's own polling.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A burst of events is over when it was quiet for this long.
pub const QUIET: Duration = Duration::from_millis(100);
/// And is not waited for longer than this.
pub const AT_MOST: Duration = Duration::from_millis(500);

/// Watches directories, not files: an editor that writes a new file and renames it, or a
/// mounted volume whose symlink is swapped, is seen from the directory only.
#[derive(Debug)]
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    events: mpsc::Receiver<()>,
    /// A burst that goes on, and when it is waited for no longer.
    burst: Option<Instant>,
}

impl Watch {
    /// Starts; where the system offers no watching, only polling is left, and that is said.
    pub fn start() -> Self {
        let (hint, events) = mpsc::channel(1);
        let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let matters = match event {
                Ok(event) => event.need_rescan() || !matches!(event.kind, EventKind::Access(_)),
                // Something was lost: read everything again.
                Err(_) => true,
            };
            if matters {
                // A full channel already holds the hint.
                let _ = hint.try_send(());
            }
        });
        let watcher = match made {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "files cannot be watched here; the folder is read again from time to time");
                None
            }
        };
        Self { watcher, watched: BTreeSet::new(), events, burst: None }
    }

    /// Watches exactly these directories.
    pub fn set(&mut self, directories: impl IntoIterator<Item = PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: BTreeSet<_> = directories.into_iter().collect();
        for gone in self.watched.difference(&wanted) {
            // A directory that was deleted is not watched any more anyway.
            let _ = watcher.unwatch(gone);
        }
        let mut watched = BTreeSet::new();
        for directory in wanted {
            // One that was deleted and made again bears the old name, perhaps the old inode,
            // and nobody watches it. Asking once more costs nothing where inotify watches;
            // elsewhere it would lose events, and polling has to find it.
            if !cfg!(target_os = "linux") && self.watched.contains(&directory) {
                watched.insert(directory);
                continue;
            }
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(directory);
                }
                Err(error) => tracing::debug!(%error, directory = %directory.display(), "cannot be watched"),
            }
        }
        self.watched = watched;
    }

    /// Ends when a burst of events is over. Dropping it in the middle loses nothing: the
    /// next call goes on with the same burst.
    pub async fn changed(&mut self) {
        let latest = match self.burst {
            Some(latest) => latest,
            None => {
                if self.events.recv().await.is_none() {
                    // Nothing watches: only polling is left.
                    std::future::pending::<()>().await;
                }
                *self.burst.insert(Instant::now() + AT_MOST)
            }
        };
        loop {
            let quiet = (Instant::now() + QUIET).min(latest);
            match tokio::time::timeout_at(quiet, self.events.recv()).await {
                Ok(Some(())) if Instant::now() < latest => {}
                _ => break,
            }
        }
        self.burst = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_that_something_else_interrupts_is_not_forgotten() {
        let (hint, events) = mpsc::channel(1);
        let mut watch = Watch { watcher: None, watched: BTreeSet::new(), events, burst: None };
        hint.send(()).await.unwrap();
        assert!(tokio::time::timeout(QUIET / 2, watch.changed()).await.is_err(), "the burst is not over yet");
        assert!(tokio::time::timeout(AT_MOST, watch.changed()).await.is_ok(), "and still told when it is");
        assert!(tokio::time::timeout(AT_MOST, watch.changed()).await.is_err(), "once");
    }
}
