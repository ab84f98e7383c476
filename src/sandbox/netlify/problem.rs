//! Errors as the service words them: a code, which is the status, and a message.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::sandbox::rules::Refusal;

/// Words each refusal among the answers anew, and leaves every other answer as it is.
pub async fn reword(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let Some(refusal) = answer.extensions_mut().remove::<Refusal>() else { return answer };
    let (status, message) = words(&refusal);
    let (mut head, body) =
        (status, Json(json!({ "code": status.as_u16(), "message": message }))).into_response().into_parts();
    for (name, value) in answer.headers() {
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            head.headers.insert(name.clone(), HeaderValue::clone(value));
        }
    }
    Response::from_parts(head, body)
}

/// Status and message. Where fields are at fault, each of their faults is in the message.
fn words(refusal: &Refusal) -> (StatusCode, String) {
    let Refusal { status, message, errors } = refusal;
    let faults = errors.iter().flat_map(|(field, faults)| faults.iter().map(move |fault| format!("{field} {fault}")));
    let faults: Vec<_> = faults.collect();
    match status {
        400 if !faults.is_empty() => (StatusCode::UNPROCESSABLE_ENTITY, faults.join(", ")),
        401 => (StatusCode::UNAUTHORIZED, "Access Denied".to_owned()),
        404 => (StatusCode::NOT_FOUND, "Not Found".to_owned()),
        429 => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests".to_owned()),
        other => (StatusCode::from_u16(*other).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), message.clone()),
    }
}
