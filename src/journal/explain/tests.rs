//! Each state of each kind of operation, in words.

use super::*;
use crate::domain::{Access, AccountName};
use crate::journal::{Cause, Operation, Owner, ScopeCard, ScopeId};
use crate::plan::{Series, Verdict};

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn minutes(n: i64) -> Timestamp {
    now().saturating_add(jiff::SignedDuration::from_mins(n)).unwrap()
}

fn acme() -> ClientName {
    ClientName::parse("acme").unwrap()
}

fn row(kind: OpKind, repeat: Repeat, state: State) -> Row {
    let person = (kind == OpKind::AddMember).then(|| Email::lenient("jane@acme.example"));
    let argument = person.as_ref().map_or_else(String::new, |person| person.key().to_owned());
    let operation =
        Operation { scope: ScopeId::new("here"), series: Series { client: acme(), kind, argument }, generation: 0 };
    let cause =
        Cause { what: format!("{kind:?}"), access: person.as_ref().map(|_| Access::Full), person, ..Cause::default() };
    let ended = matches!(state, State::Done | State::Refused).then(|| minutes(-10));
    Row {
        state,
        account_name: Some(AccountName::new("Acme")),
        account_id: Some(AccountId::new("7")),
        first_sent_at: Some(minutes(-11)),
        deadline: Some(minutes(-10)),
        ended_at: ended,
        sends: 1,
        ..Row::prepared(operation, Owner::new("us"), repeat, String::new(), cause)
    }
}

fn view(rows: Vec<Row>, facts: Vec<Fact>) -> ScopeView {
    let card = ScopeCard { id: ScopeId::new("here"), url: None, user: None, world: None };
    ScopeView { card, rows, facts }
}

fn fact(kind: FactKind, key: &str, value: &str) -> Fact {
    Fact { kind, key: key.into(), value: value.into(), since: minutes(-5) }
}

fn explained(rows: Vec<Row>, facts: Vec<Fact>, history: &[Recorded]) -> Explanation {
    explain(&acme(), &view(rows, facts), history, &Rules::default(), now()).unwrap()
}

fn in_short(told: &Told) -> String {
    let Told { words, rule, ends, commands, since, .. } = told;
    let since =
        since.map_or_else(|| "?".to_owned(), |since| format!("{:+}", (since.as_second() - now().as_second()) / 60));
    let ends = ends.as_deref().unwrap_or("-");
    format!(
        "{since} {words}\n   rule: {rule}\n   ends: {ends}\n{}",
        commands.iter().map(|command| format!("   type: {command}\n")).collect::<String>()
    )
}

