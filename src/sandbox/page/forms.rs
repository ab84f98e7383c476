//! What the page's buttons do: each goes through the same rules as the API, says on the
//! page what came of it, and leads back to the page.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::Redirect;
use serde::Deserialize;

use crate::sandbox::http::{Problem, Within};
use crate::sandbox::rules::Moment;
use crate::sandbox::rules::people::{Arrangement, SignUp};
use crate::sandbox::rules::{accounts, members, people, subscription, time};
use crate::sandbox::service::{Service, Stop};
use crate::sandbox::world::{AccountId, Change, MemberId};

/// A form, or why it could not be read.
type Filled<T> = Result<Form<T>, FormRejection>;

/// Says what came of it, and goes back.
fn back(service: &Service, done: Result<String, Stop>) -> Redirect {
    say(service, done);
    Redirect::to("/")
}

/// Says what came of it, and goes back to the account that it was done to.
fn back_to(service: &Service, account: AccountId, done: Result<String, Stop>) -> Redirect {
    say(service, done);
    Redirect::to(&format!("/#account-{account}"))
}

fn say(service: &Service, done: Result<String, Stop>) {
    service.leave_notice(match done {
        Ok(said) => said,
        Err(stop) => format!("Not done. {}", Problem::from(stop).words()),
    });
}

fn unread(service: &Service, rejection: &FormRejection) -> Redirect {
    service.leave_notice(format!("Not done. {rejection}"));
    Redirect::to("/")
}

/// Takes what a form was filled with, or goes back with a word why not.
macro_rules! filled {
    ($service:expr, $form:expr) => {
        match $form {
            Ok(Form(filled)) => filled,
            Err(rejection) => return unread(&$service, &rejection),
        }
    };
}

#[derive(Debug, Deserialize)]
pub struct Person {
    email: String,
}

/// A client signs up.
pub async fn sign_up(State(service): State<Arc<Service>>, form: Filled<Person>) -> Redirect {
    let person = SignUp { email: filled!(service, form).email.trim().to_owned(), ..SignUp::default() };
    let done = service.change(move |m| people::sign_up(m, &person)).await;
    back(
        &service,
        done.map(|(user, is_new)| {
            format!("{} {}", user.email, if is_new { "signed up." } else { "was a user already." })
        }),
    )
}

#[derive(Debug, Deserialize)]
pub struct AnotherCard {
    email: String,
    card: String,
}

/// Somebody has another card; one that pays pays what is open.
pub async fn change_card(State(service): State<Arc<Service>>, form: Filled<AnotherCard>) -> Redirect {
    let AnotherCard { email, card } = filled!(service, form);
    let done = service
        .change(move |m| {
            let (draft, user) = people::change_card(m, email.trim(), &card)?;
            let paid = draft.changes.iter().filter(|change| matches!(change, Change::PutCharge(_))).count();
            Ok((draft, (user, paid)))
        })
        .await;
    back(
        &service,
        done.map(|(user, paid)| match paid {
            0 => format!("{} has another card.", user.email),
            1 => format!("{} has another card, and paid what was open.", user.email),
            many => format!("{} has another card, and made {many} open payments.", user.email),
        }),
    )
}

#[derive(Debug, Deserialize)]
pub struct Ahead {
    seconds: i64,
}

/// Time passes.
pub async fn advance(State(service): State<Arc<Service>>, form: Filled<Ahead>) -> Redirect {
    let Ahead { seconds } = filled!(service, form);
    let done = service.change(move |m| time::advance(m, seconds)).await;
    back(&service, done.map(|now| format!("It is {} UTC now.", now.strftime("%-d %b %Y, %H:%M:%S"))))
}

/// The invited person accepts.
pub async fn accept(State(service): State<Arc<Service>>, Within(id): Within<MemberId>) -> Redirect {
    let done = service.change(move |m| members::accept(m, id)).await;
    match done {
        Ok(member) => back_to(&service, member.account_id, Ok(format!("{} accepted.", member.email))),
        Err(stop) => back(&service, Err(stop)),
    }
}

