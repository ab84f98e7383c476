//! What is Netlify's own: what each action sends, slugs, roles, periods, and how things are
//! paid for.

use bursar::domain::{Access, AccountId, AccountName, Email, MemberId, PlanId, Role};
use bursar::plan::OpKind;
use bursar::provider::netlify::{self, Config};
use bursar::provider::{ApiErrorKind, BaseUrl, Grant, NewAccount, NewPlan, Quirk, Read as _, Token, Write as _};
use serde_json::{Value, json};

use super::netlify::Netlify;
use super::{Dialect, carry_out, driver_of, ready, scripted, url_of};
use crate::provider_world::{Asked, CANARY, Reply, World, json as reply, message, world};

fn reader(world: &World, payment_method: Option<&str>) -> netlify::Reader {
    let token = Token::from_text(CANARY.to_owned()).unwrap();
    let config = Config::new(BaseUrl::parse(&url_of::<Netlify>(world)).unwrap(), token);
    netlify::connect(Config { payment_method: payment_method.map(str::to_owned), read_retries: 0, ..config }).unwrap()
}

fn new(plan: &str, seats: u32) -> NewAccount {
    let plan = Some(NewPlan { plan: PlanId::new(plan), seats: Some(seats) });
    NewAccount { name: AccountName::new("New"), email: None, plan }
}

