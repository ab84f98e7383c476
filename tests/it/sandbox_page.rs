//! The person's page: what it shows is inert, its forms do what a client does, and no
//! other site can press its buttons.

use bursar::sandbox::{MemberMode, Options};
use reqwest::Method;
use serde_json::json;

use crate::sandbox::{Client, started};

async fn page(client: &Client) -> String {
    client.send(client.request(Method::GET, "/")).await.body.as_str().unwrap_or_default().to_owned()
}

async fn press(client: &Client, path: &str, form: &str) -> u16 {
    let request = client.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    client.send(request.body(form.to_owned())).await.status
}

#[tokio::test]
async fn what_clients_write_is_inert() {
    let (_sandbox, client) = started(Options { member_mode: MemberMode::Invite, ..Options::default() }).await;
    let names = [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "\" autofocus onfocus=\"alert(1)",
        "javascript:alert(1)",
    ];
    for name in names {
        assert_eq!(client.post("/accounts", json!({"name": name, "email": "dns@agency.example"})).await.status, 201);
    }
    let page = page(&client).await;
    for active in ["<img", "<script", "</script", "onfocus=\"", "href=\"javascript:"] {
        assert!(!page.contains(active), "{active}");
    }
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    let answer = client.send(client.request(Method::GET, "/")).await;
    insta::assert_snapshot!(answer.header("content-security-policy").unwrap(), @"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    // With `no-referrer`, a browser would send its forms as from another site.
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
}

#[tokio::test]
async fn a_person_signs_up_is_added_accepts_and_is_removed() {
    let (_sandbox, client) = started(Options { member_mode: MemberMode::Invite, ..Options::default() }).await;
    assert_eq!(press(&client, "/page/users", "email=jane%40acme.example").await, 303);
    let watched = client.send(client.request(Method::GET, "/?watch")).await.body;
    let watched = watched.as_str().unwrap_or_default();
    assert!(watched.contains("http-equiv=\"refresh\"") && !watched.contains("<form"), "what is typed would be lost");
    assert!(!watched.contains("signed up."), "the word is for who pressed the button");
    assert!(page(&client).await.contains("jane@acme.example signed up."));
    assert!(!page(&client).await.contains("signed up."), "the word is said once");
    press(&client, "/page/accounts", "name=Acme&email=dns%40acme.example&owner=&plan=teams-v2-monthly").await;
    press(&client, "/page/accounts/1/plan", "plan=teams-v2-monthly&seats=2").await;
    press(&client, "/page/accounts/1/members", "email=jane%40acme.example").await;
    assert!(page(&client).await.contains("/page/invitations/2/accept"));
    press(&client, "/page/invitations/2/accept", "").await;
    assert!(page(&client).await.contains("jane@acme.example accepted."));
    let members = client.get("/1/members").await.body;
    assert_eq!(
        (&members["data"][1]["email"], &members["data"][1]["state"]),
        (&json!("jane@acme.example"), &json!("active"))
    );
    press(&client, "/page/accounts/1/rename", "name=Acme+Inc&email=dns%40acme.example").await;
    press(&client, "/page/clock", "seconds=2678400").await;
    press(&client, "/page/accounts/1/cancel", "").await;
    press(&client, "/page/accounts/1/members/2/remove", "").await;
    let account = client.get("/accounts/1?include=subscription,members").await.body;
    assert_eq!(
        (&account["data"]["name"], &account["data"]["subscription"]["state"]),
        (&json!("Acme Inc"), &json!("unsubscribed"))
    );
    assert_eq!(account["data"]["members"].as_array().unwrap().len(), 1);
    let ledger = client.ledger().await;
    assert_eq!(
        (&ledger["members_added"], &ledger["accounts_created"]),
        (&json!(0), &json!(0)),
        "by hand is not over the API"
    );
}

#[tokio::test]
async fn a_card_fails_and_another_one_pays_what_is_open() {
    let (_sandbox, client) = started(Options::default()).await;
    press(&client, "/page/accounts", "name=Acme&email=dns%40acme.example&owner=&plan=teams-v2-monthly").await;
    press(&client, "/page/cards", "email=agency%40example.com&card=4000+0000+0000+0341").await;
    assert!(page(&client).await.contains("agency@example.com has another card."));
    press(&client, "/page/accounts/1/plan", "plan=teams-v2-monthly&seats=3").await;
    assert!(page(&client).await.contains("Not done. The card was refused"));
    press(&client, "/page/clock", "seconds=2678400").await;
    let dunned = page(&client).await;
    for words in [
        "<span class=\"warn\">unpaid</span>, ends <time datetime=\"2026-04-22T12:00:00Z\">22 Apr 2026</time>",
        "<span class=\"warn\">Open: 58.00 USD</span>, more seats: teams-v2-monthly, 3 seat(s)",
        "<span class=\"warn\">Open: 29.00 USD</span>, renewal of teams-v2-monthly, 1 seat(s)",
    ] {
        assert!(dunned.contains(words), "{words}: {dunned}");
    }
    press(&client, "/page/cards", "email=agency%40example.com&card=4242+4242+4242+4242").await;
    let paid = page(&client).await;
    assert!(paid.contains("agency@example.com has another card, and made 2 open payments."));
    assert!(paid.contains("Money charged: 87.00 USD") && !paid.contains("Open:") && !paid.contains("unpaid"));
    press(&client, "/page/cards", "email=nobody%40else.example&card=4242+4242+4242+4242").await;
    assert!(page(&client).await.contains("Not done. Validation failed: email is not a registered user"));
}

#[tokio::test]
async fn what_is_refused_is_said() {
    let (_sandbox, client) = started(Options::default()).await;
    press(&client, "/page/accounts", "name=Acme&email=dns%40acme.example&owner=&plan=").await;
    press(&client, "/page/accounts/1/members", "email=jane%40acme.example").await;
    assert!(page(&client).await.contains("Not done. The account is not subscribed to a plan"));
    press(&client, "/page/users", "email=%3Cb%3E").await;
    assert!(page(&client).await.contains("Not done. Validation failed: email is an invalid email address"));
    press(&client, "/page/clock", "seconds=soon").await;
    assert!(page(&client).await.contains("Not done. Failed to deserialize form body"));
    press(&client, "/page/accounts/1/members/1/remove", "").await;
    assert!(page(&client).await.contains("Not done. Nobody else in this account has full access"));
}

#[tokio::test]
async fn another_site_cannot_press_its_buttons() {
    let (_sandbox, client) = started(Options::default()).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("host", "evil.example"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = client.request(Method::POST, "/page/users").header(name, value);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body("email=a%40b.example");
        assert_eq!(client.send(request).await.status, 403, "{name}: {value}");
    }
    let page = page(&client).await;
    assert!(!page.contains("a@b.example"));
}

#[tokio::test]
async fn its_style_is_its_own() {
    let (_sandbox, client) = started(Options::default()).await;
    let answer = client.send(client.request(Method::GET, "/style.css")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(page(&client).await.contains("<link rel=\"stylesheet\" href=\"/style.css\">"));
}
