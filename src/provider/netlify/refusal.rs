//! Reading a refusal: `{code, message}`, and what real servers put in its place. The published
//! description names no words, so what a refusal means is read cautiously: whatever is not
//! understood is invalid input, and nothing is bought on a guess.

use reqwest::Method;
use serde_json::Value;

use crate::provider::Meaning;
use crate::provider::wire::json::faults_by_field;
use crate::provider::wire::{Asked, Complaint};

/// Reads a refusal; `None` where neither a message nor a fault stands in the body.
pub(super) fn read(asked: Asked<'_>, body: &[u8]) -> Option<Complaint> {
    let Value::Object(body) = serde_json::from_slice(body).ok()? else { return None };
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let errors = faults_by_field(body.get("errors"));
    let message = match text("message").or_else(|| text("error")) {
        Some(message) => message.to_owned(),
        None if !errors.is_empty() => "refused".to_owned(),
        None => return None,
    };
    let meaning = meaning(asked, &Said::of(&message, &errors));
    Some(Complaint { message, errors, meaning })
}

/// What was said, to be searched without regard to letter case.
struct Said {
    text: String,
    fields: Vec<String>,
}

impl Said {
    fn of(message: &str, errors: &[(String, Vec<String>)]) -> Self {
        let faults = errors.iter().flat_map(|(_, faults)| faults).map(String::as_str);
        let text: Vec<&str> = std::iter::once(message).chain(faults).collect();
        Self {
            text: text.join("\n").to_lowercase(),
            fields: errors.iter().map(|(field, _)| field.to_lowercase()).collect(),
        }
    }

    fn any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.text.contains(phrase))
    }

    fn field(&self, names: &[&str]) -> bool {
        self.fields.iter().any(|field| names.contains(&field.as_str()))
    }
}

/// What it comes to; `None` where the status tells.
fn meaning(asked: Asked<'_>, said: &Said) -> Option<Meaning> {
    let Asked { method, route, status } = asked;
    let members = route.contains("/members");
    match status {
        _ if *method == Method::GET => None,
        403 if said.field(&["role"]) => Some(Meaning::RoleUnavailable),
        409 if members && *method == Method::POST => Some(Meaning::AlreadyTaken),
        400 | 412 | 422 if members && *method == Method::POST => Some(of_an_add(said)),
        400 | 412 | 422 if members => Some(of_a_member(said)),
        400 | 412 | 422 => Some(of_an_account(said)),
        _ => None,
    }
}

fn of_an_add(said: &Said) -> Meaning {
    let bad_email = said.field(&["email"]) || said.any(&["invalid email", "email is invalid", "valid email"]);
    if said.any(&["already", "taken", "exists"]) {
        // Read back, so that a guess does no harm.
        Meaning::AlreadyTaken
    } else if bad_email {
        // Whatever else is at fault: a seat would be bought for nobody.
        Meaning::InvalidInput
    } else if said.field(&["role"]) || said.any(&["role"]) {
        Meaning::RoleUnavailable
    } else if says_payment(said) {
        Meaning::PaymentRequired
    } else if said.field(&["seats", "extra_seats_block"]) || said.any(&["seat", "collaborator", "member limit"]) {
        Meaning::NoSeatFree
    } else {
        Meaning::InvalidInput
    }
}

fn of_a_member(said: &Said) -> Meaning {
    if said.field(&["role"]) || said.any(&["role"]) { Meaning::RoleUnavailable } else { Meaning::InvalidInput }
}

fn of_an_account(said: &Said) -> Meaning {
    if said.field(&["payment_method_id"]) || says_payment(said) {
        Meaning::PaymentRequired
    } else if said.field(&["extra_seats_block", "seats"]) || said.any(&["seat", "collaborator", "members"]) {
        Meaning::TooManyMembers
    } else if said.field(&["type_id", "period"]) || said.any(&["account type", "plan "]) {
        Meaning::PlanUnavailable
    } else if said.any(&["taken"]) {
        Meaning::AlreadyTaken
    } else {
        Meaning::InvalidInput
    }
}

