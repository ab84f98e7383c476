//! In what the services differ, as far as the simulated world has to know: routes, ids, plans.

use std::sync::Arc;

use bursar::plan::OpKind;
use bursar::provider::transport::Transport;
use bursar::provider::{BaseUrl, Read, Token, Write, dnsimple, netlify};
use bursar::sandbox::Dialect;
use serde_json::Value;

/// The two ends of a driver, which share what they know.
pub type Driver = (Arc<dyn Read>, Arc<dyn Write>);

/// What a service is like.
#[derive(Debug)]
pub struct Ways {
    /// The path of a create, which is a POST.
    pub creates: &'static str,
    /// Where the id of what was made stands in the answer.
    pub id: &'static str,
    /// The list of accounts, and where it stands in the answer.
    pub list: (&'static str, &'static str),
    /// The field of an account that has its notification email.
    pub email: &'static str,
    /// The plan that the clients want.
    pub plan: &'static str,
    /// Whether a subscription can be cancelled.
    pub cancels: bool,
    /// Whether a create may have a key.
    pub keys: bool,
    /// The route of each kind of write.
    pub route: fn(OpKind) -> &'static str,
    /// Whether a part of a path is the name of a thing.
    is_name: fn(&str) -> bool,
}

impl Ways {
    /// Those of a dialect.
    pub fn of(dialect: Dialect) -> &'static Self {
        match dialect {
            Dialect::Dnsimple => &DNSIMPLE,
            Dialect::Netlify => &NETLIFY,
            _ => panic!("{} is not simulated", dialect.name()),
        }
    }

    /// A call as the network saw it, or a route as the ledger names it, without ids.
    pub fn without_ids(&self, call: &str) -> String {
        let is_id = |part: &&str| part.starts_with('{') || (self.is_name)(part);
        call.split('/').map(|part| if is_id(&part) { "*" } else { part }).collect::<Vec<_>>().join("/")
    }

    /// The id of the account that an answer to a create tells of.
    pub fn made(&self, answer: &[u8]) -> String {
        let answer: Value = serde_json::from_slice(answer).unwrap();
        let id = answer.pointer(self.id).unwrap();
        id.as_str().map_or_else(|| id.to_string(), str::to_owned)
    }
}

static DNSIMPLE: Ways = Ways {
    creates: "/v2/accounts",
    id: "/data/id",
    list: ("/v2/accounts", "/data"),
    email: "email",
    plan: "teams",
    cancels: true,
    keys: true,
    route: |op| match op {
        OpKind::CreateAccount => "POST /v2/accounts",
        OpKind::UpdateAccount => "PATCH /v2/accounts/*",
        OpKind::Subscribe | OpKind::ChangePlan | OpKind::SetSeats => "PUT /v2/*/subscription",
        OpKind::Unsubscribe => "DELETE /v2/*/subscription",
        OpKind::AddMember => "POST /v2/*/members",
        OpKind::SetAccess => "PATCH /v2/*/members/*",
        OpKind::RemoveMember => "DELETE /v2/*/members/*",
    },
    is_name: |part| part.parse::<u64>().is_ok(),
};

static NETLIFY: Ways = Ways {
    creates: "/api/v1/accounts",
    id: "/id",
    list: ("/api/v1/accounts", ""),
    email: "billing_email",
    plan: "pro",
    cancels: false,
    keys: false,
    route: |op| match op {
        OpKind::CreateAccount => "POST /api/v1/accounts",
        OpKind::UpdateAccount | OpKind::Subscribe | OpKind::ChangePlan | OpKind::SetSeats => "PUT /api/v1/accounts/*",
        OpKind::Unsubscribe => "DELETE /api/v1/accounts/*",
        OpKind::AddMember => "POST /api/v1/*/members",
        OpKind::SetAccess => "PUT /api/v1/*/members/*",
        OpKind::RemoveMember => "DELETE /api/v1/*/members/*",
    },
    // An id, or the slug of an account.
    is_name: |part| part.starts_with("client-") || (part.len() == 24 && part.bytes().all(|b| b.is_ascii_hexdigit())),
};

/// The driver of a dialect, over a transport.
pub fn connect(dialect: Dialect, (base_url, token): (BaseUrl, Token), transport: Arc<dyn Transport>) -> Driver {
    match dialect {
        Dialect::Dnsimple => {
            let reader = dnsimple::connect_over(dnsimple::Config::new(base_url, token), transport);
            let writer = reader.writer();
            (Arc::new(reader), Arc::new(writer))
        }
        Dialect::Netlify => {
            let reader = netlify::connect_over(netlify::Config::new(base_url, token), transport);
            let writer = reader.writer();
            (Arc::new(reader), Arc::new(writer))
        }
        _ => panic!("{} is not simulated", dialect.name()),
    }
}