#[test]
fn every_state_of_every_kind_of_write_has_its_words_its_rule_and_its_end() {
    let mut table = String::new();
    let cases = [
        (OpKind::CreateAccount, Repeat::Never),
        (OpKind::CreateAccount, Repeat::UnderKey),
        (OpKind::AddMember, Repeat::Freely),
        (OpKind::SetSeats, Repeat::Freely),
    ];
    for (kind, repeat) in cases {
        for state in [State::Prepared, State::Sending, State::Unknown, State::Ask, State::Done, State::Refused] {
            let told = explained(vec![row(kind, repeat, state)], vec![], &[]);
            table += &format!("{kind:?} {repeat:?} {state:?}: {}", in_short(&told.operations[0]));
        }
    }
    insta::assert_snapshot!(table, @r"
    CreateAccount Never Prepared: ? it is written down, and nothing was sent
       rule: before it is sent, everything is read once more (R3), and the journal gives one permit (R5)
       ends: the next pass of `bursar run` or `bursar apply` goes on with it
    CreateAccount Never Sending: -11 it may be on its way right now
       rule: one permit, one request; its outcome is written down, whatever happens (R6)
       ends: its answer, until 2026-11-25T11:50:00Z; after that it is found out what came of it
    CreateAccount Never Unknown: ? it was sent, and what came of it is not known yet
       rule: never sent again: it is looked for 3 times, and then a person is asked (R2)
       ends: it is looked for at the next pass (0 of 3 looks were in vain); or a person who knows how it ended
       type: bursar resolve bdfb15d76204efb9645f211b --created ACCOUNT_ID
       type: bursar resolve bdfb15d76204efb9645f211b --not-created
    CreateAccount Never Ask: ? it was sent, and what came of it could not be found out
       rule: never sent again without a person's word (R2)
       ends: a person looks at the service and says how it ended
       type: bursar resolve bdfb15d76204efb9645f211b --created ACCOUNT_ID
       type: bursar resolve bdfb15d76204efb9645f211b --not-created
    CreateAccount Never Done: -10 it is done
       rule: what was done once is never done again by itself; undone by hand, it is a person's decision (R1)
       ends: -
    CreateAccount Never Refused: -10 it was refused, and nothing was done
       rule: the server says that it did nothing, so it may be tried anew
       ends: the next pass, if it is wanted still
    CreateAccount UnderKey Prepared: ? it is written down, and nothing was sent
       rule: the journal gives one permit for one request (R5)
       ends: the next pass of `bursar run` or `bursar apply` goes on with it
    CreateAccount UnderKey Sending: -11 it may be on its way right now
       rule: one permit, one request; its outcome is written down, whatever happens (R6)
       ends: its answer, until 2026-11-25T11:50:00Z; after that it is found out what came of it
    CreateAccount UnderKey Unknown: ? it was sent, and what came of it is not known yet
       rule: the same bytes are sent again under the same key, which the server carries out once, until 2026-11-25T23:49:00Z
       ends: the next pass asks again under the same key
       type: bursar resolve bdfb15d76204efb9645f211b --created ACCOUNT_ID
       type: bursar resolve bdfb15d76204efb9645f211b --not-created
    CreateAccount UnderKey Ask: ? it was sent, and what came of it could not be found out
       rule: never sent again without a person's word (R2)
       ends: a person looks at the service and says how it ended
       type: bursar resolve bdfb15d76204efb9645f211b --created ACCOUNT_ID
       type: bursar resolve bdfb15d76204efb9645f211b --not-created
    CreateAccount UnderKey Done: -10 it is done
       rule: what was done once is never done again by itself; undone by hand, it is a person's decision (R1)
       ends: -
    CreateAccount UnderKey Refused: -10 it was refused, and nothing was done
       rule: the server says that it did nothing, so it may be tried anew
       ends: the next pass, if it is wanted still
    AddMember Freely Prepared: ? it is written down, and nothing was sent
       rule: the journal gives one permit for one request (R5)
       ends: the next pass of `bursar run` or `bursar apply` goes on with it
    AddMember Freely Sending: -11 it may be on its way right now
       rule: one permit, one request; its outcome is written down, whatever happens (R6)
       ends: its answer, until 2026-11-25T11:50:00Z; after that it is found out what came of it
    AddMember Freely Unknown: ? it was sent, and what came of it is not known yet
       rule: it is read back, and sent again only where nothing happened; nothing else is written to the account meanwhile
       ends: the next pass reads it back; or a person who knows how it ended
       type: bursar resolve 89855180ff61bd06fd384f42 --done
       type: bursar resolve 89855180ff61bd06fd384f42 --not-done
    AddMember Freely Ask: ? it was sent, and what came of it could not be found out
       rule: never sent again without a person's word (R2)
       ends: a person looks at the service and says how it ended
       type: bursar resolve 89855180ff61bd06fd384f42 --done
       type: bursar resolve 89855180ff61bd06fd384f42 --not-done
    AddMember Freely Done: -10 it is done
       rule: what was done once is never done again by itself; undone by hand, it is a person's decision (R1)
       ends: -
    AddMember Freely Refused: -10 it was refused, and nothing was done
       rule: the server says that it did nothing, so it may be tried anew
       ends: the next pass, if it is wanted still
    SetSeats Freely Prepared: ? it is written down, and nothing was sent
       rule: the journal gives one permit for one request (R5)
       ends: the next pass of `bursar run` or `bursar apply` goes on with it
    SetSeats Freely Sending: -11 it may be on its way right now
       rule: one permit, one request; its outcome is written down, whatever happens (R6)
       ends: its answer, until 2026-11-25T11:50:00Z; after that it is found out what came of it
    SetSeats Freely Unknown: ? it was sent, and what came of it is not known yet
       rule: it is read back, and sent again only where nothing happened; nothing else is written to the account meanwhile
       ends: the next pass reads it back; or a person who knows how it ended
       type: bursar resolve 1d8d223e648aa52e4ef95ef9 --done
       type: bursar resolve 1d8d223e648aa52e4ef95ef9 --not-done
    SetSeats Freely Ask: ? it was sent, and what came of it could not be found out
       rule: never sent again without a person's word (R2)
       ends: a person looks at the service and says how it ended
       type: bursar resolve 1d8d223e648aa52e4ef95ef9 --done
       type: bursar resolve 1d8d223e648aa52e4ef95ef9 --not-done
    SetSeats Freely Done: -10 it is done
       rule: it states an end: where the service shows something else, it is set right
       ends: -
    SetSeats Freely Refused: -10 it was refused, and nothing was done
       rule: the server says that it did nothing, so it may be tried anew
       ends: the next pass, if it is wanted still
    ");
}

#[test]
fn a_refusal_says_whom_it_waits_for() {
    let mut table = String::new();
    for (state, reason) in [
        (VerdictState::Waiting, Some(Reason::AwaitingSignup)),
        (VerdictState::Blocked, Some(Reason::PaymentRequired)),
        (VerdictState::Failed, None),
    ] {
        let verdict = Some(Verdict { state, reason, message: "no\u{1b}[2J".into(), request_id: None });
        let row = Row { verdict, ..row(OpKind::AddMember, Repeat::Freely, State::Refused) };
        let told = explained(vec![row], vec![], &[]);
        table +=
            &format!("{} => {}\n", told.operations[0].words.escape_debug(), told.operations[0].ends.as_ref().unwrap());
    }
    insta::assert_snapshot!(table, @r"
    it was refused, and nothing was done: no\u{1b}[2J => their sign-up with the service; it is tried again by itself, less and less often
    it was refused, and nothing was done: no\u{1b}[2J => a person: put it right at the service or in the manifest; then a changed manifest, SIGHUP to the daemon or `bursar apply` tries it again
    it was refused, and nothing was done: no\u{1b}[2J => it is tried again by itself
    ");
}

#[test]
fn what_somebody_undid_by_hand_names_the_command_that_makes_it_again() {
    let create = row(OpKind::CreateAccount, Repeat::Never, State::Done);
    let gone = explained(vec![create.clone()], vec![fact(FactKind::Binding, "acme", "gone:7")], &[]);
    assert!(gone.account.as_ref().unwrap().gone);
    let there = explained(vec![create], vec![fact(FactKind::Binding, "acme", "7")], &[]);
    assert_eq!(there.operations[0].commands, Vec::<String>::new());

    let add = row(OpKind::AddMember, Repeat::Freely, State::Done);
    let saw = |at, kind| {
        let mut entry = Entry::new(at, ScopeId::new("here"), kind, "us");
        entry.person = Some(Email::lenient("Jane@acme.example"));
        entry.account = Some(AccountId::new("7"));
        entry.client = Some(acme());
        Recorded { seq: 1, entry }
    };
    let (seen, left) = (saw(minutes(-8), EntryKind::MemberSeen), saw(minutes(-7), EntryKind::MemberGone));
    let removed = explained(vec![add.clone()], vec![], &[seen.clone(), left.clone()]);
    let invited = explained(vec![Row { invited: true, ..add.clone() }], vec![], std::slice::from_ref(&left));
    let back = explained(vec![add], vec![], &[left, saw(minutes(-6), EntryKind::MemberSeen)]);
    assert_eq!(back.operations[0].commands, Vec::<String>::new());
    let all = [gone, removed, invited].map(|told| in_short(&told.operations[0])).concat();
    insta::assert_snapshot!(all, @r"
    -5 it is done, and the account is not listed any more
       rule: what was done once is never done again by itself; undone by hand, it is a person's decision (R1)
       ends: a person: if that was right, take the manifest out; if it is wanted anew, say so
       type: bursar reaffirm acme
    -7 it is done, and somebody removed them since
       rule: what was done once is never done again by itself; undone by hand, it is a person's decision (R1)
       ends: a person: if that was right, take them out of the manifests; if it is wanted anew, say so
       type: bursar reaffirm acme jane@acme.example
    -7 they were invited, and the invitation was revoked or declined
       rule: what was done once is never done again by itself; undone by hand, it is a person's decision (R1)
       ends: a person: if that was right, take them out of the manifests; if it is wanted anew, say so
       type: bursar reaffirm acme jane@acme.example
    ");
}

#[test]
fn people_rails_and_a_freeze_stand_beside_the_operations() {
    let facts = vec![
        fact(FactKind::Binding, "acme", "7"),
        fact(FactKind::Member, "7/jane@acme.example", "full"),
        fact(FactKind::Member, "70/other@else.example", "full"),
        fact(FactKind::Frozen, "fleet", "card stolen (by pat)"),
        fact(FactKind::Latched, "--max-creates", "1"),
    ];
    let mut tripped = Entry::new(minutes(-5), ScopeId::new("here"), EntryKind::RailTripped, "us");
    tripped.message = "--max-creates 1: 3 accounts would be created (plan sha256:00)".into();
    let told = explained(vec![], facts, &[Recorded { seq: 1, entry: tripped }]);
    let people: Vec<_> = told.people.iter().map(|seen| format!("{} {}", seen.email, seen.access)).collect();
    assert_eq!(people, ["jane@acme.example full"]);
    assert_eq!(told.frozen.unwrap().value, "card stolen (by pat)");
    assert!(told.rails[0].message.as_ref().unwrap().ends_with("(plan sha256:00)"));
}

#[test]
fn only_the_latest_generation_is_told_and_nobody_unknown_is() {
    let old = row(OpKind::CreateAccount, Repeat::Never, State::Done);
    let mut new = row(OpKind::CreateAccount, Repeat::Never, State::Ask);
    new.operation.generation = 1;
    let told = explained(vec![old, new.clone()], vec![], &[]);
    assert_eq!(told.operations.iter().map(|told| &told.operation).collect::<Vec<_>>(), [&new.id()]);
    let beta = ClientName::parse("beta").unwrap();
    assert_eq!(explain(&beta, &view(vec![new], vec![]), &[], &Rules::default(), now()), None);
}
