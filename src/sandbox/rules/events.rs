//! What webhooks are told: read off a draft, beside the world that it is about to change.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::sandbox::AGENCY;
use crate::sandbox::world::{Account, AccountId, Change, Delivery, Draft, Member, User, World};

use super::webhooks::Target;

/// Something that happened to an account.
struct Event {
    account: AccountId,
    name: &'static str,
    data: Value,
}

/// Adds to a draft what the webhooks of its accounts are to be told. Only those on this
/// machine are told anything.
pub fn announce(world: &World, draft: &mut Draft, now: Timestamp, fresh_id: impl Fn() -> String) {
    if world.webhooks.values().all(|webhook| Target::of(&webhook.url).is_none()) {
        return;
    }
    let scene = Scene { world, draft, now };
    let events: Vec<Event> = draft.changes.iter().flat_map(|change| scene.events(change)).collect();
    let actor = scene.actor();
    let events: Vec<_> = events.into_iter().map(|event| (scene.identity(event.account), event)).collect();
    for (identity, Event { account, name, data }) in events {
        let its = world.webhooks.values().filter(|it| it.account_id == account && Target::of(&it.url).is_some());
        let request = fresh_id();
        for webhook in its {
            let body = json!({
                "data": data,
                "name": name,
                "actor": actor,
                "account": identity,
                "api_version": "v2",
                "request_identifier": request,
            });
            let delivery = Delivery {
                id: draft.next_delivery(),
                webhook_id: webhook.id,
                url: webhook.url.clone(),
                body: body.to_string(),
                attempts: 0,
                since: now,
                next_at: now,
            };
            draft.put(Change::PutDelivery(delivery));
        }
    }
}

/// A draft against the world before it.
struct Scene<'a> {
    world: &'a World,
    draft: &'a Draft,
    now: Timestamp,
}

impl Scene<'_> {
    fn events(&self, change: &Change) -> Vec<Event> {
        let world = self.world;
        match change {
            Change::PutAccount(after) => {
                let is_news = |before: &Account| (&before.name, &before.email) != (&after.name, &after.email);
                let changed = world.accounts.get(&after.id).is_some_and(is_news);
                let data = || json!({ "account": account_of(world, after) });
                changed.then(|| Event { account: after.id, name: "account.update", data: data() }).into_iter().collect()
            }
            Change::PutMember(after) if world.accounts.contains_key(&after.account_id) => {
                let before = world.members_of(after.account_id).iter().find(|member| member.id == after.id);
                match (before.map(|member| member.user_id), after.user_id) {
                    (None, None) => vec![self.invitation("account.user_invite", after, None)],
                    // Who is added at once was invited and accepted in one.
                    (None, Some(_)) => vec![
                        self.invitation("account.user_invite", after, None),
                        self.invitation("account.user_invitation_accept", after, Some(self.now)),
                    ],
                    (Some(None), Some(_)) => {
                        vec![self.invitation("account.user_invitation_accept", after, Some(self.now))]
                    }
                    (Some(_), _) => Vec::new(),
                }
            }
            Change::DropMember(member) => match member.user_id.and_then(|id| world.users.get(&id)) {
                None => vec![self.invitation("account.user_invitation_revoke", member, None)],
                Some(user) => {
                    let data = json!({ "account": self.account(member.account_id), "user": user_of(user) });
                    vec![Event { account: member.account_id, name: "account.user_remove", data }]
                }
            },
            _ => Vec::new(),
        }
    }

    fn invitation(&self, name: &'static str, member: &Member, accepted: Option<Timestamp>) -> Event {
        let Member { id, account_id, user_id: _, email, access: _, created_at } = member;
        let data = json!({
            "account": self.account(*account_id),
            "account_invitation": {
                "id": id.0,
                "email": email,
                "token": token(self.world, member),
                "account_id": account_id.0,
                "created_at": created_at,
                "updated_at": accepted.unwrap_or(*created_at),
                "invitation_sent_at": created_at,
                "invitation_accepted_at": accepted,
            },
        });
        Event { account: *account_id, name, data }
    }

    /// The account as it is after the draft.
    fn account(&self, id: AccountId) -> Option<Value> {
        self.find_account(id).map(|account| account_of(self.world, account))
    }

    fn find_account(&self, id: AccountId) -> Option<&Account> {
        let changed = self.draft.changes.iter().rev().find_map(|change| match change {
            Change::PutAccount(account) if account.id == id => Some(account),
            _ => None,
        });
        changed.or_else(|| self.world.accounts.get(&id))
    }

    /// The account in the frame of a delivery.
    fn identity(&self, id: AccountId) -> Value {
        let account = self.find_account(id);
        json!({
            "id": id.0,
            "display": account.map(|account| account.name.as_str()),
            "identifier": account.map(|account| account.email.as_str()),
        })
    }

    /// Who did it; the service shows the id as text.
    fn actor(&self) -> Value {
        let id = self.draft.actor.unwrap_or(AGENCY);
        let signs_up = self.draft.changes.iter().find_map(|change| match change {
            Change::PutUser(user) if user.id == id => Some(user),
            _ => None,
        });
        let email = signs_up.or_else(|| self.world.users.get(&id)).map(|user| user.email.as_str());
        json!({ "id": id.to_string(), "entity": "user", "pretty": email })
    }
}

/// What would accept an invitation, were it the real service's.
fn token(world: &World, member: &Member) -> String {
    let digest = Sha256::digest(format!("{}/{}", world.meta.world_id, member.id));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn account_of(world: &World, account: &Account) -> Value {
    let Account { id, name, email, created_at, updated_at } = account;
    json!({
        "id": id.0,
        "email": email,
        "name": name,
        "plan_identifier": world.plan_in_force(*id).map(|plan| plan.identifier),
        "created_at": created_at,
        "updated_at": updated_at,
    })
}

fn user_of(user: &User) -> Value {
    let User { id, email, verified: _, card: _, created_at, updated_at } = user;
    json!({ "id": id.0, "email": email, "created_at": created_at, "updated_at": updated_at })
}
