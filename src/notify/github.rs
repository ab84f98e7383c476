//! The status of a commit at GitHub: what became of what it asks for.

use std::fmt;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::courier::Letter;
use crate::plan::{AccountState, Plan};
use crate::provider::BaseUrl;
use crate::provider::token::Token;

/// The longest description that GitHub takes, in characters.
const LONGEST: usize = 140;
/// What the status is called beside a commit.
const CONTEXT: &str = "bursar";

/// Where a commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitState {
    /// Something of it is still to be done.
    Pending,
    /// Done; what waits for somebody's sign-up or a renewal waits without anybody's fault.
    Success,
    /// Something failed, is blocked or does not hold: a person must act.
    Failure,
    /// The account API or the journal is in trouble.
    Error,
}

/// A repository at GitHub, and the token that may write statuses there.
#[derive(Clone)]
pub struct Repository {
    api: BaseUrl,
    owner: String,
    name: String,
    token: Token,
}

/// Not the name of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a GitHub repository is written OWNER/NAME")]
pub struct RepositoryError;

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({}/{} at {})", self.owner, self.name, self.api)
    }
}

impl Repository {
    /// `name` is `OWNER/NAME`.
    ///
    /// # Errors
    /// It is not.
    pub fn new(api: BaseUrl, name: &str, token: Token) -> Result<Self, RepositoryError> {
        let is_part = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && part != "."
                && part != ".."
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let (owner, name) = name.split_once('/').filter(|(o, n)| is_part(o) && is_part(n)).ok_or(RepositoryError)?;
        Ok(Self { api, owner: owner.to_owned(), name: name.to_owned(), token })
    }

    /// Where its API is, for the log.
    pub(super) fn host(&self) -> String {
        let url = self.api.to_string();
        let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        host.split('/').next().unwrap_or(host).to_owned()
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.api.is_loopback()
    }

    /// The request that sets a commit's status; `None` where that is no commit's full name.
    pub(super) fn letter(&self, commit: &str, state: CommitState, description: &str) -> Option<Letter> {
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_commit {
            return None;
        }
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose())).ok()?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));
        let Self { api, owner, name, token: _ } = self;
        Some(Letter {
            url: format!("{api}/repos/{owner}/{name}/statuses/{commit}"),
            headers,
            body: json!({ "state": state, "context": CONTEXT, "description": short(description) }),
        })
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let cut: String = text.chars().take(LONGEST - 3).collect();
    format!("{cut}...")
}

impl CommitState {
    /// Where a commit stands by the plan after a pass.
    pub fn of(plan: &Plan) -> Self {
        let any = |states: &[AccountState]| plan.accounts.iter().any(|account| states.contains(&account.state));
        let held = plan.accounts.iter().flat_map(|account| &account.actions);
        let held = held.into_iter().any(|action| action.reason == Some(crate::plan::Reason::Held));
        if any(&[AccountState::Invalid, AccountState::Failed, AccountState::Blocked]) {
            Self::Failure
        } else if held || any(&[AccountState::Changes, AccountState::Manual, AccountState::Unknown]) {
            Self::Pending
        } else {
            Self::Success
        }
    }
}

/// A plan in the words of a commit's status.
pub fn description(plan: &Plan) -> String {
    let count = |state| plan.accounts.iter().filter(|account| account.state == state).count();
    let parts = [
        (AccountState::Invalid, "invalid"),
        (AccountState::Failed, "failed"),
        (AccountState::Blocked, "blocked"),
        (AccountState::Manual, "by hand"),
        (AccountState::Unknown, "unknown"),
        (AccountState::Changes, "to change"),
        (AccountState::Waiting, "waiting"),
        (AccountState::Suspended, "suspended"),
        (AccountState::InSync, "in sync"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(state, word)| (count(state), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    match plan.accounts.len() {
        0 => "no clients".to_owned(),
        1 => format!("1 client: {}", parts.join(", ")),
        n => format!("{n} clients: {}", parts.join(", ")),
    }
}
