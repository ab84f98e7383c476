//! `/{account}/members`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::extract::{Body, ListAsk, Within};
use super::problem::{ErrorBody, Problem};
use super::wire::{AccessAsk, Data, Member, MemberAsk, Page};
use crate::sandbox::rules::members;
use crate::sandbox::service::Service;
use crate::sandbox::world::{AccountId, MemberId};

/// Members and pending invitations
#[utoipa::path(
    get,
    path = "/{account}/members",
    params(
        ("account" = u64, Path),
        ("page" = Option<u64>, Query, description = "From 1"),
        ("per_page" = Option<u64>, Query, description = "30 unless given, 100 at most")
    ),
    responses((status = 200, body = Page<Member>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn list(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
    ask: ListAsk,
) -> Result<Json<Page<Member>>, Problem> {
    let page = service
        .look_at_lists(|m, listed| {
            m.account(account)?;
            let (part, pagination) = ask.page.of(listed.world.members_of(account).iter());
            Ok::<_, Problem>(Page { data: part.into_iter().map(Member::from).collect(), pagination })
        })
        .await?;
    Ok(Json(page))
}

/// Add a registered user, or invite anybody
#[utoipa::path(
    post,
    path = "/{account}/members",
    params(("account" = u64, Path)),
    request_body = MemberAsk,
    responses(
        (status = 201, body = Data<Member>),
        (status = 400, body = ErrorBody, description = "Every fault at once, a missing seat included"),
        (status = 401, body = ErrorBody),
        (status = 402, body = ErrorBody, description = "Not subscribed"),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 412, body = ErrorBody, description = "The plan takes one member only")
    )
)]
pub async fn add(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
    Body(ask): Body<MemberAsk>,
) -> Result<(StatusCode, Json<Data<Member>>), Problem> {
    let member = service.change(move |m| members::add(m, account, ask.email.as_deref(), ask.access.as_deref())).await?;
    Ok((StatusCode::CREATED, Json(Data { data: Member::from(&member) })))
}

/// Give full or limited access
#[utoipa::path(
    patch,
    path = "/{account}/members/{id}",
    params(("account" = u64, Path), ("id" = u64, Path)),
    request_body = AccessAsk,
    responses(
        (status = 200, body = Data<Member>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 412, body = ErrorBody, description = "The plan has no limited access")
    )
)]
pub async fn set_access(
    State(service): State<Arc<Service>>,
    Within((account, id)): Within<(AccountId, MemberId)>,
    Body(ask): Body<AccessAsk>,
) -> Result<Json<Data<Member>>, Problem> {
    let member = service.change(move |m| members::set_access(m, account, id, ask.access.as_deref())).await?;
    Ok(Json(Data { data: Member::from(&member) }))
}

/// Remove a member, or revoke an invitation
#[utoipa::path(
    delete,
    path = "/{account}/members/{id}",
    params(("account" = u64, Path), ("id" = u64, Path)),
    responses(
        (status = 204),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody, description = "Yourself"),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn remove(
    State(service): State<Arc<Service>>,
    Within((account, id)): Within<(AccountId, MemberId)>,
) -> Result<StatusCode, Problem> {
    service.change(move |m| members::remove(m, account, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
