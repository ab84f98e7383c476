//! The calls of the API. They are thin; the rules decide.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::sandbox::http::{Body, ListAsk, Pagination, Problem, Within};
use crate::sandbox::rules::{Moment, Refusal};
use crate::sandbox::service::Service;
use crate::sandbox::world::AccountId;

use super::accounts::{self, Whole};
use super::team::Role;
use super::types::TYPES;
use super::wire::{
    AccountMembership, AccountSetup, AccountUpdateSetup, AddMemberSetup, Member, PaymentMethod, Type,
    UpdateMemberSetup, User,
};
use super::{BASE_PATH, ids};

/// How many accounts a page has unless another number is given, and at most.
const PER_PAGE: u64 = 100;

type Answer<T> = Result<Json<T>, Problem>;

fn absent() -> Refusal {
    Refusal::new(404, "Not Found")
}

/// The account of an id, as the caller sees it.
fn by_id(m: &Moment, id: &str) -> Result<AccountId, Refusal> {
    let id = ids::read_account(id).ok_or_else(absent)?;
    m.account(id).map(|_| id)
}

/// The account of a slug, as the caller sees it.
fn by_slug(m: &Moment, slug: &str) -> Result<AccountId, Refusal> {
    let found = m.world.teams.values().find(|team| team.slug == slug);
    let id = found.map(|team| team.account_id).ok_or_else(absent)?;
    m.account(id).map(|_| id)
}

fn whole(m: &Moment, id: AccountId) -> Result<Whole, Refusal> {
    m.account(id).map(|(account, _)| Whole::of(m.world, account))
}

/// Whose token it is.
pub async fn user(State(service): State<Arc<Service>>) -> Answer<User> {
    Ok(Json(service.look(|m| m.user().map(User::from)).await?))
}

/// What the caller can pay with.
pub async fn payment_methods(State(service): State<Arc<Service>>) -> Answer<Vec<PaymentMethod>> {
    let methods = service.look(|m| m.user().map(|user| PaymentMethod::of(user).into_iter().collect())).await?;
    Ok(Json(methods))
}

/// What kinds of account there are.
pub async fn types() -> Json<Vec<Type>> {
    Json(TYPES.iter().map(Type::from).collect())
}

/// The caller's accounts, by ascending id; a header says where the next page is.
pub async fn accounts(
    State(service): State<Arc<Service>>,
    asked: HeaderMap,
    ask: ListAsk<PER_PAGE>,
) -> (HeaderMap, Json<Vec<AccountMembership>>) {
    let look = |_: &Moment, m: &Moment| {
        let (part, pagination) = ask.page.of(m.visible());
        let part: Vec<_> = part.into_iter().map(|it| AccountMembership::from(&Whole::of(m.world, it))).collect();
        (part, pagination)
    };
    let (part, pagination) = service.look_at_lists(look).await;
    let host = asked.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let links = links(&format!("http://{host}{BASE_PATH}/accounts"), &pagination);
    let mut headers = HeaderMap::new();
    if let Some(links) = links.and_then(|links| HeaderValue::try_from(links).ok()) {
        headers.insert(header::LINK, links);
    }
    (headers, Json(part))
}

/// The pages before and after this one, and the last; nothing where there is but one.
fn links(url: &str, pagination: &Pagination) -> Option<String> {
    let Pagination { current_page, per_page, total_entries: _, total_pages } = pagination;
    let to = |page: u64, rel: &str| format!("<{url}?page={page}&per_page={per_page}>; rel=\"{rel}\"");
    let mut links = Vec::new();
    if current_page < total_pages {
        links.push(to(current_page + 1, "next"));
        links.push(to(*total_pages, "last"));
    }
    if *current_page > 1 {
        links.push(to(1, "first"));
        links.push(to(current_page - 1, "prev"));
    }
    (!links.is_empty()).then(|| links.join(", "))
}

/// Creates an account with its plan.
pub async fn create(
    State(service): State<Arc<Service>>,
    Body(ask): Body<AccountSetup>,
) -> Result<(StatusCode, Json<AccountMembership>), Problem> {
    let created = service.change(move |m| accounts::create(m, &ask.into())).await?;
    Ok((StatusCode::CREATED, Json(AccountMembership::from(&created))))
}

/// One account.
pub async fn account(State(service): State<Arc<Service>>, Within(id): Within<String>) -> Answer<AccountMembership> {
    let found = service.look(|m| whole(m, by_id(m, &id)?)).await?;
    Ok(Json(AccountMembership::from(&found)))
}

/// Changes an account, its plan or its seats.
pub async fn update(
    State(service): State<Arc<Service>>,
    Within(id): Within<String>,
    Body(ask): Body<AccountUpdateSetup>,
) -> Answer<AccountMembership> {
    let changed = service.change(move |m| accounts::update(m, by_id(m, &id)?, &ask.into())).await?;
    Ok(Json(AccountMembership::from(&changed)))
}

/// Closes an account.
pub async fn close(State(service): State<Arc<Service>>, Within(id): Within<String>) -> Result<StatusCode, Problem> {
    service.change(move |m| accounts::close(m, by_id(m, &id)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The members of an account, in the order in which they came.
pub async fn members(State(service): State<Arc<Service>>, Within(slug): Within<String>) -> Answer<Vec<Member>> {
    let look = |m: &Moment, listed: &Moment| {
        let now = whole(m, by_slug(m, &slug)?)?;
        let id = now.account.id;
        let team = listed.world.teams.get(&id).cloned().unwrap_or_else(|| now.team.clone());
        let members = listed.world.members_of(id).to_vec();
        Ok::<_, Refusal>(Member::all(&Whole { team, members, ..now }))
    };
    Ok(Json(service.look_at_lists(look).await?))
}

/// Adds somebody; all members afterwards.
pub async fn add(
    State(service): State<Arc<Service>>,
    Within(slug): Within<String>,
    Body(ask): Body<AddMemberSetup>,
) -> Answer<Vec<Member>> {
    let AddMemberSetup { role, email } = ask;
    let added =
        service.change(move |m| super::members::add(m, by_slug(m, &slug)?, email.as_deref(), role.as_deref())).await?;
    Ok(Json(Member::all(&added)))
}

/// One member.
pub async fn member(
    State(service): State<Arc<Service>>,
    Within((slug, id)): Within<(String, String)>,
) -> Answer<Member> {
    let look = |m: &Moment| {
        let whole = whole(m, by_slug(m, &slug)?)?;
        let member = super::members::find(&whole, &id)?;
        Ok::<_, Refusal>(Member::of(member, Role::of(Some(&whole.team), member)))
    };
    Ok(Json(service.look(look).await?))
}

/// Gives a member another role.
pub async fn set_role(
    State(service): State<Arc<Service>>,
    Within((slug, id)): Within<(String, String)>,
    Body(ask): Body<UpdateMemberSetup>,
) -> Answer<Member> {
    let (member, role) =
        service.change(move |m| super::members::set_role(m, by_slug(m, &slug)?, &id, ask.role.as_deref())).await?;
    Ok(Json(Member::of(&member, role)))
}

/// Removes a member, or takes an invitation back.
pub async fn remove(
    State(service): State<Arc<Service>>,
    Within((slug, id)): Within<(String, String)>,
) -> Result<StatusCode, Problem> {
    service
        .change(move |m| {
            let account = by_slug(m, &slug)?;
            let place = super::members::find(&whole(m, account)?, &id)?.id;
            crate::sandbox::rules::members::remove(m, account, place)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
