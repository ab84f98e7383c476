//! Writing to the account API: what is sent, that it is sent once, and that only an answer
//! that agrees counts as done.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::time::Duration;

use bursar::domain::{Access, AccountId, AccountName, Email, MemberId, PlanId};
use bursar::execute::{Outcome, Refusal, classify};
use bursar::plan::OpKind;
use bursar::provider::dnsimple::Writer;
use bursar::provider::{AccountPatch, ApiError, Grant, IdempotencyKey, NewAccount, Read as _, Write as _};
use serde_json::{Value, json as value};

use crate::provider_world::{Asked, Reply, World, html, impatient, json, json_with, message, reader_at, world};

/// Each kind of action, with the same account, person and plan.
async fn carry_out(writer: &Writer, op: OpKind) -> Result<(), ApiError> {
    let (id, member, plan) = (AccountId::new("7"), MemberId::new("m3"), PlanId::new("teams-v2-monthly"));
    let (name, email) = (AccountName::new("Acme & Söhne"), Email::parse("Jane@acme.example").unwrap());
    match op {
        OpKind::CreateAccount => {
            let key = IdempotencyKey::new("key-1".into());
            writer.create_account(&NewAccount { name, email: Some(email), plan: None }, Some(&key)).await.map(drop)
        }
        OpKind::UpdateAccount => {
            writer.update_account(&id, &AccountPatch { name: Some(name), email: None }).await.map(drop)
        }
        OpKind::Subscribe => writer.put_subscription(&id, &plan, None).await.map(drop),
        OpKind::ChangePlan | OpKind::SetSeats => writer.put_subscription(&id, &plan, Some(3)).await.map(drop),
        OpKind::RemoveMember => writer.remove_member(&id, &member).await.map(drop),
        OpKind::AddMember => writer.add_member(&id, &email, &Grant::of(Access::Limited)).await.map(drop),
        OpKind::SetAccess => writer.set_access(&id, &member, &Grant::of(Access::Full)).await.map(drop),
        OpKind::Unsubscribe => writer.delete_subscription(&id).await.map(drop),
    }
}

/// The answer of a server that does what it is asked.
fn faithful(asked: &Asked) -> Reply {
    let (method, path) = asked.line.split_once(' ').unwrap();
    let sent: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    let account = value!({"id": 7, "name": "Acme & Söhne", "email": "jane@ACME.example", "plan_identifier": null});
    match (method, path.rsplit('/').next().unwrap()) {
        ("DELETE", _) => Reply::Whole(204, vec![], vec![]),
        ("POST", "accounts") => json(201, value!({"data": account})),
        ("PATCH", "7") => json(200, value!({"data": account})),
        ("PUT", "subscription") => json(
            202,
            value!({"data": {"id": 1, "plan_identifier": "teams-v2-monthly", "state": "subscribing",
                             "seats": sent["seats"].as_u64().unwrap_or(1)}}),
        ),
        ("POST", "members") => json(
            201,
            value!({"data": {"id": "m4", "email": "jane@acme.example", "access": "limited", "state": "invited"}}),
        ),
        ("PATCH", "m3") => {
            json(200, value!({"data": {"id": "m3", "email": "x@acme.example", "access": "full", "state": "active"}}))
        }
        other => panic!("{other:?}"),
    }
}

async fn outcome_at(world: &World, op: OpKind) -> Outcome {
    outcome_by(&world.reader().writer(), op).await
}

async fn outcome_by(writer: &Writer, op: OpKind) -> Outcome {
    let result = carry_out(writer, op).await;
    classify(op, result.as_ref().map(|&()| ()))
}

