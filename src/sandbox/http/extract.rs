//! What handlers take from a request, refused in the API's own words.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::wire::Pagination;
use crate::sandbox::rules::{Faults, Refusal};

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "The body must be JSON, with Content-Type application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is over 1 MiB"),
            _ => Problem::new(StatusCode::BAD_REQUEST, "The body cannot be read"),
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| not_understood(&error))
    }
}

/// A body that is not JSON, or of another form.
pub fn not_understood(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("The body cannot be understood: {error}"))
}

/// Ids in the path; what is no number is not there.
#[derive(Debug)]
pub struct Within<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Within<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::<T>::from_request_parts(parts, state).await;
        found.map(|Path(ids)| Self(ids)).map_err(|_| Problem::new(StatusCode::NOT_FOUND, "Not found"))
    }
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageAsk {
    page: u64,
    per_page: u64,
}

/// The parameters of a list, whose pages have so many entries unless another number is given.
#[derive(Debug)]
pub struct ListAsk<const PER_PAGE: u64 = 30> {
    pub page: PageAsk,
    parameters: HashMap<String, String>,
}

const MOST_PER_PAGE: u64 = 100;

impl<const PER_PAGE: u64> ListAsk<PER_PAGE> {
    /// A parameter by its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Whether `include=` names this.
    pub fn includes(&self, what: &str) -> bool {
        self.get("include").is_some_and(|all| all.split(',').any(|one| one.trim() == what))
    }

    fn read(parameters: HashMap<String, String>) -> Result<Self, Refusal> {
        let mut faults = Faults::default();
        let mut number = |name: &'static str, default: u64| match parameters.get(name).map(|text| text.parse::<u64>()) {
            None => default,
            Some(Ok(number)) if number >= 1 => number,
            Some(Ok(_) | Err(_)) => {
                faults.note(name, "must be a number from 1");
                default
            }
        };
        let page = PageAsk { page: number("page", 1), per_page: number("per_page", PER_PAGE).min(MOST_PER_PAGE) };
        faults.refuse_if_any()?;
        Ok(Self { page, parameters })
    }
}

impl<S: Send + Sync, const PER_PAGE: u64> FromRequestParts<S> for ListAsk<PER_PAGE> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(parameters) = Query::<HashMap<String, String>>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new(rejection.into_response().status(), "The parameters cannot be read"))?;
        Ok(Self::read(parameters)?)
    }
}

impl PageAsk {
    /// The part of all entries, and the words about it.
    pub fn of<T>(self, entries: impl Iterator<Item = T>) -> (Vec<T>, Pagination) {
        let Self { page: current_page, per_page } = self;
        let skipped = (current_page - 1).saturating_mul(per_page);
        let (mut part, mut total_entries) = (Vec::new(), 0_u64);
        for entry in entries {
            if total_entries >= skipped && total_entries - skipped < per_page {
                part.push(entry);
            }
            total_entries += 1;
        }
        let total_pages = total_entries.div_ceil(per_page);
        (part, Pagination { current_page, per_page, total_entries, total_pages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(parameters: &[(&str, &str)]) -> Result<PageAsk, Refusal> {
        let all = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ListAsk::<30>::read(all).map(|list| list.page)
    }

    #[test]
    fn pages_begin_at_one_and_hold_thirty_unless_asked_and_a_hundred_at_most() {
        assert_eq!(ask(&[]), Ok(PageAsk { page: 1, per_page: 30 }));
        assert_eq!(ask(&[("page", "3"), ("per_page", "101")]), Ok(PageAsk { page: 3, per_page: 100 }));
        let last = ask(&[("page", "18446744073709551615"), ("per_page", "100")]).unwrap();
        assert_eq!(last.of(0..5).0, Vec::<i32>::new());
    }

    #[test]
    fn page_numbers_that_are_none_are_refused_together() {
        let refusal = ask(&[("page", "0"), ("per_page", "-1")]).unwrap_err();
        assert_eq!(refusal.errors.keys().copied().collect::<Vec<_>>(), ["page", "per_page"]);
    }

    #[test]
    fn the_pages_of_a_list_are_the_list() {
        let page = |page| PageAsk { page, per_page: 2 }.of(1..=5);
        assert_eq!([page(1).0, page(2).0, page(3).0, page(4).0], [vec![1, 2], vec![3, 4], vec![5], vec![]]);
        let Pagination { current_page, per_page, total_entries, total_pages } = page(2).1;
        assert_eq!((current_page, per_page, total_entries, total_pages), (2, 2, 5, 3));
    }
}
