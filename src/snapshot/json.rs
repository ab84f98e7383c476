//! A snapshot as JSON: versioned, with its schema. What is read may be anybody's.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::text::inert;
use crate::domain::{Access, AccountId, AccountName, Email, Foreign, MemberId, Money, PlanFamily, PlanId, Role};
use crate::plan::{ApiInfo, ObservedAccount, Reading, Snapshot};
use crate::provider::{
    Account, Capability, Identity, Member, MemberState, Offer, PlanOffer, Quirk, RoleOffer, Scope, Subscription,
    SubscriptionState,
};

use super::{LARGEST, Recorded};

/// The version of this format: a reader ignores unknown fields and refuses another major.
pub const FORMAT_VERSION: &str = "1.0";

const KIND: &str = "snapshot";

/// Why a text is no snapshot to plan against.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Over [`LARGEST`].
    #[error("the snapshot has more than {} MiB", LARGEST / (1024 * 1024))]
    TooLarge,
    /// Not JSON, cut off, or without what a snapshot needs.
    #[error("this is not a snapshot: {}", inert(&.0.to_string()))]
    Form(serde_json::Error),
    /// JSON of another kind.
    #[error("this is not a snapshot, but says that it is `{}`", inert(.0))]
    Kind(String),
    /// Of another major version of the format.
    #[error("the snapshot has format version {}, and this bursar reads {FORMAT_VERSION}", inert(.0))]
    Version(String),
    /// It says that it is masked, and an address in it is not.
    #[error("the snapshot says that it is masked, and the address of {0} is not")]
    Unmasked(String),
    /// Two accounts of one id.
    #[error("the snapshot has account {0} twice")]
    Twice(AccountId),
}

/// What `bursar snapshot` writes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "bursar snapshot")]
struct SnapshotJson {
    /// A reader ignores unknown fields and refuses another major version.
    format_version: String,
    /// `snapshot`.
    kind: String,
    /// The version of bursar that wrote it.
    bursar_version: String,
    /// When it was taken.
    #[schemars(with = "String")]
    taken_at: Timestamp,
    /// Whether addresses are masked: `j***@acme.example#3f2a1c`.
    masked: bool,
    api: ApiJson,
    identity: IdentityJson,
    offer: OfferJson,
    /// Where addresses are masked, everybody in the order of the addresses behind the masks.
    #[serde(default)]
    people: Vec<String>,
    /// How many addresses bear a mask that another one bears as well.
    #[serde(default)]
    alike: usize,
    /// Every visible account, by ascending id.
    accounts: Vec<AccountJson>,
}

/// Which API.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct ApiJson {
    provider: String,
    url: String,
}

/// Whose token it was.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct IdentityJson {
    email: String,
    user_id: String,
    /// The id of a sandbox's world.
    world: Option<String>,
}

/// What the server offers.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct OfferJson {
    account_management: bool,
    plans: Vec<PlanJson>,
    capabilities: Vec<CapabilityJson>,
    quirks: Vec<QuirkJson>,
    roles: Vec<RoleJson>,
    /// Why nothing that costs can be bought.
    unpayable: Option<String>,
}

/// A plan. Prices are a billing period's, in USD.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanJson {
    id: String,
    name: String,
    family: String,
    yearly: bool,
    /// Null is a custom price.
    #[schemars(with = "Option<String>")]
    base_price: Option<Money>,
    included_seats: Option<u32>,
    #[schemars(with = "Option<String>")]
    seat_price: Option<Money>,
    /// Null is unlimited.
    max_members: Option<u32>,
    multi_member: bool,
    available: bool,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident = $of:ident { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        enum $name { $($variant),* }

        impl From<$of> for $name {
            fn from(value: $of) -> Self {
                match value { $($of::$variant => Self::$variant),* }
            }
        }
        impl From<$name> for $of {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => Self::$variant),* }
            }
        }
    };
}

words! {
    /// An extension of the account API.
    CapabilityJson = Capability { Bulk, IdempotencyKeys, UpdatedAt, LimitedAccess, Invitations }
}
words! {
    /// In what the server has ways of its own.
    QuirkJson = Quirk { PlanAtCreation, EmailAfterwards, NoUnsubscribe, FixedPeriod }
}
words! {
    /// Where a subscription stands.
    SubscriptionStateJson = SubscriptionState { New, Subscribing, Subscribed, Unsubscribed, NotSubscribed }
}
words! {
    /// Whether a member has joined.
    MemberStateJson = MemberState { Active, Invited }
}

