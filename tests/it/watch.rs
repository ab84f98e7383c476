//! Watching folders: bursts are one hint, and a swapped symlink is seen.

use std::time::{Duration, Instant};

use bursar::controller::Watch;
use bursar::source::folder;

async fn is_quiet(watch: &mut Watch) -> bool {
    tokio::time::timeout(Duration::from_millis(700), watch.changed()).await.is_err()
}

#[tokio::test]
async fn a_burst_of_events_is_one_hint_soon_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::start();
    watch.set([folder.path().to_path_buf()]);
    let begun = Instant::now();
    for file in 0..200 {
        std::fs::write(folder.path().join(format!("{file}.yaml")), "x").unwrap();
    }
    watch.changed().await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(100), "{took:?}: before it was quiet");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(is_quiet(&mut watch).await, "one burst, one hint");
}

#[tokio::test]
async fn a_burst_without_end_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::start();
    watch.set([folder.path().to_path_buf()]);
    let path = folder.path().join("a.yaml");
    let writer = tokio::spawn(async move {
        for turn in 0..200 {
            std::fs::write(&path, turn.to_string()).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let begun = Instant::now();
    watch.changed().await;
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    writer.abort();
}

/// As a mounted ConfigMap is renewed: files are links into `..data`, a link to a folder
/// that is swapped.
#[cfg(unix)]
#[tokio::test]
async fn a_swapped_symlink_of_a_mounted_volume_is_seen() {
    use std::os::unix::fs::symlink;
    let mount = tempfile::tempdir().unwrap();
    let root = mount.path();
    for version in ["..v1", "..v2"] {
        std::fs::create_dir(root.join(version)).unwrap();
        std::fs::write(root.join(version).join("acme.yaml"), crate::support::manifest("acme", &[])).unwrap();
    }
    symlink("..v1", root.join("..data")).unwrap();
    symlink("..data/acme.yaml", root.join("acme.yaml")).unwrap();
    let files = folder::read(&[root.to_path_buf()]).unwrap();
    let names: Vec<&str> = files.files().iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["acme.yaml"], "the versions themselves are hidden");
    assert!(files.files()[0].content.is_ok());

    let mut watch = Watch::start();
    watch.set(files.watched().to_vec());
    symlink("..v2", root.join("..data_tmp")).unwrap();
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    tokio::time::timeout(Duration::from_secs(3), watch.changed()).await.expect("the swap is seen");
}

/// As git-sync renews a mounted repository: the folder that is named is itself a link, which
/// is swapped to another working tree.
#[cfg(unix)]
#[tokio::test]
async fn a_swapped_link_to_the_whole_folder_is_seen() {
    use std::os::unix::fs::symlink;
    let mount = tempfile::tempdir().unwrap();
    let root = mount.path();
    for version in ["one", "two"] {
        std::fs::create_dir_all(root.join(".worktrees").join(version)).unwrap();
        std::fs::write(root.join(".worktrees").join(version).join("acme.yaml"), version).unwrap();
    }
    symlink(".worktrees/one", root.join("current")).unwrap();
    let read = || folder::read(&[root.join("current")]).unwrap();
    let text = || read().files()[0].content.clone().unwrap();
    assert_eq!(text(), b"one");

    let mut watch = Watch::start();
    watch.set(read().watched().to_vec());
    symlink(".worktrees/two", root.join("next")).unwrap();
    std::fs::rename(root.join("next"), root.join("current")).unwrap();
    tokio::time::timeout(Duration::from_secs(3), watch.changed()).await.expect("the swap is seen");
    assert_eq!(text(), b"two");
}