#[tokio::test]
async fn each_action_is_one_request_on_a_connection_of_its_own() {
    let world = world(|_, asked| faithful(asked)).await;
    let (reader, mut sent) = (world.reader(), String::new());
    let writer = reader.writer();
    for op in OpKind::ALL {
        carry_out(&writer, op).await.unwrap();
        let asked = world.asked().pop().unwrap();
        let key = asked.headers.lines().find(|line| line.starts_with("idempotency-key")).unwrap_or_default();
        sent.push_str(format!("{op:?}: {} {} {key}", asked.line, asked.body).trim_end());
        sent.push('\n');
    }
    insta::assert_snapshot!(sent, @r#"
    CreateAccount: POST /v2/accounts {"name":"Acme & Söhne","email":"Jane@acme.example"} idempotency-key: key-1
    UpdateAccount: PATCH /v2/accounts/7 {"name":"Acme & Söhne"}
    Subscribe: PUT /v2/7/subscription {"plan_identifier":"teams-v2-monthly"}
    ChangePlan: PUT /v2/7/subscription {"plan_identifier":"teams-v2-monthly","seats":3}
    SetSeats: PUT /v2/7/subscription {"plan_identifier":"teams-v2-monthly","seats":3}
    RemoveMember: DELETE /v2/7/members/m3
    AddMember: POST /v2/7/members {"email":"Jane@acme.example","access":"limited"}
    SetAccess: PATCH /v2/7/members/m3 {"access":"full"}
    Unsubscribe: DELETE /v2/7/subscription
    "#);
    assert_eq!((world.lines().len(), world.connections(), reader.line().requests_sent()), (9, 9, 9));
}

#[tokio::test]
async fn whatever_comes_back_a_write_is_sent_once_and_read_as_the_protocol_says() {
    let unknown = |probably_done| Outcome::Unknown { probably_done };
    let refused = |reason| Outcome::Refused { reason };
    let cut_body = b"HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"data\":".to_vec();
    let redirect = json_with(307, &[("location", "http://127.0.0.1:9/v2/accounts")], value!({}));
    for (reply, outcome) in [
        (message(400, "Validation failed"), refused(Refusal::InvalidInput)),
        (message(401, "Authentication failed"), refused(Refusal::Unauthorized)),
        (message(402, "Payment required"), refused(Refusal::PaymentRequired)),
        (message(403, "Forbidden"), refused(Refusal::NotPermitted)),
        (message(404, "Not found"), refused(Refusal::Gone)),
        (message(405, "No"), refused(Refusal::NotOffered)),
        (message(409, "Still running"), refused(Refusal::Conflict)),
        (message(410, "Gone"), refused(Refusal::Gone)),
        (message(412, "Not with this plan"), refused(Refusal::PlanLacksFeature)),
        (message(415, "No"), refused(Refusal::NotOffered)),
        (message(422, "Another body"), refused(Refusal::KeyReused)),
        (message(429, "quota exceeded"), Outcome::Quota { resets_in: Duration::from_secs(60), sent: true }),
        (message(408, "Too slow"), unknown(false)),
        (message(411, "What"), unknown(false)),
        (message(500, "Oops"), unknown(false)),
        (message(503, "Oops"), unknown(false)),
        (message(600, "What"), unknown(false)),
        (html(502), unknown(false)),
        (html(403), unknown(false)),
        (html(400), unknown(false)),
        (redirect, unknown(false)),
        (Reply::Bytes(Vec::new()), unknown(false)),
        (Reply::Bytes(b"HTTP/1.1 201 Cre".to_vec()), unknown(false)),
        (Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()), unknown(false)),
        (Reply::Reset, unknown(false)),
        (Reply::Bytes(cut_body), unknown(true)),
        (Reply::Bytes(b"HTTP/1.1 400 Bad\r\ncontent-length: 500\r\n\r\n{\"mess".to_vec()), unknown(false)),
        (Reply::Bytes(b"HTTP/1.1 429 Slow\r\ncontent-length: 500\r\n\r\n{\"mess".to_vec()), unknown(false)),
        (html(200), unknown(true)),
        (html(201), unknown(true)),
        (Reply::Whole(204, vec![], vec![]), unknown(true)),
        (Reply::Whole(201, vec![], vec![]), unknown(true)),
        (Reply::Whole(201, vec![], b"{\"data\":{\"id\":1".to_vec()), unknown(true)),
        (Reply::Whole(201, vec![], vec![b' '; (1 << 20) + 1]), unknown(true)),
        (json(203, value!({"data": {"id": 1, "name": "Acme & Söhne"}})), unknown(true)),
        (json(201, value!({"data": {"id": 1, "name": "Somebody else"}})), unknown(true)),
        (json(201, value!({"data": {"id": 1, "name": null}})), unknown(true)),
        (json(201, value!({"data": {"id": 1, "name": "Acme & Söhne", "email": "x@y.example"}})), unknown(true)),
        (json(201, value!({"data": [{"id": 1, "name": "Acme & Söhne"}]})), unknown(true)),
        (json(201, value!({"data": {"id": "../9", "name": "Acme & Söhne"}})), unknown(true)),
        (json(201, value!({"data": {"id": 1, "name": " Acme & Söhne ", "email": null}})), Outcome::Done),
        (json(200, value!({"data": {"id": 1, "name": "Acme & Söhne"}})), Outcome::Done),
        (json(202, value!({"data": {"id": 1, "name": "Acme & Söhne"}})), Outcome::Done),
    ] {
        let shown = format!("{reply:?}").chars().take(200).collect::<String>();
        let world = world(move |_, _| reply.clone()).await;
        assert_eq!(outcome_at(&world, OpKind::CreateAccount).await, outcome, "{shown}");
        assert_eq!(world.lines(), ["POST /v2/accounts"], "{shown}");
    }
}

