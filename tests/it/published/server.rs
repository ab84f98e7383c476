//! A small server of what DNSimple publishes, and a folder of manifests beside it.

use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::provider_world::{self, Asked, CANARY, Reply, message};
use crate::support::{Done, bursar, manifest};

/// What the server holds.
#[derive(Debug, Default)]
pub struct Held {
    pub accounts: Vec<Value>,
    /// Account, and webhook.
    pub webhooks: Vec<(String, Value)>,
    next: u64,
    /// Answers to registrations are lost.
    pub loses: bool,
}

pub struct Published {
    pub folder: tempfile::TempDir,
    pub server: provider_world::World,
    pub held: Arc<Mutex<Held>>,
}

impl Published {
    pub async fn new() -> Self {
        let held = Arc::new(Mutex::new(Held { next: 1, ..Held::default() }));
        let answers = Arc::clone(&held);
        let server = provider_world::world(move |_, asked| answer(&mut answers.lock().unwrap(), asked)).await;
        Self { folder: tempfile::tempdir().unwrap(), server, held }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v2", self.server.address)
    }

    /// Somebody made an account, on the plan `teams-v2-monthly`.
    pub fn account(&self, id: u64, client: &str) {
        self.held.lock().unwrap().accounts.push(json!({
            "id": id, "name": format!("Client {client}"), "email": format!("dns+{client}@agency.example"),
            "plan_identifier": "teams-v2-monthly", "created_at": "2026-11-01T10:00:00Z", "updated_at": "2026-11-01T10:00:00Z",
        }));
    }

    pub fn client(&self, name: &str, members: &[&str]) {
        self.write(&format!("{name}.yaml"), &manifest(name, members));
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// A file that nobody else can read.
    pub fn secret(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write("secret", text);
        std::fs::set_permissions(self.folder.path().join("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bursar(args);
        command.current_dir(self.folder.path()).env("BURSAR_API_URL", self.url()).env("BURSAR_TOKEN", CANARY);
        command
    }

    pub async fn run(&self, args: &[&str]) -> Done {
        let mut command = self.command(args);
        command.env("USER", "pat");
        tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap()
    }
}

fn answer(held: &mut Held, asked: &Asked) -> Reply {
    let (method, target) = asked.line.split_once(' ').unwrap();
    let path = target.split('?').next().unwrap().strip_prefix("/v2/").unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    match (method, &parts[..]) {
        ("GET", ["whoami"]) => data(200, &json!({"user": {"id": 9, "email": "agency@example.com"}, "account": null})),
        ("GET", ["accounts"]) => data(200, &json!(held.accounts)),
        ("GET", [account, "webhooks"]) => {
            let of = held.webhooks.iter().filter(|(of, _)| of == account).map(|(_, webhook)| webhook);
            data(200, &json!(of.collect::<Vec<_>>()))
        }
        ("POST", [account, "webhooks"]) => {
            let url = serde_json::from_str::<Value>(&asked.body).unwrap()["url"].as_str().unwrap().to_owned();
            if !url.starts_with("https://") {
                return message(400, &format!("{url} is not HTTPS"));
            }
            let webhook = json!({"id": held.next, "url": url, "suppressed_at": null});
            held.next += 1;
            held.webhooks.push(((*account).to_owned(), webhook.clone()));
            if held.loses { Reply::Reset } else { data(201, &webhook) }
        }
        ("DELETE", [account, "webhooks", id]) => {
            let before = held.webhooks.len();
            held.webhooks.retain(|(of, webhook)| of != account || webhook["id"].as_u64() != id.parse().ok());
            if held.webhooks.len() < before { Reply::Whole(204, vec![], vec![]) } else { message(404, "not found") }
        }
        _ => message(404, "not found"),
    }
}

fn data(status: u16, data: &Value) -> Reply {
    provider_world::json(status, json!({ "data": data }))
}
