//! What comes back for a write, and what it is taken for.

use bursar::execute::{Outcome, classify};
use bursar::plan::OpKind;
use serde_json::json as value;

use super::{Dialect, carry_out, ready, scripted};
use crate::provider_world::{Reply, html, json, json_with, message};

async fn outcome<D: Dialect>(reply: Option<Reply>, op: OpKind) -> Outcome {
    let world = scripted::<D>(move |_| reply.clone()).await;
    let driver = ready::<D>(&world).await;
    let (before, counted) = (world.lines().len(), driver.reader.line().requests_sent());
    let result = carry_out::<D>(&driver, op).await;
    let sent = world.lines().split_off(before);
    assert_eq!(sent.len(), 1, "a write is one request, whatever comes back: {op:?} {sent:?}");
    assert!(!sent[0].starts_with("GET "), "{op:?} {sent:?}");
    assert_eq!(driver.reader.line().requests_sent() - counted, 1, "{op:?}");
    classify(op, result.as_ref().map(|&()| ()))
}

pub async fn each_action_is_one_request_and_done<D: Dialect>() {
    for op in D::OPS {
        assert_eq!(outcome::<D>(None, *op).await, Outcome::Done, "{op:?}");
    }
}

pub async fn what_proves_nothing_is_unknown<D: Dialect>() {
    let cut = b"HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"id\":".to_vec();
    let redirect = json_with(307, &[("location", "http://127.0.0.1:9/accounts")], value!({}));
    for (reply, probably_done) in [
        (message(408, "Too slow"), false),
        (message(418, "What"), false),
        (message(500, "Oops"), false),
        (message(503, "Oops"), false),
        (html(502), false),
        (html(403), false),
        (html(422), false),
        (Reply::Whole(422, vec![], vec![]), false),
        (Reply::Whole(403, vec![], b"Forbidden".to_vec()), false),
        (redirect, false),
        (Reply::Bytes(Vec::new()), false),
        (Reply::Bytes(b"HTTP/1.1 201 Cre".to_vec()), false),
        (Reply::Reset, false),
        (Reply::Bytes(cut), true),
        (html(200), true),
        (Reply::Whole(200, vec![], vec![]), true),
        (Reply::Whole(200, vec![], b"{\"id\":".to_vec()), true),
        (Reply::Whole(200, vec![], vec![b' '; (1 << 20) + 1]), true),
        (json(200, value!(null)), true),
        (json(200, value!(7)), true),
        (json(203, value!({})), true),
    ] {
        let shown: String = format!("{reply:?}").chars().take(120).collect();
        for op in [OpKind::CreateAccount, OpKind::AddMember, OpKind::RemoveMember] {
            let expected = Outcome::Unknown { probably_done };
            assert_eq!(outcome::<D>(Some(reply.clone()), op).await, expected, "{op:?} {shown}");
        }
    }
}

pub async fn each_refusal_comes_to_what_it_says<D: Dialect>() {
    for (op, reply, expected) in D::refusals() {
        let shown = format!("{op:?} {reply:?}");
        assert_eq!(outcome::<D>(Some(reply), op).await, expected, "{shown}");
    }
}

pub async fn an_answer_about_something_else_is_never_done<D: Dialect>() {
    for (op, body) in D::disagreements() {
        let shown = body.to_string();
        let outcome = outcome::<D>(Some(json(200, body)), op).await;
        assert_eq!(outcome, Outcome::Unknown { probably_done: true }, "{op:?} {shown}");
    }
}
