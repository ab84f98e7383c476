//! From a saved plan to the bytes of its file and back, and whether it is for here and now.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::domain::RepositoryName;
use crate::domain::text::inert;
use crate::plan::tree::ApiInfo;

use super::model::{FORMAT_VERSION, KIND, Saved, Scope};

/// The largest file that is written or read, in bytes: some 20,000 clients.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// How long a saved plan is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);

/// By how much the clock of the machine that saved it may be ahead of this one's.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// What stands before the digits of the checksum, and behind them to the end of the file.
const BEFORE: &str = "\n  \"checksum\": \"sha256:";
const BEHIND: &str = "\"\n}\n";
const DIGITS: usize = 64;

/// Why bytes are no saved plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Over [`LARGEST`].
    #[error("a saved plan has at most 64 MiB")]
    TooLarge,
    /// It does not end as a saved plan ends.
    #[error("it is no saved plan, or it was changed or cut short since it was saved")]
    NoPlan,
    /// The checksum is another one.
    #[error("it was changed since it was saved: its checksum is {found}, and the file says {said}")]
    Changed {
        /// What the bytes come to.
        found: String,
        /// What they say.
        said: String,
    },
    /// Another major version of the format.
    #[error("it has the format {0}, and this bursar reads 1")]
    Format(String),
    /// JSON that does not say what it should.
    #[error("it is no saved plan: {0}")]
    Unclear(String),
}

/// Why a saved plan is not for here and now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// Another bursar saved it.
    #[error("it was saved by bursar {0}, and this is {ours}", ours = env!("CARGO_PKG_VERSION"))]
    Version(String),
    /// Over 24 hours ago.
    #[error("it was saved at {0}, and is good for 24 hours")]
    Old(Timestamp),
    /// After now.
    #[error("it was saved at {0}, which is in the future: one of the clocks is wrong")]
    Future(Timestamp),
    /// Another repository.
    #[error("it is of another repository, {}; this is {}", saved.words(), here.words())]
    Repository {
        /// The file's.
        saved: RepositoryName,
        /// The one at hand.
        here: RepositoryName,
    },
    /// Another API.
    #[error("it is for the API {}, and this is {here}", inert(saved))]
    Api {
        /// The file's.
        saved: String,
        /// The one at hand.
        here: String,
    },
    /// Another user's token.
    #[error("it is for the token of user {}, and this is user {here}'s", inert(saved))]
    User {
        /// The file's.
        saved: String,
        /// The one at hand.
        here: String,
    },
    /// Another sandbox, or one that was reset.
    #[error("it is for {}, and this is {}", world(saved.as_deref()), world(here.as_deref()))]
    World {
        /// The file's.
        saved: Option<String>,
        /// The one at hand.
        here: Option<String>,
    },
}

fn world(id: Option<&str>) -> String {
    id.map_or_else(|| "a real API".to_owned(), |id| format!("the sandbox's world {}", inert(id)))
}

/// The bytes of a file.
///
/// # Errors
/// They would be too many.
pub fn seal<P: Serialize>(saved: &Saved<P>) -> Result<Vec<u8>, SealError> {
    let mut text = serde_json::to_string_pretty(saved).map_err(|error| SealError::Unclear(error.to_string()))?;
    // The last field; whatever stands in it gives way.
    text.truncate(text.rfind(BEFORE.trim_end_matches("sha256:")).ok_or(SealError::NoPlan)?);
    text.push_str(BEFORE);
    let mut bytes = text.into_bytes();
    let sum = checksum(&bytes);
    bytes.extend(sum.bytes().chain(BEHIND.bytes()));
    if bytes.len() > LARGEST { Err(SealError::TooLarge) } else { Ok(bytes) }
}

