//! What an account has here beside what every account has: its slug, the particulars of its
//! bills, and the roles of its members.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sandbox::world::{Access, AccountId, Member, MemberId};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, billing and members included.
    Owner,
    Developer,
    BillingAdmin,
    Reviewer,
}

impl Role {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Developer, Self::BillingAdmin, Self::Reviewer];

    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Developer => "Developer",
            Self::BillingAdmin => "Billing Admin",
            Self::Reviewer => "Reviewer",
        }
    }

    /// The role of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// What the shared rules see of it.
    pub const fn access(self) -> Access {
        match self {
            Self::Owner => Access::Full,
            Self::Developer | Self::BillingAdmin | Self::Reviewer => Access::Limited,
        }
    }

    /// The role of a member. One whom nobody gave a role (a tester arranged it) has the one
    /// that fits their access.
    pub fn of(team: Option<&Team>, member: &Member) -> Self {
        let given = team.and_then(|team| team.roles.get(&member.id)).copied();
        given.filter(|role| role.access() == member.access).unwrap_or(match member.access {
            Access::Full => Self::Owner,
            Access::Limited => Self::Developer,
        })
    }
}

/// What the service keeps of an account besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub account_id: AccountId,
    /// Its name in paths; no other account has it.
    pub slug: String,
    pub billing_name: Option<String>,
    pub billing_details: Option<String>,
    pub roles: BTreeMap<MemberId, Role>,
}

impl Team {
    /// An account that was only just made.
    pub fn new(account_id: AccountId, slug: String) -> Self {
        Self { account_id, slug, billing_name: None, billing_details: None, roles: BTreeMap::new() }
    }
}
