//! The replay of access, told by tables.

use super::*;
use crate::domain::Money;

/// A history of one account, written in short.
#[derive(Default)]
struct Story {
    told: Vec<Recorded>,
}

impl Story {
    fn at(&mut self, second: i64, kind: EntryKind, fill: impl FnOnce(&mut Entry)) -> &mut Self {
        let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
        let mut entry = Entry::new(at, ScopeId::new("here"), kind, "0193a210");
        entry.account = Some(AccountId::new("7"));
        entry.client = ClientName::parse("acme").ok();
        fill(&mut entry);
        let seq = self.told.len() as u64 + 1;
        self.told.push(Recorded { seq, entry });
        self
    }

    fn op(&mut self, second: i64, kind: EntryKind, op: OpKind, who: &str, access: Option<&str>) -> &mut Self {
        let line = u32::try_from(self.told.len()).unwrap() + 1;
        self.at(second, kind, |entry| {
            entry.op = Some(op);
            entry.operation = Some(OperationId::new(format!("{op:?}/{who}")));
            entry.person = (!who.is_empty()).then(|| Email::lenient(who));
            entry.access = access.map(str::to_owned);
            entry.source = Some(SourceRef { file: "acme.yaml".into(), line, column: 1 });
            entry.revision = Some("c0ffee".into());
            entry.monthly = Some(Money::ZERO);
        })
    }

    fn seen(&mut self, second: i64, who: &str, access: Option<&str>) -> &mut Self {
        let kind = if access.is_some() { EntryKind::MemberSeen } else { EntryKind::MemberGone };
        self.at(second, kind, |entry| {
            entry.person = Some(Email::lenient(who));
            entry.access = access.map(str::to_owned);
        })
    }

    fn spans(&self, about: &About) -> String {
        let edge = |edge: &Edge| {
            let second = edge.at.as_second() - 1_800_000_000;
            let how = match &edge.how {
                How::Ours(ours) => format!("ours {}", from(ours)),
                How::WithAccount(ours) => format!("with the account {}", from(ours)),
                How::Accepted(Some(ours)) => format!("accepted, ours {}", from(ours)),
                other => format!("{other:?}"),
            };
            format!("{second} {how}")
        };
        let line = |span: &Span| {
            let until = span.until.as_ref().map_or_else(|| "now".to_owned(), edge);
            let client = span.client.as_ref().map_or("-", ClientName::as_str);
            format!("{client} {} {:?}: {} .. {until}\n", span.person, span.access, edge(&span.from))
        };
        spans(&self.told, about).iter().map(line).collect()
    }

    fn account(&self) -> String {
        self.spans(&About::Account("7".into()))
    }
}

fn from(ours: &Ours) -> String {
    let source = ours.source.as_ref().map(ToString::to_string).unwrap_or_default();
    let said = ours.said_by.as_ref().map_or_else(String::new, |by| format!(" says {by}"));
    format!("{source}@{}{said}", ours.revision.as_deref().unwrap_or("-"))
}

const JANE: &str = "jane@acme.example";