/// A role and what access it comes to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct RoleJson {
    role: String,
    access: Access,
}

/// An account with its details as far as they were read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct AccountJson {
    id: String,
    name: Option<String>,
    email: Option<String>,
    /// The plan that the list names.
    plan: Option<String>,
    #[schemars(with = "Option<String>")]
    created_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    updated_at: Option<Timestamp>,
    /// Seen as null: there never was one.
    subscription: ReadingJson<Option<SubscriptionJson>>,
    /// Pending invitations included.
    members: ReadingJson<Vec<MemberJson>>,
}

/// Something that was read, or not: a failed read is unknown, never absent.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ReadingJson<T> {
    /// Read completely.
    Seen(T),
    /// Not asked for.
    NotRead,
    /// Asked for, and not got.
    Failed(String),
}

/// A subscription.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct SubscriptionJson {
    plan: String,
    state: SubscriptionStateJson,
    seats: Option<u32>,
    dunned: bool,
    #[schemars(with = "Option<String>")]
    trial_ends_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    current_period_ends_at: Option<Timestamp>,
    pending_plan: Option<String>,
    pending_seats: Option<u32>,
}

/// A member or a pending invitation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct MemberJson {
    id: String,
    email: String,
    access: Access,
    role: Option<String>,
    state: MemberStateJson,
}

/// The JSON Schema of what `bursar snapshot` writes.
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<SnapshotJson>()
        .to_value()
}

/// An account a line, so that two snapshots can be compared by line, and no longer than it must be.
pub(super) fn write(recorded: &Recorded) -> String {
    let Recorded { taken_at, api, masked, live, people, alike } = recorded;
    let Snapshot { identity: Identity { scope, email }, offer, accounts } = live;
    let head = SnapshotJson {
        format_version: FORMAT_VERSION.to_owned(),
        kind: KIND.to_owned(),
        bursar_version: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: *taken_at,
        masked: *masked,
        api: ApiJson { provider: api.provider.clone(), url: api.url.clone() },
        identity: IdentityJson {
            email: email.as_str().to_owned(),
            user_id: scope.user_id.clone(),
            world: scope.world.clone(),
        },
        offer: OfferJson::from(offer),
        people: people.iter().map(|person| person.as_str().to_owned()).collect(),
        alike: *alike,
        accounts: Vec::new(),
    };
    let line = |value: serde_json::Result<String>| value.unwrap_or_default();
    let fields = serde_json::to_value(head).ok();
    let fields = fields.as_ref().and_then(serde_json::Value::as_object).into_iter().flatten();
    let mut out = String::from("{\n");
    for (name, value) in fields.filter(|(name, _)| *name != "accounts") {
        out += &format!("  {name:?}: {},\n", line(serde_json::to_string(value)));
    }
    out += "  \"accounts\": [";
    for (index, account) in accounts.iter().enumerate() {
        out += if index == 0 { "\n    " } else { ",\n    " };
        out += &line(serde_json::to_string(&AccountJson::from(account)));
    }
    out += if accounts.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" };
    out
}

/// What every version of the format has.
#[derive(Deserialize)]
struct Head {
    format_version: String,
    kind: String,
}

pub(super) fn parse(text: &[u8]) -> Result<Recorded, SnapshotError> {
    if text.len() > LARGEST {
        return Err(SnapshotError::TooLarge);
    }
    let Head { format_version, kind } = serde_json::from_slice(text).map_err(SnapshotError::Form)?;
    if kind != KIND {
        return Err(SnapshotError::Kind(kind));
    }
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&format_version) != major(FORMAT_VERSION) {
        return Err(SnapshotError::Version(format_version));
    }
    let read: SnapshotJson = serde_json::from_slice(text).map_err(SnapshotError::Form)?;
    read.into_recorded()
}