/// The arranged fake, some of whose reads are answered otherwise.
async fn reading(instead: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> World {
    let fake = std::sync::Mutex::new(Netlify::arranged());
    world(move |_, asked: &Asked| match instead(asked.line.trim_start_matches("GET /api/v1")) {
        Some(reply) => reply,
        None => fake.lock().unwrap().answer(asked),
    })
    .await
}

#[tokio::test]
async fn each_action_sends_what_the_description_takes_and_nothing_else() {
    let mut sent = String::new();
    for op in Netlify::OPS {
        let world = scripted::<Netlify>(|_| None).await;
        carry_out::<Netlify>(&ready::<Netlify>(&world).await, *op).await.unwrap();
        let asked = world.asked().pop().unwrap();
        sent.push_str(format!("{op:?}: {} {}", asked.line, asked.body).trim_end());
        sent.push('\n');
        assert!(!asked.headers.contains("idempotency-key"));
    }
    insta::assert_snapshot!(sent, @r#"
    CreateAccount: POST /api/v1/accounts {"name":"New & Söhne","type_id":"t-pro","period":"monthly","payment_method_id":"pm-1","extra_seats_block":2}
    UpdateAccount: PUT /api/v1/accounts/7 {"name":"New & Söhne","billing_email":"new@acme.example"}
    Subscribe: PUT /api/v1/accounts/7 {"type_id":"t-pro","extra_seats_block":2}
    ChangePlan: PUT /api/v1/accounts/7 {"type_id":"t-pro","extra_seats_block":2}
    SetSeats: PUT /api/v1/accounts/7 {"type_id":"t-pro","extra_seats_block":3}
    RemoveMember: DELETE /api/v1/team-a1/members/m3
    AddMember: POST /api/v1/team-a1/members {"role":"Developer","email":"Jane@acme.example"}
    SetAccess: PUT /api/v1/team-a1/members/m3 {"role":"Owner"}
    "#);
}

#[tokio::test]
async fn what_is_offered_says_in_what_the_service_differs() {
    let world = scripted::<Netlify>(|_| None).await;
    let offer = reader(&world, None).offer().await.unwrap();
    assert_eq!((offer.quirks.len(), offer.unpayable.as_deref()), (4, None));
    assert!(Quirk::ALL.into_iter().all(|quirk| offer.has_quirk(quirk)));
    assert_eq!(offer.capabilities.to_string(), "limited_access, invitations");
    let roles: Vec<_> = offer.roles.iter().map(|offer| format!("{} {}", offer.role, offer.access)).collect();
    assert_eq!(roles, ["Owner full", "Developer limited", "Billing Admin limited", "Reviewer limited"]);
}

#[tokio::test]
async fn nothing_is_sent_that_could_not_be_what_was_meant() {
    let world = scripted::<Netlify>(|_| None).await;
    let fresh = reader(&world, None).writer();
    let (id, plan) = (AccountId::new("7"), PlanId::new("pro-monthly"));
    let (email, grant) = (Email::lenient("jane@acme.example"), Grant::of(Access::Limited));
    let mut told = vec![
        fresh.create_account(&new("pro-monthly", 1), None).await.unwrap_err(),
        fresh.put_subscription(&id, &plan, None).await.unwrap_err(),
        fresh.add_member(&id, &email, &grant).await.unwrap_err(),
        fresh.delete_subscription(&id).await.unwrap_err(),
    ];
    let reader = reader(&world, None);
    reader.offer().await.unwrap();
    reader.accounts().await.unwrap();
    let (writer, before) = (reader.writer(), world.lines().len());
    let boss = Grant { access: Access::Full, role: Some(Role::new("Boss")) };
    told.extend([
        writer.create_account(&NewAccount { plan: None, ..new("", 1) }, None).await.unwrap_err(),
        writer.create_account(&new("gone-monthly", 1), None).await.unwrap_err(),
        writer.create_account(&new("starter-monthly", 2), None).await.unwrap_err(),
        writer.put_subscription(&id, &PlanId::new("pro-yearly"), Some(3)).await.unwrap_err(),
        writer.put_subscription(&AccountId::new("types"), &plan, None).await.unwrap_err(),
        writer.add_member(&id, &email, &boss).await.unwrap_err(),
        writer.set_access(&id, &MemberId::new("m3"), &Grant { access: Access::Limited, ..boss }).await.unwrap_err(),
    ]);
    assert_eq!(world.lines().len(), before, "nothing was sent");
    let told: Vec<_> = told.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    POST /api/v1/accounts: not sent: what the service sells was not read yet
    PUT /api/v1/accounts/{account}: not sent: what the service sells was not read yet
    POST /api/v1/{account}/members: not sent: the slug of the account is not known; it is read again
    DELETE /api/v1/accounts/{account}: not sent: the service ends a subscription with its account only, and bursar closes no account
    POST /api/v1/accounts: not sent: the service makes no account without a plan
    POST /api/v1/accounts: not sent: the service does not list this plan any more
    POST /api/v1/accounts: not sent: this plan sells no seats
    PUT /api/v1/accounts/{account}: not sent: the billing period of an account cannot be changed
    PUT /api/v1/accounts/{account}: not sent: the account id is not one
    POST /api/v1/{account}/members: not sent: the service has no such role with this access
    PUT /api/v1/{account}/members/{member}: not sent: the service has no such role with this access
    ");
}

#[tokio::test]
async fn an_exact_role_is_asked_for_and_answered() {
    let world = scripted::<Netlify>(|_| None).await;
    let driver = ready::<Netlify>(&world).await;
    let grant = Grant { access: Access::Limited, role: Some(Role::new("Billing Admin")) };
    let email = Email::lenient("jane@acme.example");
    let id = AccountId::new("7");
    let added = carry_out::<Netlify>(&driver, OpKind::RemoveMember).await;
    added.unwrap();
    let added = driver.writer.add_member(&id, &email, &grant).await.unwrap().value;
    assert_eq!((added.role.unwrap().as_str(), added.access), ("Billing Admin", Access::Limited));
    let owner = driver.writer.set_access(&id, &added.id, &Grant::of(Access::Full)).await.unwrap().value;
    assert_eq!((owner.role.unwrap().as_str(), owner.access), ("Owner", Access::Full));
}

#[tokio::test]
async fn a_slug_is_known_from_any_look_and_asked_for_once_where_it_is_not() {
    let world = scripted::<Netlify>(|_| None).await;
    let driver = driver_of::<Netlify>(&world);
    let id = AccountId::new("7");
    assert_eq!(driver.reader.members(&id).await.unwrap().len(), 2);
    driver.reader.members(&id).await.unwrap();
    let expected = ["GET /api/v1/accounts/7", "GET /api/v1/team-a1/members", "GET /api/v1/team-a1/members"];
    assert_eq!(world.lines(), expected);
    let listed = scripted::<Netlify>(|_| None).await;
    let driver = ready::<Netlify>(&listed).await;
    let before = listed.lines().len();
    driver.reader.members(&id).await.unwrap();
    assert_eq!(listed.lines().len(), before + 1);
}

#[tokio::test]
async fn a_slug_that_leads_elsewhere_or_is_two_accounts_is_not_asked_for() {
    let slugs = ["..", "a/b", "accounts", "user", "", "twice", "twice", "a?b", "fine"];
    let list: Value = (0..slugs.len()).map(|at| json!({"id": format!("a{at}"), "slug": slugs[at]})).collect();
    let world = reading(move |path| match path {
        "/accounts" => Some(reply(200, list.clone())),
        path if path.ends_with("/members") => Some(reply(200, json!([]))),
        _ => None,
    })
    .await;
    let driver = ready::<Netlify>(&world).await;
    let before = world.lines().len();
    for (at, slug) in slugs.iter().enumerate() {
        let id = AccountId::new(format!("a{at}"));
        let read = driver.reader.members(&id).await;
        match *slug {
            "fine" => assert_eq!(read.unwrap(), []),
            _ => assert!(matches!(read.unwrap_err().kind, ApiErrorKind::NotSent { .. }), "{slug}"),
        }
    }
    assert_eq!(world.lines()[before..], ["GET /api/v1/fine/members"]);
}

#[tokio::test]
async fn what_costs_is_paid_with_one_payment_method_or_not_bought() {
    let two = json!([{"id": "pm-1", "method_name": "Visa"}, {"id": "pm-2"}]);
    for (listed, configured, costs) in [
        (json!([{"id": "pm-1"}]), None, true),
        (json!([]), None, false),
        (two.clone(), None, false),
        (two.clone(), Some("pm-1"), true),
        (two, Some("pm-9"), false),
    ] {
        let shown = format!("{listed} {configured:?}");
        let world = reading(move |path| (path == "/billing/payment_methods").then(|| reply(200, listed.clone()))).await;
        let reader = reader(&world, configured);
        assert_eq!(reader.offer().await.unwrap().unpayable.is_none(), costs, "{shown}");
        let bought = reader.writer().create_account(&new("pro-monthly", 2), None).await;
        assert_eq!(bought.is_ok(), costs, "{shown}");
        let writes = world.asked().into_iter().filter(|asked| asked.line.starts_with("POST")).count();
        assert_eq!(writes, usize::from(costs), "{shown}");
        // What costs nothing needs none, and names none.
        reader.writer().create_account(&new("starter-monthly", 1), None).await.unwrap();
        assert!(!world.asked().pop().unwrap().body.contains("payment"), "{shown}");
    }
    let closed = reading(|path| (path == "/billing/payment_methods").then(|| message(403, "Forbidden"))).await;
    let offer = reader(&closed, None).offer().await.unwrap();
    assert!(offer.unpayable.unwrap().contains("cannot be read"), "and everything else is");
    let failing = reading(|path| (path == "/billing/payment_methods").then(|| message(500, "Oops"))).await;
    reader(&failing, None).offer().await.unwrap_err();
}

#[tokio::test]
async fn the_list_and_the_offer_are_read_once_each_however_they_overlap() {
    let world = scripted::<Netlify>(|_| None).await;
    let reader = reader(&world, None);
    let (offer, accounts) = tokio::join!(reader.offer(), reader.accounts());
    assert_eq!(accounts.unwrap()[0].plan, Some(PlanId::new("pro-monthly")));
    assert_eq!(offer.unwrap().plans.len(), 4);
    let mut lines = world.lines();
    lines.sort();
    let expected = ["GET /api/v1/accounts", "GET /api/v1/accounts/types", "GET /api/v1/billing/payment_methods"];
    assert_eq!(lines, expected);
}