#[tokio::test]
async fn silence_is_unknown_after_one_attempt() {
    let world = world(|_, _| Reply::Silence).await;
    let writer = world.reader_with(impatient).writer();
    assert_eq!(outcome_by(&writer, OpKind::CreateAccount).await, Outcome::Unknown { probably_done: false });
    assert_eq!(world.lines(), ["POST /v2/accounts"]);
}

#[tokio::test]
async fn an_answer_about_something_else_is_never_taken_for_done() {
    let subscription = |plan, seats| value!({"plan_identifier": plan, "state": "subscribed", "seats": seats});
    let member = |id, email, access| value!({"id": id, "email": email, "access": access});
    let teams = "teams-v2-monthly";
    for (op, data, outcome) in [
        (OpKind::UpdateAccount, value!({"id": 8, "name": "Acme & Söhne"}), None),
        (OpKind::UpdateAccount, value!({"id": "7", "name": "Acme"}), None),
        (OpKind::UpdateAccount, value!({"id": "7", "name": "Acme & Söhne"}), Some(())),
        (OpKind::Subscribe, subscription("solo-v2-monthly", 1), None),
        (OpKind::SetSeats, subscription(teams, 2), None),
        (OpKind::SetSeats, subscription(teams, 3), Some(())),
        (OpKind::AddMember, member("m4", "pat@acme.example", "limited"), None),
        (OpKind::AddMember, member("m4", "jane@acme.example", "full"), None),
        (OpKind::AddMember, member("m4", "jane@acme.example", "limited"), Some(())),
        (OpKind::SetAccess, member("m3", "jane@acme.example", "limited"), None),
        (OpKind::SetAccess, member("m5", "jane@acme.example", "full"), None),
        (OpKind::SetAccess, member("m3", "jane@acme.example", "full"), Some(())),
        (OpKind::Unsubscribe, value!({}), None),
        (OpKind::RemoveMember, value!({}), None),
    ] {
        let shown = data.to_string();
        let world = world(move |_, _| json(200, value!({"data": data}))).await;
        let expected = outcome.map_or(Outcome::Unknown { probably_done: true }, |()| Outcome::Done);
        assert_eq!(outcome_at(&world, op).await, expected, "{op:?} {shown}");
        assert_eq!(world.lines().len(), 1, "{op:?}");
    }
}

#[tokio::test]
async fn every_fault_comes_through_with_the_request_id() {
    let world = world(|_, _| {
        json(
            400,
            value!({"message": "Validation failed",
                    "errors": {"email": ["is not a registered user"], "seats": ["none available"], "odd": "one"}}),
        )
    })
    .await;
    let error = carry_out(&world.reader().writer(), OpKind::AddMember).await.unwrap_err();
    insta::assert_snapshot!(error, @"POST /v2/{account}/members: 400 Validation failed; email is not a registered user; odd one; seats none available (request id req-0)");
    let outcome = classify(OpKind::AddMember, Err(&error));
    assert_eq!(outcome, Outcome::Refused { reason: Refusal::NotRegistered });
}

#[tokio::test]
async fn what_never_left_this_machine_is_not_sent_and_not_counted() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    // A server that never answers the TLS greeting: not a byte of the request was written.
    let mute = world(|_, _| json(200, value!({"data": []}))).await;
    for url in [format!("http://{closed}/v2"), format!("https://{}/v2", mute.address)] {
        let reader = reader_at(&url, |config| {
            config.timeouts.connect = Duration::from_millis(500);
            config.read_retries = 1;
        });
        let error = carry_out(&reader.writer(), OpKind::CreateAccount).await.unwrap_err();
        assert_eq!(classify(OpKind::CreateAccount, Err(&error)), Outcome::NotSent, "{error}");
        let read = reader.accounts().await.unwrap_err();
        assert!(read.to_string().contains("not sent: cannot connect: "), "{read}");
        assert_eq!(reader.line().requests_sent(), 0);
    }
    assert_eq!(mute.lines().len(), 0);
}
