//! Running it: what the daemon serves and to whom, what `status` shows, what may ask for a look,
//! and what the service manager hears.

mod alerts;
mod board;
mod connections;
mod logs;
mod page;
mod pushes;
mod serving;
mod start;
mod status;
mod supervisor;

use std::time::Duration;

use serde_json::Value;

use crate::support::{Running, World, commit, git};

const SOON: Duration = Duration::from_secs(20);
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Makes the folder of a world a repository; its first commit.
fn committed(world: &World) -> String {
    world.write(".gitignore", ".bursar\n");
    git(world.path(), &["init", "-q"]);
    commit(world.path())
}

/// A daemon that serves.
struct Served {
    daemon: Running,
    base: String,
    http: reqwest::Client,
}

impl Served {
    /// Starts it in a world, on a port of its own, with these further arguments.
    fn start(world: &World, args: &[&str]) -> Self {
        let args = [&["-v", "run", "--listen", "127.0.0.1:0"], args].concat();
        let mut daemon = Running::start(world.command(&args));
        daemon.wait_for("are served at http://", SOON);
        let log = daemon.log();
        let address = log.split("are served at ").nth(1).unwrap().split('/').nth(2).unwrap();
        Self { base: format!("http://{address}"), daemon, http: world.http.clone() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status.json").await.1).unwrap()
    }
}

/// Writes a file that only its owner can read.
fn secret(world: &World, file: &str, text: &str) {
    world.write(file, text);
    let only_me = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(world.path().join(file), only_me).unwrap();
}
