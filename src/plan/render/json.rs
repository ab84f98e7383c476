//! The plan for machines: versioned, with its JSON Schema.

use crate::manifest::OriginKind;
use crate::plan::cause::Cause;
use crate::plan::known::{Says, Whose, Word};
use crate::plan::saved::Comparison;
use crate::plan::tree::{
    AccountPlan, AccountState, Action, ActionState, Change, Drift, DriftKind, Multiplied, Notice, Op, Plan, Reason,
    Told, TrippedRail, Unmanaged,
};

use super::model::{
    AboutJson, AccountJson, AccountStateJson, ActionJson, ActionStateJson, ApiJson, CauseJson, CostJson, DriftJson,
    DriftKindJson, MultipliedJson, NoticeJson, OpJson, PlanJson, RailJson, RequestsJson, ResultJson, SourceJson,
    SummaryJson, ThroughJson, ToldJson, ToldStateJson, UnmanagedJson,
};

/// The version of this format: a reader ignores unknown fields and refuses another major.
const FORMAT_VERSION: &str = "1.0";

/// The plan as JSON. Ids and money are text, emails and names stand as they were written.
pub fn json(plan: &Plan) -> serde_json::Value {
    to_value(PlanJson::new(plan))
}

/// The plan after it was carried out, with `result` counted from the states of the actions.
pub fn apply_json(plan: &Plan) -> serde_json::Value {
    applied(plan, None)
}

/// The same, of a saved plan: with what became of its clients.
pub fn apply_json_of_saved(plan: &Plan, comparison: &Comparison) -> serde_json::Value {
    applied(plan, Some(comparison.clone()))
}

fn applied(plan: &Plan, saved: Option<Comparison>) -> serde_json::Value {
    let mut result = ResultJson::default();
    for action in plan.accounts.iter().flat_map(|account| &account.actions) {
        match action.state {
            ActionState::Applied => result.applied += 1,
            ActionState::Failed => result.failed += 1,
            ActionState::Waiting => result.waiting += 1,
            ActionState::Blocked => result.blocked += 1,
            ActionState::Manual => result.manual += 1,
            ActionState::Skipped => result.skipped += 1,
            // Left over, where carrying out was cut off.
            ActionState::Planned => {}
        }
    }
    to_value(PlanJson { result: Some(result), saved, ..PlanJson::new(plan) })
}

fn to_value(plan: PlanJson) -> serde_json::Value {
    serde_json::to_value(plan).expect("text keys and plain values only, which always serialise")
}

/// The JSON Schema of what [`json`] and [`apply_json`] write.
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<PlanJson>()
        .to_value()
}

impl PlanJson {
    fn new(plan: &Plan) -> Self {
        let Plan {
            digest,
            api,
            accounts,
            drift,
            unmanaged,
            notices,
            rails,
            passed,
            multiplied,
            cost,
            summary,
            requests,
        } = plan;
        Self {
            format_version: FORMAT_VERSION.to_owned(),
            bursar_version: env!("CARGO_PKG_VERSION").to_owned(),
            digest: digest.clone(),
            api: ApiJson { provider: api.provider.clone(), url: api.url.clone() },
            summary: (*summary).into(),
            cost: CostJson {
                currency: "USD".to_owned(),
                monthly_before: cost.before.into(),
                monthly_after: cost.after.into(),
                monthly_delta: (cost.after - cost.before).into(),
                unpriced: cost.unpriced,
            },
            requests: RequestsJson { spent: requests.spent, to_apply: requests.to_apply },
            accounts: accounts.iter().map(AccountJson::from).collect(),
            drift: drift.iter().map(DriftJson::from).collect(),
            unmanaged: unmanaged.iter().map(UnmanagedJson::from).collect(),
            notices: notices.iter().map(NoticeJson::from).collect(),
            rails: rails.iter().map(RailJson::from).collect(),
            passed: passed.iter().map(RailJson::from).collect(),
            multiplied: multiplied.iter().map(MultipliedJson::from).collect(),
            result: None,
            saved: None,
        }
    }
}

impl From<crate::plan::Summary> for SummaryJson {
    fn from(summary: crate::plan::Summary) -> Self {
        let crate::plan::Summary {
            create_account,
            update_account,
            subscribe,
            change_plan,
            set_seats,
            remove_member,
            add_member,
            set_access,
            unsubscribe,
            waiting,
            blocked,
            manual,
            in_sync,
        } = summary;
        Self {
            create_account,
            update_account,
            subscribe,
            change_plan,
            set_seats,
            remove_member,
            add_member,
            set_access,
            unsubscribe,
            waiting,
            blocked,
            manual,
            in_sync,
        }
    }
}