impl SnapshotJson {
    fn into_recorded(self) -> Result<Recorded, SnapshotError> {
        let Self {
            format_version: _,
            kind: _,
            bursar_version: _,
            taken_at,
            masked,
            api: ApiJson { provider, url },
            identity: IdentityJson { email, user_id, world },
            offer,
            people,
            alike,
            accounts,
        } = self;
        let api = ApiInfo { provider: inert(&provider).into_owned(), url: inert(&url).into_owned() };
        let read = |raw: String, whose: &dyn Fn() -> String| {
            if masked {
                Email::from_masked(&raw, 1).ok_or_else(|| SnapshotError::Unmasked(whose()))
            } else {
                Ok(Email::lenient(raw))
            }
        };
        let email = read(email, &|| "the token's user".to_owned())?;
        let people = people.into_iter().map(|person| read(person, &|| "somebody among its people".to_owned()));
        let people = people.collect::<Result<Vec<_>, _>>()?;
        let accounts =
            accounts.into_iter().map(|account| account.into_observed(&read)).collect::<Result<Vec<_>, _>>()?;
        let mut seen = std::collections::HashSet::with_capacity(accounts.len());
        if let Some(twice) = accounts.iter().find(|observed| !seen.insert(&observed.account.id)) {
            return Err(SnapshotError::Twice(twice.account.id.clone()));
        }
        let identity = Identity { scope: Scope { api_url: url, user_id, world }, email };
        let live = Snapshot { identity, offer: offer.into(), accounts };
        Ok(Recorded { taken_at, api, masked, live, people, alike })
    }
}

impl From<&Offer> for OfferJson {
    fn from(offer: &Offer) -> Self {
        let Offer { account_management, plans, capabilities, quirks, roles, unpayable } = offer;
        let has = Capability::ALL.into_iter().filter(|capability| capabilities.has(*capability));
        Self {
            account_management: *account_management,
            plans: plans.iter().map(PlanJson::from).collect(),
            capabilities: has.map(Into::into).collect(),
            quirks: quirks.iter().map(|quirk| (*quirk).into()).collect(),
            roles: roles
                .iter()
                .map(|RoleOffer { role, access }| RoleJson { role: role.as_str().to_owned(), access: *access })
                .collect(),
            unpayable: unpayable.clone(),
        }
    }
}

impl From<OfferJson> for Offer {
    fn from(offer: OfferJson) -> Self {
        let OfferJson { account_management, plans, capabilities, quirks, roles, unpayable } = offer;
        Self {
            account_management,
            plans: plans.into_iter().map(Into::into).collect(),
            capabilities: capabilities.into_iter().map(Capability::from).collect(),
            quirks: quirks.into_iter().map(Into::into).collect(),
            roles: roles
                .into_iter()
                .map(|RoleJson { role, access }| RoleOffer { role: Role::new(role), access })
                .collect(),
            // The planner shows it as inert text.
            unpayable: unpayable.map(|why| inert(&why).into_owned()),
        }
    }
}

impl From<&PlanOffer> for PlanJson {
    fn from(plan: &PlanOffer) -> Self {
        let PlanOffer {
            id,
            name,
            family,
            yearly,
            base_price,
            included_seats,
            seat_price,
            max_members,
            multi_member,
            available,
        } = plan;
        Self {
            id: id.as_str().to_owned(),
            name: name.clone(),
            family: family.as_str().to_owned(),
            yearly: *yearly,
            base_price: *base_price,
            included_seats: *included_seats,
            seat_price: *seat_price,
            max_members: *max_members,
            multi_member: *multi_member,
            available: *available,
        }
    }
}

impl From<PlanJson> for PlanOffer {
    fn from(plan: PlanJson) -> Self {
        let PlanJson {
            id,
            name,
            family,
            yearly,
            base_price,
            included_seats,
            seat_price,
            max_members,
            multi_member,
            available,
        } = plan;
        Self {
            id: PlanId::new(id),
            name: inert(&name).into_owned(),
            family: PlanFamily::new(family),
            yearly,
            base_price,
            included_seats,
            seat_price,
            max_members,
            multi_member,
            available,
        }
    }
}

impl<T> ReadingJson<T> {
    fn of<L>(reading: &Reading<L>, write: impl FnOnce(&L) -> T) -> Self {
        match reading {
            Reading::Seen(value) => Self::Seen(write(value)),
            Reading::NotRead => Self::NotRead,
            Reading::Failed(why) => Self::Failed(why.raw().to_owned()),
        }
    }

