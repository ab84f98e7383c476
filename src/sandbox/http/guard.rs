//! What stands before every handler: who may connect at all, the token, the quota, the
//! ledger's count, and the headers that every answer carries.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::bad_days;
use super::problem::Problem;
use crate::sandbox::quota::{Asker, Standing};
use crate::sandbox::rules::Refusal;
use crate::sandbox::service::{Service, locked};

/// Puts the request's id and the world's on every answer.
pub async fn stamp(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let id = service.fresh_id();
    let mut answer = next.run(request).await;
    for (name, value) in [("x-request-id", id), ("x-sandbox-world", service.world_id())] {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    answer
}

/// Lets nobody in but programs of this machine and pages of the sandbox itself. The token
/// is well known: a web page from elsewhere, whatever name it made its address resolve to
/// here, must neither read nor write.
pub async fn this_machine_only(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    match check_visitor(peer, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => Problem::new(StatusCode::FORBIDDEN, why).into_response(),
    }
}

fn check_visitor(peer: SocketAddr, headers: &HeaderMap) -> Result<(), &'static str> {
    if !peer.ip().to_canonical().is_loopback() {
        return Err("The sandbox serves this machine only");
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).unwrap_or_default();
    if !is_loopback_host(host) {
        return Err("The Host is not this machine");
    }
    if let Some(origin) = text(header::ORIGIN)
        && origin.strip_prefix("http://") != Some(host)
    {
        return Err("The request comes from another site");
    }
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err("The request comes from another site");
    }
    Ok(())
}

/// Whether a Host header, port included, names loopback.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name == "[::1]"
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// The API's own gate: counts, then looks at the quota and the token.
pub async fn api(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    if let Err(error) = service.count(route(&request, service.terms.dialect.base_path())).await {
        return Problem::from(error).into_response();
    }
    let asker = if bears(request.headers(), &service.token) { Asker::User } else { Asker::Stranger };
    let standing = locked(&service.quota).take(asker, service.machine_time());
    let is_spoilt = bad_days::says_quota_is_used_up(&request);
    let mut answer = match (standing, asker) {
        (Some(Standing { is_over: true, .. }), _) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "quota exceeded").into_response()
        }
        (_, Asker::Stranger) => Problem::from(Refusal::credentials()).into_response(),
        (_, Asker::User) => next.run(request).await,
    };
    if let Some(Standing { limit, remaining, reset, is_over: _ }) = standing {
        let headers = answer.headers_mut();
        headers.insert("x-ratelimit-limit", limit.into());
        headers.insert("x-ratelimit-remaining", remaining.into());
        headers.insert("x-ratelimit-reset", reset.as_second().into());
    }
    if is_spoilt {
        let headers = answer.headers_mut();
        headers.insert("x-ratelimit-limit", service.terms.dialect.usual_rate_limit().into());
        headers.insert("x-ratelimit-remaining", 0.into());
        let reset = service.machine_time().as_second() + bad_days::QUOTA_PAUSE_SECONDS;
        headers.insert("x-ratelimit-reset", reset.into());
    }
    answer
}

/// The method and route, `POST /v2/{account}/members`; a bounded number of them.
fn route(request: &Request, base_path: &str) -> String {
    let method = request.method().as_str();
    let method = if matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") {
        method
    } else {
        "OTHER"
    };
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    match path.filter(|path| *path != base_path) {
        Some(path) => format!("{method} {path}"),
        None => format!("{method} {base_path}/(unknown)"),
    }
}

fn bears(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split_once(' ').is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && given.trim() == token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(peer: &str, headers: &[(&'static str, &'static str)]) -> Result<(), &'static str> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        check_visitor(peer.parse().unwrap(), &headers)
    }

    #[test]
    fn only_this_machine_and_its_own_pages_come_in() {
        let here = "127.0.0.1:999";
        let host = ("host", "127.0.0.1:8787");
        assert_eq!(visit(here, &[host]), Ok(()));
        assert_eq!(visit("[::1]:9", &[("host", "[::1]:8787")]), Ok(()));
        assert_eq!(visit("[::ffff:127.0.0.1]:9", &[("host", "localhost")]), Ok(()));
        assert_eq!(
            visit(here, &[host, ("origin", "http://127.0.0.1:8787"), ("sec-fetch-site", "same-origin")]),
            Ok(())
        );
        for refused in [
            visit("192.0.2.7:9", &[host]),
            visit(here, &[]),
            visit(here, &[("host", "evil.example")]),
            visit(here, &[("host", "127.0.0.1.evil.example:8787")]),
            visit(here, &[host, ("origin", "https://evil.example")]),
            visit(here, &[host, ("origin", "null")]),
            visit(here, &[host, ("origin", "http://127.0.0.1:1")]),
            visit(here, &[host, ("sec-fetch-site", "cross-site")]),
        ] {
            assert!(refused.is_err());
        }
    }
}
