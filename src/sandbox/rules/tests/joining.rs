//! Members and users: rules 12 to 18.

use super::*;

#[test]
fn rule_12_registered_a_user_becomes_a_member_at_once_and_anybody_else_is_refused() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 3);
    let jane = play.add(id, "jane@acme.example").unwrap();
    assert!(jane.user_id.is_some());
    assert_eq!(told(play.add(id, "new@acme.example")), "400 email is not a registered user");
    play.user("new@acme.example", None, None);
    play.add(id, "new@acme.example").unwrap();
    assert_eq!((play.world.meta.totals.members_added, play.world.meta.totals.invitations_sent), (2, 0));
}

#[test]
fn rule_12_invite_anybody_is_invited_once_and_active_when_they_accept() {
    let mut play = Play::invite();
    let id = play.on(TEAMS, 3);
    let invited = play.add(id, "new@acme.example").unwrap();
    assert_eq!(invited.user_id, None);
    assert_eq!(told(play.add(id, "New@acme.example")), "400 email has already been taken");
    assert_eq!(play.world.mails.len(), 1);
    assert_eq!(play.world.meta.totals.invitations_sent, 1);
    let joined = play.ask(|m| members::accept(m, invited.id)).unwrap();
    assert_eq!(joined.user_id, play.world.user_by_email("new@acme.example").map(|user| user.id));
    assert_eq!(told(play.ask(|m| members::accept(m, invited.id))), "404 Invitation `2` not found");
}

#[test]
fn rule_12_an_invitation_is_revoked_by_removing_it() {
    let mut play = Play::invite();
    let id = play.on(TEAMS, 2);
    let invited = play.add(id, "jane@acme.example").unwrap();
    play.ask(|m| members::remove(m, id, invited.id)).unwrap();
    assert_eq!(play.world.members_of(id).len(), 1);
    assert!(told(play.ask(|m| members::accept(m, invited.id))).starts_with("404"));
}

#[test]
fn rule_13_adding_and_removing_leaves_the_user_as_they_are() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    let before = play.world.user_by_email("jane@acme.example").cloned();
    let jane = play.add(id, "JANE@acme.example").unwrap();
    play.ask(|m| members::remove(m, id, jane.id)).unwrap();
    assert_eq!(play.world.user_by_email("jane@acme.example").cloned(), before);
}

#[test]
fn rule_14_limited_access_is_for_multi_member_plans_and_manages_nothing() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    let jane = play.ask(|m| members::add(m, id, Some("jane@acme.example"), Some("limited"))).unwrap();
    let user = jane.user_id.unwrap();
    assert_eq!(
        told(play.ask_as(user, |m| members::add(m, id, Some("pat@agency.example"), None))),
        "403 Full access to the account is required"
    );
    assert_eq!(
        told(play.ask(|m| members::add(m, id, Some("pat@agency.example"), Some("root")))),
        "400 access must be full or limited; seats none available"
    );
    let us = play.world.membership(id, US).unwrap().id;
    assert_eq!(
        told(play.ask(|m| members::set_access(m, id, us, Some("limited")))),
        "403 An account needs a member with full access"
    );
    play.ask(|m| members::set_access(m, id, jane.id, Some("full"))).unwrap();
    assert_eq!(told(play.ask(|m| members::set_access(m, id, jane.id, None))), "400 access must be full or limited");
    assert_eq!(told(play.ask(|m| members::set_access(m, id, MemberId(99), Some("full")))), "404 Member `99` not found");
    let solo = play.on(SOLO, 1);
    let owner = play.world.membership(solo, US).unwrap().id;
    assert_eq!(
        told(play.ask(|m| members::set_access(m, solo, owner, Some("full")))),
        "412 The plan has no limited access"
    );
}

#[test]
fn rule_14_without_the_extension_there_is_no_limited_access() {
    let mut play = Play::new();
    play.terms.without = BTreeSet::from([Extension::LimitedAccess]);
    let id = play.on(TEAMS, 2);
    let refused = play.ask(|m| members::add(m, id, Some("jane@acme.example"), Some("limited")));
    assert_eq!(told(refused), "412 The plan has no limited access");
}

#[test]
fn rule_15_nobody_is_added_twice_whatever_the_letter_case_and_the_case_given_is_kept() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 3);
    assert_eq!(play.add(id, "Jane@Acme.example").unwrap().email, "Jane@Acme.example");
    assert_eq!(told(play.add(id, "jane@acme.EXAMPLE")), "400 email has already been taken");
    assert_eq!(told(play.add(id, "AGENCY@example.com")), "400 email has already been taken");
}

#[test]
fn rule_16_the_notification_email_is_no_members() {
    let mut play = Play::new();
    assert_eq!(
        told(play.ask(|m| accounts::create(m, Some("A"), Some("Agency@Example.com")))),
        "400 email is the user email of a member"
    );
    let id = play.on(TEAMS, 3);
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(
        told(play.ask(|m| accounts::update(m, id, Some(""), Some("JANE@acme.example")))),
        "400 email is the user email of a member; name can't be blank"
    );
    play.user("dns@agency.example", None, None);
    assert_eq!(told(play.add(id, "DNS@agency.example")), "400 email is the notification email of this account");
}

#[test]
fn rule_17_everyone_takes_a_seat_and_every_fault_of_an_add_is_told_at_once() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 1);
    for (email, expected) in [
        ("jane@acme.example", "400 seats none available"),
        ("new@acme.example", "400 email is not a registered user; seats none available"),
        ("agency@example.com", "400 email has already been taken; seats none available"),
        (
            "dns@agency.example",
            "400 email is not a registered user; email is the notification email of this account; seats none available",
        ),
        ("nobody", "400 email is an invalid email address; seats none available"),
    ] {
        assert_eq!(told(play.add(id, email)), expected);
    }
    let mut play = Play::invite();
    let id = play.on(TEAMS, 2);
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(told(play.add(id, "pat@agency.example")), "400 seats none available", "an invitation takes a seat");
}

#[test]
fn rule_18_nobody_removes_themselves_but_another_may() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    let jane = play.add(id, "jane@acme.example").unwrap();
    let us = play.world.membership(id, US).unwrap().id;
    assert_eq!(
        told(play.ask(|m| members::remove(m, id, us))),
        "403 You cannot remove yourself; another member with full access must"
    );
    play.ask_as(jane.user_id.unwrap(), |m| members::remove(m, id, us)).unwrap();
    assert_eq!(told(play.ask(|m| members::remove(m, id, jane.id))), "404 Account `1` not found");
}
