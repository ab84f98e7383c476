//! The receiver of pushes: who knows the path, and signs where its kind of sender signs, may
//! say that the manifests may have changed. Nothing else is taken from what they send.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::domain::text::inert;

use super::gate::Gate;
use super::secret::Secret;

/// The longest body that is read, in bytes: a push of thousands of commits lists only some.
const LONGEST_BODY: usize = 1 << 20;
/// So many deliveries at once.
const AT_ONCE: usize = 16;

/// Headers that hold an HMAC-SHA-256 of the body, in hexadecimal.
const SIGNATURES: [&str; 4] = ["x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature", "x-gogs-signature"];
/// The header that holds the secret itself.
const TOKEN: &str = "x-gitlab-token";
/// Headers by which senders that sign, or send the secret, are known.
const EVENTS: [&str; 5] = ["x-github-event", "x-gitlab-event", "x-gitea-event", "x-forgejo-event", "x-gogs-event"];

/// Is told to which branch something was pushed, where that is known; tells whether it is followed.
type Pushed = Box<dyn Fn(Option<&str>) -> bool + Send + Sync>;

/// What a receiver of pushes needs.
pub struct GitHooks {
    gate: Gate,
    /// Signs.
    key: Secret,
    pushed: Pushed,
}

impl std::fmt::Debug for GitHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHooks").finish_non_exhaustive()
    }
}

impl GitHooks {
    /// `pushed` is told the branch, where it is known, and tells whether anybody follows it.
    pub fn new(path: Secret, key: Secret, pushed: impl Fn(Option<&str>) -> bool + Send + Sync + 'static) -> Self {
        Self { gate: Gate::new(path, AT_ONCE, LONGEST_BODY), key, pushed: Box::new(pushed) }
    }

    /// The status that answers a delivery.
    pub(super) async fn take(&self, secret: Option<&str>, headers: &HeaderMap, body: Body) -> StatusCode {
        let (body, _place) = match self.gate.pass(secret, body).await {
            Ok(passed) => passed,
            Err(status) => return status,
        };
        if !is_genuine(headers, &body, &self.key) {
            return StatusCode::UNAUTHORIZED;
        }
        let Some(push) = read(headers, &body) else { return StatusCode::BAD_REQUEST };
        match push {
            Push::None => tracing::debug!("a webhook of the repository told of no push to a branch"),
            Push::To(branch) => {
                let told = branch.as_deref().map(inert);
                let follows = (self.pushed)(branch.as_deref());
                tracing::debug!(branch = told.as_deref(), follows, "a webhook told of a push");
            }
        }
        StatusCode::OK
    }
}