    fn read<L, E>(self, read: impl FnOnce(T) -> Result<L, E>) -> Result<Reading<L>, E> {
        Ok(match self {
            Self::Seen(value) => Reading::Seen(read(value)?),
            Self::NotRead => Reading::NotRead,
            Self::Failed(why) => Reading::Failed(Foreign::new(why)),
        })
    }
}

impl From<&ObservedAccount> for AccountJson {
    fn from(observed: &ObservedAccount) -> Self {
        let ObservedAccount { account, subscription, members } = observed;
        let Account { id, name, email, plan, created_at, updated_at, subscription: _, members: _ } = account;
        Self {
            id: id.as_str().to_owned(),
            name: name.as_ref().map(|name| name.as_str().to_owned()),
            email: email.as_ref().map(|email| email.as_str().to_owned()),
            plan: plan.as_ref().map(|plan| plan.as_str().to_owned()),
            created_at: *created_at,
            updated_at: *updated_at,
            subscription: ReadingJson::of(subscription, |seen| seen.as_ref().map(SubscriptionJson::from)),
            members: ReadingJson::of(members, |members| members.iter().map(MemberJson::from).collect()),
        }
    }
}

impl AccountJson {
    fn into_observed(
        self,
        read: &impl Fn(String, &dyn Fn() -> String) -> Result<Email, SnapshotError>,
    ) -> Result<ObservedAccount, SnapshotError> {
        let Self { id, name, email, plan, created_at, updated_at, subscription, members } = self;
        let id = AccountId::new(id);
        let whose = || format!("account {id}");
        let whose_member = || format!("a member of account {id}");
        let email = email.map(|email| read(email, &whose)).transpose()?;
        let members = members.read(|members| {
            let members = members.into_iter().map(|MemberJson { id, email, access, role, state }| {
                Ok(Member {
                    id: MemberId::new(id),
                    email: read(email, &whose_member)?,
                    access,
                    role: role.map(Role::new),
                    state: state.into(),
                })
            });
            members.collect::<Result<Vec<_>, SnapshotError>>()
        })?;
        let subscription = subscription.read(|seen| Ok::<_, SnapshotError>(seen.map(Subscription::from)))?;
        let account = Account {
            id,
            name: name.map(AccountName::new),
            email,
            plan: plan.map(PlanId::new),
            created_at,
            updated_at,
            subscription: None,
            members: None,
        };
        Ok(ObservedAccount { account, subscription, members })
    }
}

impl From<&Subscription> for SubscriptionJson {
    fn from(subscription: &Subscription) -> Self {
        let Subscription {
            plan,
            state,
            seats,
            dunned,
            trial_ends_at,
            current_period_ends_at,
            pending_plan,
            pending_seats,
        } = subscription;
        Self {
            plan: plan.as_str().to_owned(),
            state: (*state).into(),
            seats: *seats,
            dunned: *dunned,
            trial_ends_at: *trial_ends_at,
            current_period_ends_at: *current_period_ends_at,
            pending_plan: pending_plan.as_ref().map(|plan| plan.as_str().to_owned()),
            pending_seats: *pending_seats,
        }
    }
}

impl From<SubscriptionJson> for Subscription {
    fn from(subscription: SubscriptionJson) -> Self {
        let SubscriptionJson {
            plan,
            state,
            seats,
            dunned,
            trial_ends_at,
            current_period_ends_at,
            pending_plan,
            pending_seats,
        } = subscription;
        Self {
            plan: PlanId::new(plan),
            state: state.into(),
            seats,
            dunned,
            trial_ends_at,
            current_period_ends_at,
            pending_plan: pending_plan.map(PlanId::new),
            pending_seats,
        }
    }
}

impl From<&Member> for MemberJson {
    fn from(member: &Member) -> Self {
        let Member { id, email, access, role, state } = member;
        Self {
            id: id.as_str().to_owned(),
            email: email.as_str().to_owned(),
            access: *access,
            role: role.as_ref().map(|role| role.as_str().to_owned()),
            state: (*state).into(),
        }
    }
}
