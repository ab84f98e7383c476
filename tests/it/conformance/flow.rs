//! The whole flow through the real reconciler: an account, its plan, email, seats and people.

use bursar::domain::{Access, AccountName, Email, PlanId};
use bursar::provider::{AccountPatch, NewAccount, NewPlan};

use super::fleet::{self, Fleet, left};
use super::line::Line;
use super::{Dialect, Driver, Place};

/// Ids are the server's: what stands where one is expected.
pub fn without_ids(writes: &[String]) -> Vec<String> {
    let plain = |write: &String| {
        let parts = write.split('/').map(|part| match part.trim_end() {
            "accounts" | "members" | "subscription" => part.to_owned(),
            verb if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&verb) => part.to_owned(),
            _ => "{id}".to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    };
    writes.iter().map(plain).collect()
}

/// What an account comes to: name, email, plan, seats, and who may do what.
pub async fn standing(driver: &Driver) -> Vec<String> {
    // As every pass begins.
    driver.reader.offer().await.unwrap();
    let mut told = Vec::new();
    for account in driver.reader.accounts().await.unwrap() {
        let subscription = driver.reader.subscription(&account.id).await.unwrap();
        let mut members = driver.reader.members(&account.id).await.unwrap();
        members.sort_by(|a, b| a.email.cmp(&b.email));
        let members: Vec<_> = members.iter().map(|member| format!("{} {}", member.email, member.access)).collect();
        let terms = subscription.map(|now| format!("{} with {:?} seats", now.plan, now.seats.unwrap_or(0)));
        let (name, email) = (account.name.unwrap(), account.email.unwrap());
        told.push(format!("{name} {email}: {}: {}", terms.unwrap_or_default(), members.join(", ")));
    }
    told
}

pub async fn what_is_there_is_observed<P: Place>() {
    let place = P::start().await;
    let line = Line::to(&place.url());
    let driver = place.connect(line.clone());
    let identity = driver.reader.identity().await.unwrap();
    assert_eq!(identity.email, Email::lenient("agency@example.com"));
    assert_eq!(identity.scope.api_url, place.url());
    let offer = driver.reader.offer().await.unwrap();
    assert!(offer.account_management);
    let plan = offer.plan(&PlanId::new(P::Of::PLAN)).unwrap();
    assert_eq!((plan.family.as_str(), plan.available, plan.multi_member), (P::Of::FAMILY, true, true));
    assert_eq!(driver.reader.accounts().await.unwrap(), []);
    assert!(line.writes().is_empty(), "looking changes nothing");
    assert_eq!(driver.reader.line().requests_sent(), line.sent().len() as u64);
}

pub async fn a_client_is_made_changed_and_then_left_alone<P: Place>() {
    let place = P::start().await;
    let line = Line::to(&place.url());
    let mut fleet = Fleet::new(place.connect(line.clone()));
    let (plan, ourselves) = (P::Of::PLAN, "agency@example.com full");

    let report = fleet.pass(&fleet::acme(P::Of::FAMILY)).await;
    assert_eq!(left(&report), Vec::<String>::new());
    assert_eq!(without_ids(&line.writes()), P::Of::first_writes());
    let fresh = place.connect(Line::to(&place.url()));
    let billing = fleet::BILLING;
    let people = format!("{ourselves}, jane@acme.example full, pat@acme.example limited");
    assert_eq!(standing(&fresh).await, [format!("Client acme {billing}: {plan} with 3 seats: {people}")]);

    let report = fleet.pass(&fleet::changed(P::Of::FAMILY)).await;
    assert_eq!(left(&report), Vec::<String>::new());
    let people = format!("{ourselves}, joe@acme.example limited, kim@acme.example limited, pat@acme.example full");
    let expected = format!("Client acme GmbH billing+acme@agency.example: {plan} with 4 seats: {people}");
    assert_eq!(standing(&fresh).await, [expected]);

    let before = line.writes().len();
    let report = fleet.pass(&fleet::changed(P::Of::FAMILY)).await;
    assert_eq!((left(&report), line.writes().len()), (Vec::new(), before), "the next pass is silent");
}

pub async fn an_account_of_the_same_name_is_not_taken_over<P: Place>() {
    let place = P::start().await;
    let somebody = place.connect(Line::to(&place.url()));
    somebody.reader.offer().await.unwrap();
    let plan = PlanId::new(P::Of::PLAN);
    let email = Email::lenient("somebody@else.example");
    let new = NewAccount {
        name: AccountName::new("Client acme"),
        email: Some(email.clone()),
        plan: Some(NewPlan { plan, seats: Some(1) }),
    };
    let made = somebody.writer.create_account(&new, None).await.unwrap().value;
    let patch = AccountPatch { name: None, email: Some(email) };
    somebody.writer.update_account(&made.id, &patch).await.unwrap();

    let line = Line::to(&place.url());
    let report = Fleet::new(place.connect(line.clone())).pass(&fleet::acme(P::Of::FAMILY)).await;
    assert!(!left(&report).is_empty() || !report.plan.accounts.is_empty());
    assert_eq!(line.writes(), Vec::<String>::new(), "neither changed nor made a second time");
    let members = somebody.reader.members(&made.id).await.unwrap();
    assert_eq!(members.iter().map(|member| member.access).collect::<Vec<_>>(), [Access::Full]);
}