/// What a file holds, if not one byte of it was changed. Foreign all the same: whatever is
/// shown of it is to be made inert.
///
/// # Errors
/// It is not what [`seal`] wrote, or of another format.
pub fn open<P: DeserializeOwned>(bytes: &[u8]) -> Result<Saved<P>, SealError> {
    if bytes.len() > LARGEST {
        return Err(SealError::TooLarge);
    }
    let digits = bytes.len().checked_sub(BEHIND.len() + DIGITS).ok_or(SealError::NoPlan)?;
    let (before, rest) = bytes.split_at(digits);
    let (said, behind) = rest.split_at(DIGITS);
    if !before.ends_with(BEFORE.as_bytes()) || behind != BEHIND.as_bytes() {
        return Err(SealError::NoPlan);
    }
    let found = checksum(before);
    if said != found.as_bytes() {
        let said = inert(&String::from_utf8_lossy(said)).into_owned();
        return Err(SealError::Changed { found, said });
    }
    // The head first: what another format means by the rest, nobody here knows.
    let head: Head = serde_json::from_slice(bytes).map_err(|error| unclear(&error))?;
    if head.kind != KIND {
        return Err(SealError::Unclear(format!("its kind is `{}`", inert(&head.kind))));
    }
    if head.format_version.split('.').next() != FORMAT_VERSION.split('.').next() {
        return Err(SealError::Format(inert(&head.format_version).into_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| unclear(&error))
}

#[derive(serde::Deserialize)]
struct Head {
    format_version: String,
    kind: String,
}

fn unclear(error: &serde_json::Error) -> SealError {
    SealError::Unclear(inert(&error.to_string()).into_owned())
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(DIGITS), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a saved plan is of this bursar and this time. The caller goes on to look at
/// repository, API and scope as it learns them.
///
/// # Errors
/// What does not fit.
pub fn check<P>(saved: &Saved<P>, now: Timestamp) -> Result<(), Misfit> {
    if saved.bursar_version != env!("CARGO_PKG_VERSION") {
        return Err(Misfit::Version(inert(&saved.bursar_version).into_owned()));
    }
    let age = now.duration_since(saved.saved_at);
    if age > GOOD_FOR {
        return Err(Misfit::Old(saved.saved_at));
    }
    if age < -AHEAD {
        return Err(Misfit::Future(saved.saved_at));
    }
    Ok(())
}

impl<P> Saved<P> {
    /// Whether it is of this repository.
    ///
    /// # Errors
    /// It is of another one.
    pub fn check_repository(&self, here: &RepositoryName) -> Result<(), Misfit> {
        let saved = &self.source.repository;
        if saved == here {
            return Ok(());
        }
        Err(Misfit::Repository { saved: saved.clone(), here: here.clone() })
    }

    /// Whether it is for this API.
    ///
    /// # Errors
    /// It is for another one.
    pub fn check_api(&self, here: &ApiInfo) -> Result<(), Misfit> {
        if self.api == *here {
            return Ok(());
        }
        let shown = |api: &ApiInfo| format!("{} ({})", api.url, api.provider);
        Err(Misfit::Api { saved: shown(&self.api), here: shown(here) })
    }

    /// Whether it is for this token's user and this world.
    ///
    /// # Errors
    /// It is for another one.
    pub fn check_scope(&self, here: &Scope) -> Result<(), Misfit> {
        let Scope { user_id, world_id } = &self.scope;
        if *user_id != here.user_id {
            return Err(Misfit::User { saved: user_id.clone(), here: inert(&here.user_id).into_owned() });
        }
        if *world_id != here.world_id {
            return Err(Misfit::World { saved: world_id.clone(), here: here.world_id.clone() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::saved::{Origin, WorldPart};

    fn saved() -> Saved<serde_json::Value> {
        Saved {
            format_version: FORMAT_VERSION.to_owned(),
            kind: KIND.to_owned(),
            bursar_version: env!("CARGO_PKG_VERSION").to_owned(),
            saved_at: "2026-11-20T10:00:00Z".parse().unwrap(),
            masked: false,
            api: ApiInfo { provider: "dnsimple".to_owned(), url: "https://api.example/v2".to_owned() },
            scope: Scope { user_id: "1".to_owned(), world_id: None },
            source: Origin {
                repository: RepositoryName::Origin("git.example/acme".to_owned()),
                revision: None,
                paths: vec!["clients".to_owned()],
                selector: None,
                clients: None,
            },
            plan: serde_json::json!({"digest": "sha256:x", "accounts": []}),
            world: WorldPart::default(),
            checksum: String::new(),
        }
    }

    fn read(bytes: &[u8]) -> Result<Saved<serde_json::Value>, SealError> {
        open(bytes)
    }

    #[test]
    fn what_is_sealed_is_read_again_and_no_byte_of_it_may_change() {
        // A text in the plan that looks like the end of the file moves nothing.
        let mut plan = saved();
        plan.plan["accounts"] = serde_json::json!([format!("x{BEFORE}{}{BEHIND}", "0".repeat(64))]);
        let bytes = seal(&plan).unwrap();
        let again = read(&bytes).unwrap();
        assert_eq!(Saved { checksum: String::new(), ..again }, plan);
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                assert!(read(&changed).is_err(), "byte {place}, bit {bit}");
            }
        }
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "cut to {cut}");
        }
        assert!(read(&[&bytes[..], b"\n"].concat()).is_err());
        assert!(read(&[b" ", &bytes[..]].concat()).is_err());
    }

    #[test]
    fn what_another_format_holds_is_not_read() {
        let of = |change: fn(&mut Saved<serde_json::Value>)| {
            let mut plan = saved();
            change(&mut plan);
            read(&seal(&plan).unwrap()).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(of(|plan| plan.format_version = "1.7".to_owned()), Ok(()), "a minor one is read");
        type Change = fn(&mut Saved<serde_json::Value>);
        let others: [(Change, &str); 3] = [
            (|plan| plan.format_version = "2.0".to_owned(), "the format 2.0, and this bursar reads 1"),
            (|plan| plan.format_version = "\u{1b}[31m".to_owned(), "the format \\u{1b}[31m"),
            (|plan| plan.kind = "snapshot".to_owned(), "its kind is `snapshot`"),
        ];
        for (change, told) in others {
            let error = of(change).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn json_without_bottom_is_refused_and_overflows_no_stack() {
        let text = String::from_utf8(seal(&saved()).unwrap()).unwrap();
        let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        let text = text.replace("\"accounts\": []", &format!("\"accounts\": {deep}"));
        let before = &text[..text.len() - BEHIND.len() - DIGITS];
        let forged = format!("{before}{}{BEHIND}", checksum(before.as_bytes()));
        let error = read(forged.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("recursion limit"), "{error}");
    }

    #[test]
    fn it_is_good_for_a_day_and_from_five_minutes_before_it_was_saved() {
        let plan = saved();
        let at = |time: &str| check(&plan, time.parse().unwrap());
        assert_eq!(at("2026-11-21T10:00:00Z"), Ok(()));
        assert!(matches!(at("2026-11-21T10:00:01Z"), Err(Misfit::Old(_))));
        assert_eq!(at("2026-11-20T09:55:00Z"), Ok(()));
        assert!(matches!(at("2026-11-20T09:54:59Z"), Err(Misfit::Future(_))));
    }

    #[test]
    fn it_is_for_one_version_repository_api_user_and_world() {
        let plan = saved();
        let version = Saved { bursar_version: "0.0.9".to_owned(), ..plan.clone() };
        let mut told = vec![check(&version, plan.saved_at).unwrap_err()];
        told.push(plan.check_repository(&RepositoryName::Folder("/srv".to_owned())).unwrap_err());
        let api = ApiInfo { url: "https://api.example/v3".to_owned(), ..plan.api.clone() };
        told.push(plan.check_api(&api).unwrap_err());
        told.push(plan.check_scope(&Scope { user_id: "2".to_owned(), world_id: None }).unwrap_err());
        let sandbox = Scope { user_id: "1".to_owned(), world_id: Some("w".to_owned()) };
        told.push(plan.check_scope(&sandbox).unwrap_err());
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n").replace(env!("CARGO_PKG_VERSION"), "X"), @"
        it was saved by bursar 0.0.9, and this is X
        it is of another repository, the one of git.example/acme; this is the folder /srv
        it is for the API https://api.example/v2 (dnsimple), and this is https://api.example/v3 (dnsimple)
        it is for the token of user 1, and this is user 2's
        it is for a real API, and this is the sandbox's world w
        ");
        plan.check_repository(&plan.source.repository).unwrap();
        plan.check_api(&plan.api).unwrap();
        plan.check_scope(&plan.scope).unwrap();
    }
}