fn says_payment(said: &Said) -> bool {
    said.any(&["payment", "credit card", "card was", "billing method", "declined"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(method: &Method, route: &'static str, status: u16, body: &Value) -> Option<Complaint> {
        read(Asked { method, route, status }, body.to_string().as_bytes())
    }

    #[test]
    fn a_refusal_is_read_in_every_form_and_anything_else_is_none() {
        for (body, message, errors) in [
            (json!({"code": 422, "message": "No"}), "No", vec![]),
            (json!({"message": "No", "errors": null, "extra": [1]}), "No", vec![]),
            (json!({"error": "No"}), "No", vec![]),
            (
                json!({"errors": {"name": ["is blank", 7], "x": "bad"}}),
                "refused",
                vec![("name", vec!["is blank"]), ("x", vec!["bad"])],
            ),
            (json!({"message": "No", "errors": ["a", {"message": "b"}, 3]}), "No", vec![("errors", vec!["a", "b"])]),
        ] {
            let read = said(&Method::PUT, "/accounts/{account}", 422, &body).unwrap();
            let errors: Vec<(String, Vec<String>)> = errors
                .into_iter()
                .map(|(field, faults)| (field.to_owned(), faults.into_iter().map(str::to_owned).collect()))
                .collect();
            assert_eq!((read.message.as_str(), &read.errors), (message, &errors), "{body}");
        }
        for body in [json!({}), json!([]), json!("No"), json!({"code": 422}), json!({"message": ""}), json!(null)] {
            assert_eq!(said(&Method::PUT, "/accounts/{account}", 422, &body), None, "{body}");
        }
    }

    /// What each refusal comes to, one line a case.
    #[test]
    fn a_refusal_means_what_its_words_say_and_nothing_is_bought_on_a_guess() {
        let (accounts, account, members, member) =
            ("/accounts", "/accounts/{account}", "/{account}/members", "/{account}/members/{member}");
        let mut table = String::new();
        for (method, route, status, body) in [
            (Method::POST, members, 422, json!({"message": "User is already a member of this team"})),
            (Method::POST, members, 409, json!({"message": "Conflict"})),
            (Method::POST, members, 422, json!({"errors": {"email": ["is invalid"]}})),
            (Method::POST, members, 422, json!({"errors": {"email": ["is odd"], "seats": ["none left"]}})),
            (Method::POST, members, 422, json!({"message": "No seats left"})),
            (Method::POST, members, 422, json!({"message": "Role Reviewer is not allowed on this plan"})),
            (Method::POST, members, 422, json!({"message": "Add a payment method to buy seats"})),
            (Method::POST, members, 402, json!({"message": "Payment required"})),
            (Method::POST, members, 403, json!({"message": "Your role does not permit this"})),
            (Method::POST, members, 403, json!({"message": "No", "errors": {"role": ["is not allowed"]}})),
            (Method::POST, members, 422, json!({"message": "Something new"})),
            (Method::PUT, member, 422, json!({"errors": {"role": ["is not included in the list"]}})),
            (Method::PUT, member, 422, json!({"message": "Something new"})),
            (Method::DELETE, member, 404, json!({"message": "Not Found"})),
            (Method::POST, accounts, 422, json!({"errors": {"payment_method_id": ["is missing"]}})),
            (Method::POST, accounts, 422, json!({"message": "Your card was declined"})),
            (Method::POST, accounts, 422, json!({"errors": {"type_id": ["is unknown"]}})),
            (Method::POST, accounts, 422, json!({"errors": {"name": ["can't be blank"]}})),
            (Method::PUT, account, 422, json!({"errors": {"extra_seats_block": ["is below the members"]}})),
            (Method::PUT, account, 422, json!({"errors": {"billing_email": ["is invalid"]}})),
            (Method::PUT, account, 401, json!({"code": 401, "message": "Access Denied"})),
            (Method::GET, accounts, 422, json!({"message": "already"})),
        ] {
            let meaning = said(&method, route, status, &body).unwrap().meaning;
            let meaning = meaning.map_or_else(|| "by its status".to_owned(), |meaning| format!("{meaning:?}"));
            table.push_str(&format!("{method} {route} {status} {body}: {meaning}\n"));
        }
        insta::assert_snapshot!(table, @r#"
        POST /{account}/members 422 {"message":"User is already a member of this team"}: AlreadyTaken
        POST /{account}/members 409 {"message":"Conflict"}: AlreadyTaken
        POST /{account}/members 422 {"errors":{"email":["is invalid"]}}: InvalidInput
        POST /{account}/members 422 {"errors":{"email":["is odd"],"seats":["none left"]}}: InvalidInput
        POST /{account}/members 422 {"message":"No seats left"}: NoSeatFree
        POST /{account}/members 422 {"message":"Role Reviewer is not allowed on this plan"}: RoleUnavailable
        POST /{account}/members 422 {"message":"Add a payment method to buy seats"}: PaymentRequired
        POST /{account}/members 402 {"message":"Payment required"}: by its status
        POST /{account}/members 403 {"message":"Your role does not permit this"}: by its status
        POST /{account}/members 403 {"message":"No","errors":{"role":["is not allowed"]}}: RoleUnavailable
        POST /{account}/members 422 {"message":"Something new"}: InvalidInput
        PUT /{account}/members/{member} 422 {"errors":{"role":["is not included in the list"]}}: RoleUnavailable
        PUT /{account}/members/{member} 422 {"message":"Something new"}: InvalidInput
        DELETE /{account}/members/{member} 404 {"message":"Not Found"}: by its status
        POST /accounts 422 {"errors":{"payment_method_id":["is missing"]}}: PaymentRequired
        POST /accounts 422 {"message":"Your card was declined"}: PaymentRequired
        POST /accounts 422 {"errors":{"type_id":["is unknown"]}}: PlanUnavailable
        POST /accounts 422 {"errors":{"name":["can't be blank"]}}: InvalidInput
        PUT /accounts/{account} 422 {"errors":{"extra_seats_block":["is below the members"]}}: TooManyMembers
        PUT /accounts/{account} 422 {"errors":{"billing_email":["is invalid"]}}: InvalidInput
        PUT /accounts/{account} 401 {"code":401,"message":"Access Denied"}: by its status
        GET /accounts 422 {"message":"already"}: by its status
        "#);
    }
}