impl From<&AccountPlan> for AccountJson {
    fn from(account: &AccountPlan) -> Self {
        let AccountPlan {
            name,
            client: _,
            account_id,
            source,
            labels: _,
            state,
            actions,
            message,
            told,
            observed: _,
            monthly_before,
            monthly_after,
            desired: _,
            digest,
        } = account;
        Self {
            name: name.clone(),
            account_id: account_id.as_ref().map(|id| id.as_str().to_owned()),
            source: SourceJson { file: source.file.clone(), line: source.line },
            state: match state {
                AccountState::Invalid => AccountStateJson::Invalid,
                AccountState::Suspended => AccountStateJson::Suspended,
                AccountState::Failed => AccountStateJson::Failed,
                AccountState::Blocked => AccountStateJson::Blocked,
                AccountState::Manual => AccountStateJson::Manual,
                AccountState::Unknown => AccountStateJson::Unknown,
                AccountState::Changes => AccountStateJson::Changes,
                AccountState::Waiting => AccountStateJson::Waiting,
                AccountState::InSync => AccountStateJson::InSync,
            },
            message: message.as_ref().map(ToString::to_string),
            told: told.iter().map(ToldJson::from).collect(),
            digest: digest.clone(),
            monthly_before: monthly_before.map(Into::into),
            monthly_after: monthly_after.map(Into::into),
            actions: actions.iter().map(ActionJson::from).collect(),
        }
    }
}

impl From<&Told> for ToldJson {
    fn from(told: &Told) -> Self {
        let Told { email, word: Word { says, whose, at, weight: _ } } = told;
        let (access, state) = match says {
            Says::Member(access) => (*access, ToldStateJson::Member),
            Says::Invited => (None, ToldStateJson::Invited),
            Says::Absent => (None, ToldStateJson::Absent),
        };
        let by = match whose {
            Whose::Person(name) => Some(name.clone()),
            Whose::Webhook => None,
        };
        Self { email: email.as_str().to_owned(), state, access, by, at: at.to_string() }
    }
}

impl From<&Action> for ActionJson {
    fn from(action: &Action) -> Self {
        let Action { op, state, reason, message, offboarding, unregistered, cause, request_id, steps, link } = action;
        let (op, about) = about(op);
        Self {
            op,
            state: match state {
                ActionState::Planned => ActionStateJson::Planned,
                ActionState::Applied => ActionStateJson::Applied,
                ActionState::Failed => ActionStateJson::Failed,
                ActionState::Waiting => ActionStateJson::Waiting,
                ActionState::Blocked => ActionStateJson::Blocked,
                ActionState::Manual => ActionStateJson::Manual,
                ActionState::Skipped => ActionStateJson::Skipped,
            },
            reason: reason.map(|reason: Reason| format!("{reason:?}")),
            message: message.clone(),
            offboarding: *offboarding,
            unregistered: *unregistered,
            cause: cause.map(|cause| match cause {
                Cause::Manifest => CauseJson::Manifest,
                Cause::Drift { .. } => CauseJson::Drift,
                Cause::New => CauseJson::New,
            }),
            changed_since: cause.and_then(|cause| match cause {
                Cause::Drift { since } => Some(since.to_string()),
                Cause::Manifest | Cause::New => None,
            }),
            request_id: request_id.as_ref().map(|id| id.as_str().to_owned()),
            error: (*state == ActionState::Failed).then(|| message.clone()),
            steps: steps.clone(),
            link: link.clone(),
            about,
        }
    }
}