#[derive(Debug, Deserialize)]
pub struct Naming {
    name: String,
    email: String,
}

/// The token's user adds a new account, as on the service's own pages.
pub async fn add_account(State(service): State<Arc<Service>>, form: Filled<Naming>) -> Redirect {
    let Naming { name, email } = filled!(service, form);
    let done = service.change_as_us(move |m| m.terms.dialect.create(m, &name, email.trim())).await;
    match done {
        Ok(id) => back_to(&service, id, Ok(format!("Account {id} was added."))),
        Err(stop) => back(&service, Err(stop)),
    }
}

#[derive(Debug, Deserialize)]
pub struct NewAccount {
    name: String,
    email: String,
    owner: String,
    plan: String,
}

/// Somebody makes an account by hand.
pub async fn make_account(State(service): State<Arc<Service>>, form: Filled<NewAccount>) -> Redirect {
    let NewAccount { name, email, owner, plan } = filled!(service, form);
    let said = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let ask = Arrangement {
        name,
        email: email.trim().to_owned(),
        owner: said(owner),
        with_caller: true,
        plan: said(plan),
        seats: None,
        members: Vec::new(),
    };
    let done = service.change(move |m| people::arrange(m, &ask)).await;
    match done {
        Ok(account) => back_to(&service, account.id, Ok(format!("Account {} was made by hand.", account.id))),
        Err(stop) => back(&service, Err(stop)),
    }
}

/// Somebody changes name or notification email.
pub async fn rename(
    State(service): State<Arc<Service>>,
    Within(id): Within<AccountId>,
    form: Filled<Naming>,
) -> Redirect {
    let Naming { name, email } = filled!(service, form);
    let done =
        service.change_by_hand(id, None, move |m| accounts::update(m, id, Some(&name), Some(email.trim()))).await;
    back_to(&service, id, done.map(|account| format!("Account {id} is called {} now.", account.name)))
}

#[derive(Debug, Deserialize)]
pub struct PlanAndSeats {
    plan: String,
    seats: u32,
}

/// Somebody chooses another plan or other seats, with the card of the token's user.
pub async fn choose_plan(
    State(service): State<Arc<Service>>,
    Within(id): Within<AccountId>,
    form: Filled<PlanAndSeats>,
) -> Redirect {
    let PlanAndSeats { plan, seats } = filled!(service, form);
    let done = service.change_as_us(move |m| m.terms.dialect.choose(m, id, &plan, seats)).await;
    let done = done.and_then(|bought| bought.map_err(Stop::from));
    back_to(&service, id, done.map(|_| format!("The plan of account {id} was chosen.")))
}

/// Somebody cancels the subscription.
pub async fn cancel(State(service): State<Arc<Service>>, Within(id): Within<AccountId>) -> Redirect {
    let done = service.change_by_hand(id, None, move |m| subscription::cancel(m, id)).await;
    back_to(&service, id, done.map(|()| format!("The subscription of account {id} is cancelled.")))
}

/// Who is added, with every right where no access is said.
#[derive(Debug, Deserialize)]
pub struct Newcomer {
    email: String,
    access: Option<String>,
}

/// Somebody adds a member.
pub async fn add_member(
    State(service): State<Arc<Service>>,
    Within(id): Within<AccountId>,
    form: Filled<Newcomer>,
) -> Redirect {
    let Newcomer { email, access } = filled!(service, form);
    let email = email.trim().to_owned();
    let add = move |m: &Moment| m.terms.dialect.add_member(m, id, &email, access.as_deref());
    let done = service.change_by_hand(id, None, add).await;
    back_to(&service, id, done.map(|email| format!("{email} was added to account {id}.")))
}

/// Somebody else removes a member, whoever it is.
pub async fn remove_member(
    State(service): State<Arc<Service>>,
    Within((account, id)): Within<(AccountId, MemberId)>,
) -> Redirect {
    let done = service.change_by_hand(account, Some(id), move |m| members::remove(m, account, id)).await;
    back_to(&service, account, done.map(|()| format!("The member was removed from account {account}.")))
}
