//! Over HTTP: to whom the token goes, and what a server can do with it.

use std::path::Path;
use std::time::Duration;

use bursar::source::git::{Credential, Options, Taken};

use super::repo::{Manner, Repo, Served};
use super::{files, look, options, repository};

const TOKEN: &str = "canary-token-1";
/// Of `x-access-token:canary-token-1`.
const HEADER: &str = "Basic eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5LXRva2VuLTE=";

fn with_token(url: &str, mirrors: &Path, token: &str) -> Options {
    Options { credential: Some(Credential::Token(token.to_owned().into())), ..options(url, mirrors) }
}

/// Looks once with a fresh process, off the thread that serves.
async fn look_once(options: Options) -> Result<Option<Taken>, String> {
    tokio::task::spawn_blocking(move || look(&mut repository(options))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_opens_the_repository_and_is_sent_with_each_request() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    let served = Served::start(&repo).await;
    served.set(Manner::Ask(HEADER.to_owned()));
    let mirrors = tempfile::tempdir().unwrap();
    let taken = look_once(with_token(&served.url(), mirrors.path(), TOKEN)).await.unwrap().unwrap();
    assert_eq!(files(&taken), [("a.yaml".into(), "a".into())]);
    assert!(served.seen().iter().all(|(_, header)| header.as_deref() == Some(HEADER)), "{:?}", served.seen());
    let commits = served.seen().len();
    // Nothing moved: two requests tell so.
    let options = with_token(&served.url(), mirrors.path(), TOKEN);
    tokio::task::spawn_blocking(move || {
        let mut followed = repository(options);
        look(&mut followed).unwrap().unwrap();
        assert!(look(&mut followed).unwrap().is_none());
    })
    .await
    .unwrap();
    assert_eq!(served.seen().len() - commits, 4, "{:?}", served.seen());
    // Whatever is kept on disk does not hold it.
    assert!(!holds(mirrors.path(), TOKEN) && !holds(mirrors.path(), &HEADER[6..]));

    // `USER:TOKEN` for servers that care about the name.
    let header = "Basic amFuZTpjYW5hcnktdG9rZW4tMQ==";
    served.set(Manner::Ask(header.to_owned()));
    look_once(with_token(&served.url(), mirrors.path(), "jane:canary-token-1")).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_token_nobody_is_asked_and_nothing_is_shown() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    let served = Served::start(&repo).await;
    served.set(Manner::Ask("Basic other".to_owned()));
    let mirrors = tempfile::tempdir().unwrap();
    for options in [options(&served.url(), mirrors.path()), with_token(&served.url(), mirrors.path(), TOKEN)] {
        let why = look_once(options).await.unwrap_err();
        assert!(
            why.starts_with("asking the repository where the branch is failed: fatal: could not read Username"),
            "{why}"
        );
    }
    served.set(Manner::Echo);
    for token in [TOKEN, "jane:canary-token-1"] {
        let why = look_once(with_token(&served.url(), mirrors.path(), token)).await.unwrap_err();
        assert!(why.contains("403"), "{why}");
        for secret in ["canary", &HEADER[6..], "amFuZTpjYW5hcnktdG9rZW4tMQ"] {
            assert!(!why.contains(secret), "{why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_carries_the_token_nowhere() {
    let (repo, other) = (Repo::with(&[("a.yaml", "a")]), Repo::with(&[("a.yaml", "a")]));
    let (served, elsewhere) = (Served::start(&repo).await, Served::start(&other).await);
    served.set(Manner::Redirect(elsewhere.url().replace("/work/.git", "")));
    let mirrors = tempfile::tempdir().unwrap();
    let why = look_once(with_token(&served.url(), mirrors.path(), TOKEN)).await.unwrap_err();
    assert!(why.contains("302"), "{why}");
    assert_eq!(elsewhere.seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_stops_half_way_is_given_up_on_and_fetched_again() {
    let repo = Repo::with(&[("a.yaml", &"a".repeat(1000))]);
    let served = Served::start(&repo).await;
    let mirrors = tempfile::tempdir().unwrap();
    served.set(Manner::Stall(120));
    let mut slow = options(&served.url(), mirrors.path());
    slow.limits.time = Duration::from_secs(2);
    let why = look_once(slow).await.unwrap_err();
    assert_eq!(why, "fetching the branch took longer than 2 s and was stopped");
    served.set(Manner::Serve);
    look_once(options(&served.url(), mirrors.path())).await.unwrap().unwrap();
}

/// Somebody else's settings lie around the folder of copies: a working directory inside of a clone.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_around_the_copy_decides_nothing() {
    let (repo, other) = (Repo::with(&[("a.yaml", "a")]), Repo::with(&[("a.yaml", "elsewhere")]));
    let (served, elsewhere) = (Served::start(&repo).await, Served::start(&other).await);
    let origin = |served: &Served| served.url().replace("work/.git", "");
    let around = Repo::with(&[("x", "x")]);
    around.git(&["config", &format!("url.{}.insteadOf", origin(&elsewhere)), &origin(&served)]);
    around.git(&["config", "http.proxy", &origin(&elsewhere)]);
    around.git(&["config", "http.sslVerify", "false"]);
    served.set(Manner::Ask(HEADER.to_owned()));
    let options = with_token(&served.url(), &around.path().join(".bursar/git"), TOKEN);
    let taken = look_once(options).await.unwrap().unwrap();
    assert_eq!(files(&taken), [("a.yaml".into(), "a".into())]);
    assert_eq!(elsewhere.seen(), []);
}

/// Whether a file below a folder holds a text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