fn about(op: &Op) -> (OpJson, AboutJson) {
    let own = |text: &str| Some(text.to_owned());
    let none = AboutJson::default();
    match op {
        Op::CreateAccount { name, email, plan } => {
            let about = AboutJson {
                name: own(name.as_str()),
                email: email.as_ref().and_then(|email| own(email.as_str())),
                plan: plan.as_ref().and_then(|new| own(new.plan.as_str())),
                seats: plan.as_ref().and_then(|new| new.seats),
                ..none
            };
            (OpJson::CreateAccount, about)
        }
        Op::UpdateAccount { name, email } => {
            let mut about = none;
            if let Some(Change { from, to }) = name {
                about.name = own(to.as_str());
                about.name_from = from.as_ref().and_then(|from| own(from.as_str()));
            }
            if let Some(Change { from, to }) = email {
                about.email = own(to.as_str());
                about.email_from = from.as_ref().and_then(|from| own(from.as_str()));
            }
            (OpJson::UpdateAccount, about)
        }
        Op::Subscribe { plan, seats } => {
            (OpJson::Subscribe, AboutJson { plan: own(plan.as_str()), seats: *seats, ..none })
        }
        Op::ChangePlan { from, to, seats, downgrade } => {
            let about = AboutJson {
                plan: own(to.as_str()),
                plan_from: own(from.as_str()),
                seats: *seats,
                downgrade: Some(*downgrade),
                ..none
            };
            (OpJson::ChangePlan, about)
        }
        Op::SetSeats { plan, from, to } => {
            let about = AboutJson { plan: own(plan.as_str()), seats: Some(*to), seats_from: Some(*from), ..none };
            (OpJson::SetSeats, about)
        }
        Op::RemoveMember { id, email, access, invited } => {
            let about = AboutJson {
                email: own(email.as_str()),
                access: Some(*access),
                member_id: own(id.as_str()),
                invited: Some(*invited),
                ..none
            };
            (OpJson::RemoveMember, about)
        }
        Op::AddMember { email, access, role } => {
            let role = role.as_ref().and_then(|role| own(role.as_str()));
            (OpJson::AddMember, AboutJson { email: own(email.as_str()), access: Some(*access), role, ..none })
        }
        Op::SetAccess { id, email, from, to, role } => {
            let about = AboutJson {
                email: own(email.as_str()),
                role: role.as_ref().and_then(|role| own(role.as_str())),
                access: Some(*to),
                access_from: Some(*from),
                member_id: own(id.as_str()),
                ..none
            };
            (OpJson::SetAccess, about)
        }
        Op::Unsubscribe { plan } => (OpJson::Unsubscribe, AboutJson { plan: own(plan.as_str()), ..none }),
    }
}

impl From<&Drift> for DriftJson {
    fn from(drift: &Drift) -> Self {
        let Drift { account_id, client, what, email, message } = drift;
        Self {
            account_id: account_id.as_str().to_owned(),
            name: client.to_string(),
            what: match what {
                DriftKind::MemberAdded => DriftKindJson::MemberAdded,
                DriftKind::SpareSeats => DriftKindJson::SpareSeats,
                DriftKind::Dunned => DriftKindJson::Dunned,
            },
            email: email.as_ref().map(|email| email.as_str().to_owned()),
            message: message.clone(),
        }
    }
}

impl From<&Unmanaged> for UnmanagedJson {
    fn from(unmanaged: &Unmanaged) -> Self {
        let Unmanaged { account_id, name, monthly } = unmanaged;
        Self {
            account_id: account_id.as_str().to_owned(),
            name: name.as_ref().map(|name| name.as_str().to_owned()),
            monthly: monthly.map(Into::into),
        }
    }
}

impl From<&Notice> for NoticeJson {
    fn from(notice: &Notice) -> Self {
        let Notice { client, plan, message } = notice;
        Self {
            name: client.as_ref().map(ToString::to_string),
            plan: plan.as_ref().map(|plan| plan.as_str().to_owned()),
            message: message.clone(),
        }
    }
}

impl From<&TrippedRail> for RailJson {
    fn from(rail: &TrippedRail) -> Self {
        let TrippedRail { flag, value, suffices, message } = rail;
        Self { flag: (*flag).to_owned(), value: value.clone(), suffices: suffices.clone(), message: message.clone() }
    }
}

impl From<&Multiplied> for MultipliedJson {
    fn from(line: &Multiplied) -> Self {
        let Multiplied { email, through, source, accounts, seats, seat_price, monthly, unpriced, registered } = line;
        let (kind, name) = match through {
            OriginKind::Own => (ThroughJson::Client, None),
            OriginKind::Defaults(name) => (ThroughJson::Defaults, Some(name.clone())),
            OriginKind::Group(name) => (ThroughJson::Group, Some(name.clone())),
        };
        Self {
            email: email.as_str().to_owned(),
            through: kind,
            name,
            source: SourceJson { file: source.file.clone(), line: source.line },
            accounts: *accounts,
            seats: *seats,
            seat_price: seat_price.map(Into::into),
            monthly: (*monthly).into(),
            unpriced: *unpriced,
            registered: *registered,
        }
    }
}
