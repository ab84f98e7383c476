//! Webhooks of Git servers, delivered to a running daemon: signed, unsigned, torn, huge, and a
//! thousand times over.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::json;

use super::{SECRET, SOON, Served, secret};
use crate::support::{World, eventually, manifest};

const KEY: &str = "fedcba9876543210fedcba9876543210";

fn signature(body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Served {
    async fn push(&self, secret: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> StatusCode {
        let mut request = self.http.post(format!("{}/hooks/git/{secret}", self.base)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status()
    }

    async fn signed(&self, body: &str) -> StatusCode {
        let signature = format!("sha256={}", signature(body.as_bytes()));
        self.push(SECRET, &[("x-github-event", "push"), ("x-hub-signature-256", &signature)], body.to_owned()).await
    }
}

fn daemon(world: &World) -> Served {
    secret(world, "secrets/path", &format!("{SECRET}\n"));
    secret(world, "secrets/key", KEY);
    let args = ["clients", "--interval", "1h", "--poll", "1h", "--hook-secret-file", "secrets/path"];
    Served::start(world, &[&args[..], &["--git-hook-secret-file", "secrets/key"]].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_as_its_sender_signs_is_taken() {
    let world = World::new(&[]).await;
    world.write("clients/acme.yaml", &manifest("acme", &[]));
    let mut served = daemon(&world);
    served.daemon.wait_for("acme: in sync", SOON);
    let before = world.ledger().await;
    let body = json!({"ref": "refs/heads/main", "commits": [], "pusher": {"email": "x@y.example"}}).to_string();
    let right = signature(body.as_bytes());
    let hub = format!("sha256={right}");
    let (ok, no, not_here) = (StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND);
    let github = ("x-github-event", "push");
    for (headers, expected) in [
        (vec![github, ("x-hub-signature-256", hub.as_str())], ok),
        (vec![("x-gitea-event", "push"), ("x-gitea-signature", &right)], ok),
        (vec![("x-gitlab-event", "Push Hook"), ("x-gitlab-token", KEY)], ok),
        (vec![], ok),
        (vec![github], no),
        (vec![github, ("x-hub-signature-256", "")], no),
        (vec![github, ("x-hub-signature-256", &hub[..hub.len() - 2])], no),
        (
            vec![
                github,
                ("x-hub-signature-256", "sha256=0000000000000000000000000000000000000000000000000000000000000000"),
            ],
            no,
        ),
        (vec![github, ("x-hub-signature", "sha1=0000")], no),
        (vec![("x-gitlab-event", "Push Hook")], no),
        (vec![("x-gitlab-event", "Push Hook"), ("x-gitlab-token", SECRET)], no),
        (vec![("x-gitea-event", "push"), ("x-gitea-signature", &right[..32])], no),
        (vec![("x-gitea-event", "push"), ("x-gitea-signature", &right), ("x-hub-signature-256", "sha256=1")], no),
    ] {
        assert_eq!(served.push(SECRET, &headers, body.clone()).await, expected, "{headers:?}");
    }
    for path in ["x", KEY, &SECRET[..31], "%ff", ""] {
        let headers = [github, ("x-hub-signature-256", hub.as_str())];
        assert_eq!(served.push(path, &headers, body.clone()).await, not_here, "{path}");
    }
    // Another body under the same signature.
    let headers = [github, ("x-hub-signature-256", hub.as_str())];
    assert_eq!(served.push(SECRET, &headers, format!("{body} ")).await, no);
    for garbage in ["", "{", "\u{0}", "payload=x"] {
        assert_eq!(served.signed(garbage).await, StatusCode::BAD_REQUEST, "{garbage:?}");
    }
    let huge = vec![b' '; 100 << 20];
    let refused = served.http.post(format!("{}/hooks/git/{SECRET}", served.base)).body(huge).send().await;
    // It may be cut off while it still sends.
    assert!(refused.is_err() || refused.unwrap().status() == StatusCode::PAYLOAD_TOO_LARGE);
    let after = world.ledger().await;
    assert_eq!((after.requests(), after.writes()), (before.requests(), before.writes()), "the API was asked nothing");
    assert_eq!(served.get("/healthz").await.0, 200);
    let metrics = served.get("/metrics").await.1;
    assert!(metrics.contains("bursar_deliveries_total{sender=\"git\",status=\"401\"}"), "{metrics}");
    let (_, _, log) = served.daemon.stop();
    assert!(!log.contains(SECRET) && !log.contains(KEY), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_read_at_once_and_a_thousand_of_them_ask_the_api_nothing() {
    let world = World::new(&[]).await;
    world.write("clients/acme.yaml", &manifest("acme", &[]));
    let mut served = daemon(&world);
    served.daemon.wait_for("acme: in sync", SOON);
    let push = r#"{"ref":"refs/heads/main"}"#;
    let before = world.ledger().await;
    let read = served.status().await["fleets"][0]["source"]["read_at"].clone();
    // As many at once as are kept open; of more, the oldest give way.
    let pushes = futures::stream::iter((0..1000).map(|_| served.signed(push)));
    let all: Vec<_> = pushes.buffer_unordered(64).collect().await;
    assert!(all.iter().all(|status| matches!(*status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE)), "{all:?}");
    assert!(all.contains(&StatusCode::OK));
    eventually("the manifests were read again", SOON, || async {
        served.status().await["fleets"][0]["source"]["read_at"] != read
    })
    .await;
    let after = world.ledger().await;
    assert_eq!((after.requests(), after.writes()), (before.requests(), before.writes()));

    // A file that no event told of would be read in an hour; a push has it read within seconds.
    let quiet = world.path().join("elsewhere.yaml");
    std::fs::write(&quiet, manifest("beta", &[])).unwrap();
    std::fs::rename(&quiet, world.path().join("clients/beta.yaml")).unwrap();
    served.signed(push).await;
    served.daemon.wait_for("beta: in sync", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_the_branch_that_is_followed_is_fetched_and_one_to_another_is_not() {
    let world = World::new(&[]).await;
    secret(&world, "secrets/path", SECRET);
    secret(&world, "secrets/key", KEY);
    let repository = world.path().join("repository");
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=x", "-c", "user.email=x@y.example"];
        let done = std::process::Command::new("git").current_dir(&repository).args(who).args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let commit = |name: &str| {
        world.write(&format!("repository/{name}.yaml"), &manifest(name, &[]));
        git(&["add", "."]);
        git(&["commit", "-q", "-m", name]);
    };
    std::fs::create_dir(&repository).unwrap();
    git(&["init", "-q", "-b", "main"]);
    commit("acme");
    let args = ["--git", repository.to_str().unwrap(), "--git-interval", "1h", "--interval", "1h"];
    let hooks = ["--hook-secret-file", "secrets/path", "--git-hook-secret-file", "secrets/key"];
    let mut served = Served::start(&world, &[&args[..], &hooks].concat());
    served.daemon.wait_for("acme: in sync", SOON);
    commit("beta");
    let revision = || async { served.status().await["fleets"][0]["source"]["revision"].clone() };
    let before = revision().await;
    assert_eq!(served.signed(r#"{"ref":"refs/heads/other"}"#).await, StatusCode::OK);
    assert_eq!(served.signed(r#"{"ref":"refs/tags/main"}"#).await, StatusCode::OK);
    assert_eq!(revision().await, before);
    let begun = std::time::Instant::now();
    assert_eq!(served.signed(r#"{"ref":"refs/heads/main"}"#).await, StatusCode::OK);
    eventually("the commit is in force", SOON, || async { revision().await != before }).await;
    let took = begun.elapsed();
    served.daemon.wait_for("beta: in sync", SOON);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let log = served.daemon.log();
    assert!(log.contains("branch=other follows=false") && log.contains("branch=main follows=true"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_and_too_many_at_once_are_turned_away() {
    use axum::body::Body;
    use axum::http::Request;
    use bursar::web::{GitHooks, Names, Secret, Site, site};
    use tower::ServiceExt as _;
    let secret = || Secret::from_text(SECRET.to_owned()).unwrap();
    let site = site(Site {
        boards: Vec::new(),
        tally: bursar::controller::Tally::default(),
        clock: std::sync::Arc::new(bursar::domain::MachineClock),
        names: Names::default(),
        hooks: None,
        git: Some(std::sync::Arc::new(GitHooks::new(secret(), secret(), |_| panic!("nothing was pushed")))),
    });
    let slow = || {
        let body = Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        site.clone().oneshot(Request::post(format!("/hooks/git/{SECRET}")).body(body).unwrap())
    };
    let begun = tokio::time::Instant::now();
    let answers = futures::future::join_all((0..20).map(|_| slow())).await;
    let statuses: Vec<u16> = answers.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 408).count(), 16, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 4, "{statuses:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}