/// Whether every signature that is there holds, and one is there where the sender's kind signs.
fn is_genuine(headers: &HeaderMap, body: &[u8], key: &Secret) -> bool {
    let mut signed = false;
    for value in SIGNATURES.iter().flat_map(|name| headers.get_all(*name)) {
        signed = true;
        let text = value.to_str().unwrap_or_default();
        let Some(theirs) = from_hex(text.strip_prefix("sha256=").unwrap_or(text)) else { return false };
        let Ok(mut ours) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else { return false };
        ours.update(body);
        // In constant time.
        if ours.verify_slice(&theirs).is_err() {
            return false;
        }
    }
    for value in headers.get_all(TOKEN) {
        signed = true;
        if !key.is(value.to_str().unwrap_or_default()) {
            return false;
        }
    }
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    // An older signature, of SHA-1, is none.
    let signs = EVENTS.iter().chain(&["x-hub-signature"]).any(|name| headers.contains_key(*name))
        || agent.starts_with("GitHub-Hookshot/");
    signed || !signs
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Push {
    /// Something was pushed to this branch, or to one that it does not name.
    To(Option<String>),
    /// Nothing of the kind.
    None,
}

/// Reads a body; `None` is no payload.
fn read(headers: &HeaderMap, body: &[u8]) -> Option<Push> {
    let is_form = headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().get(..33).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded"))
    });
    let payload: Value = if is_form && !body.starts_with(b"{") {
        let text = format!("form:?{}", std::str::from_utf8(body).ok()?);
        let form = reqwest::Url::parse(&text).ok()?;
        let (_, payload) = form.query_pairs().find(|(name, _)| name == "payload")?;
        serde_json::from_str(&payload).ok()?
    } else {
        serde_json::from_slice(body).ok()?
    };
    let event = EVENTS.iter().find_map(|name| headers.get(*name)).map(|event| event.to_str().unwrap_or_default());
    if event.is_some_and(|event| !matches!(event, "push" | "Push Hook")) {
        return Some(Push::None);
    }
    Some(match (payload["ref"].as_str(), event) {
        (Some(name), _) => name.strip_prefix("refs/heads/").map_or(Push::None, |branch| Push::To(Some(branch.into()))),
        (None, Some(_)) => Push::None,
        (None, None) => Push::To(None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_known_signature_holds_and_no_other() {
        // printf hello | openssl dgst -sha256 -hmac $KEY
        let right = "db68b47b63c2397eac785025b1c9c2103ae06c28998234a783b3eb6453d1ad70";
        let key = Secret::from_text(KEY.to_owned()).unwrap();
        let holds = |name: &'static str, value: &str| is_genuine(&headers(&[(name, value)]), b"hello", &key);
        assert!(holds("x-hub-signature-256", &format!("sha256={right}")));
        assert!(holds("x-gitea-signature", right));
        assert!(holds("x-gitlab-token", KEY));
        for wrong in ["", "sha256=", &right[..62], &format!("{right}00"), &"0".repeat(64), &"zz".repeat(32), "é"] {
            if let Ok(value) = axum::http::HeaderValue::from_bytes(wrong.as_bytes()) {
                for name in SIGNATURES {
                    let mut map = HeaderMap::new();
                    map.insert(name, value.clone());
                    assert!(!is_genuine(&map, b"hello", &key), "{name}: {wrong}");
                }
            }
        }
        for wrong in ["", "x", &KEY[..31], &format!("{KEY}0")] {
            assert!(!holds("x-gitlab-token", wrong));
        }
        let both = headers(&[("x-gitea-signature", right), ("x-hub-signature-256", "sha256=00")]);
        assert!(!is_genuine(&both, b"hello", &key), "one that does not hold spoils the other");
        for known in EVENTS {
            assert!(!is_genuine(&headers(&[(known, "push")]), b"hello", &key), "{known} without a signature");
        }
        assert!(!holds("x-hub-signature", "sha1=00"), "an older signature is none");
        assert!(!holds("user-agent", "GitHub-Hookshot/abc"));
        assert!(holds("user-agent", "curl/8"), "whose kind does not sign is known by the path");
    }

    #[test]
    fn a_push_names_its_branch_and_everything_else_is_none() {
        let to = |branch: &str| Some(Push::To(Some(branch.to_owned())));
        let github = |event| headers(&[("x-github-event", event)]);
        assert_eq!(read(&github("push"), br#"{"ref":"refs/heads/main"}"#), to("main"));
        assert_eq!(read(&github("push"), br#"{"ref":"refs/heads/a/b"}"#), to("a/b"));
        assert_eq!(read(&github("push"), br#"{"ref":"refs/tags/v1"}"#), Some(Push::None));
        assert_eq!(read(&github("ping"), br#"{"zen":"x"}"#), Some(Push::None));
        assert_eq!(read(&github("push"), br#"{"ref":7}"#), Some(Push::None));
        assert_eq!(read(&headers(&[("x-gitlab-event", "Push Hook")]), br#"{"ref":"refs/heads/m"}"#), to("m"));
        assert_eq!(read(&HeaderMap::new(), b"[]"), Some(Push::To(None)));
        let form = headers(&[("content-type", "application/x-www-form-urlencoded"), ("x-github-event", "push")]);
        assert_eq!(read(&form, b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D"), to("main"));
        for body in [&b""[..], b"\xff", b"{", b"payload=x"] {
            assert_eq!(read(&form, body), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_stumble(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
                                    value in "[ -~]{0,80}") {
            let key = Secret::from_text(KEY.to_owned()).unwrap();
            let all = headers(&[("x-hub-signature-256", value.trim()), ("content-type", "application/x-www-form-urlencoded")]);
            proptest::prop_assert!(!is_genuine(&all, &body, &key));
            let _ = read(&all, &body);
        }
    }
}