#[test]
fn what_we_did_is_a_span_with_its_line_and_what_was_only_seen_is_somebodys_hand() {
    let mut story = Story::default();
    story
        .op(0, EntryKind::Done, OpKind::CreateAccount, "", None)
        .op(1, EntryKind::Done, OpKind::AddMember, JANE, Some("full"))
        // The look after it says the same, in another case: one span.
        .seen(60, "Jane@Acme.example", Some("full"))
        .seen(60, "us@agency.example", Some("full"))
        .seen(500, "eve@else.example", Some("limited"))
        .op(600, EntryKind::Done, OpKind::SetAccess, JANE, Some("limited"))
        .seen(700, "eve@else.example", None)
        .op(800, EntryKind::Done, OpKind::RemoveMember, JANE, None)
        .seen(900, JANE, None);
    insta::assert_snapshot!(story.account(), @r"
    acme eve@else.example Limited: 500 ByHand .. 700 ByHand
    acme jane@acme.example Full: 1 ours acme.yaml:2@c0ffee .. 600 ours acme.yaml:6@c0ffee
    acme jane@acme.example Limited: 600 ours acme.yaml:6@c0ffee .. 800 ours acme.yaml:8@c0ffee
    acme us@agency.example Full: 60 with the account acme.yaml:1@c0ffee .. now
    ");
}

#[test]
fn an_invitation_is_no_access_until_it_is_accepted() {
    let mut story = Story::default();
    story
        .op(0, EntryKind::Done, OpKind::AddMember, JANE, Some("invited"))
        .seen(50, JANE, Some("invited"))
        .seen(100, JANE, Some("full"))
        .seen(200, "eve@else.example", Some("invited"))
        .seen(300, "eve@else.example", None);
    insta::assert_snapshot!(story.account(), @r"
    acme eve@else.example Invited: 200 ByHand .. 300 ByHand
    acme jane@acme.example Invited: 0 ours acme.yaml:1@c0ffee .. 100 accepted, ours acme.yaml:1@c0ffee
    acme jane@acme.example Full: 100 accepted, ours acme.yaml:1@c0ffee .. now
    ");
    let invited = spans(&story.told, &About::Person(Email::lenient("EVE@else.example")));
    assert!(!invited[0].access.is_access());
}

#[test]
fn an_account_that_goes_takes_its_people_with_it_and_brings_them_back() {
    let mut story = Story::default();
    story
        .seen(0, JANE, Some("full"))
        .at(100, EntryKind::Gone, |_| {})
        .at(200, EntryKind::Bound, |_| {})
        .seen(300, JANE, None);
    insta::assert_snapshot!(story.account(), @r"
    acme jane@acme.example Full: 0 FirstLook .. 100 Account
    acme jane@acme.example Full: 200 Account .. 300 ByHand
    ");
}

#[test]
fn what_was_seen_before_its_answer_was_known_is_ours_all_the_same_and_a_persons_word_is_named() {
    let mut story = Story::default();
    story
        .seen(0, "us@agency.example", Some("full"))
        .op(10, EntryKind::Sent, OpKind::AddMember, JANE, None)
        .seen(20, JANE, Some("full"))
        .op(30, EntryKind::Resolved, OpKind::AddMember, JANE, None)
        .op(30, EntryKind::Done, OpKind::AddMember, JANE, Some("full"));
    insta::assert_snapshot!(story.spans(&About::Person(Email::lenient(JANE))), @"acme jane@acme.example Full: 20 ours acme.yaml:5@c0ffee says 0193a210 .. now");
    // Somebody who was there before we asked was not brought by us.
    let mut earlier = Story::default();
    earlier
        .seen(0, "us@agency.example", Some("full"))
        .seen(20, JANE, Some("full"))
        .op(30, EntryKind::Sent, OpKind::AddMember, JANE, None)
        .op(31, EntryKind::Done, OpKind::AddMember, JANE, Some("full"));
    insta::assert_snapshot!(earlier.spans(&About::Person(Email::lenient(JANE))), @"acme jane@acme.example Full: 20 ByHand .. now");
}

#[test]
fn an_account_is_found_by_its_client_too_and_others_are_left_out() {
    let mut story = Story::default();
    story.seen(0, JANE, Some("full")).at(1, EntryKind::MemberSeen, |entry| {
        entry.account = Some(AccountId::new("8"));
        entry.client = None;
        entry.person = Some(Email::lenient(JANE));
        entry.access = Some("owner".into());
    });
    insta::assert_snapshot!(story.spans(&About::Account("acme".into())), @"acme jane@acme.example Full: 0 FirstLook .. now");
    insta::assert_snapshot!(story.spans(&About::Person(Email::lenient(JANE))), @r#"
    acme jane@acme.example Full: 0 FirstLook .. now
    - jane@acme.example Other("owner"): 1 FirstLook .. now
    "#);
    assert_eq!(story.spans(&About::Account("beta".into())), "");
}

#[test]
fn a_span_holds_from_its_first_moment_to_before_its_last() {
    let mut story = Story::default();
    story.seen(0, JANE, Some("full")).seen(100, JANE, None);
    let span = &spans(&story.told, &About::Account("7".into()))[0];
    let holds = |second: i64| span.holds_at(Timestamp::from_second(1_800_000_000 + second).unwrap());
    assert_eq!([-1, 0, 99, 100].map(holds), [false, true, true, false]);
}
