//! The person's page in a real browser: a person signs up there and the daemon goes on, and
//! what strangers write stays text. Chromium is driven through chromedriver's plain WebDriver
//! protocol. Where neither is installed the tests say `SKIPPED:` and why; with
//! `BURSAR_REQUIRE_BROWSER=1` they fail instead.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Running, World, bursar, eventually, manifest};

/// The name of an element's reference on the wire, fixed by the WebDriver standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a browser may take for anything on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs what a mark-up injection would run, and leaves a trace that can be asked for.
const HOSTILE: [&str; 4] = [
    "<img src=x onerror=\"window.pwned=1;alert(1)\">",
    "</script><script>window.pwned=1;alert(1)</script>",
    "\" autofocus onfocus=\"window.pwned=1;alert(1)",
    "</h3><iframe srcdoc=\"<script>parent.pwned=1</script>\"></iframe><svg onload=\"window.pwned=1\">",
];

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_up_on_the_page_joins_and_the_page_shows_it() {
    let Some(browser) = Browser::open().await else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.yaml"), manifest("acme", &["jane@acme.example"])).unwrap();
    let mut command = bursar(&["run", "--sandbox", "--sandbox-listen", "127.0.0.1:0", "--interval", "1s"]);
    command.current_dir(folder.path());
    let mut daemon = Running::start(command);
    daemon.wait_for("AwaitingSignup", PATIENCE);
    let page = address_in(&daemon.log());

    browser.go(&page).await;
    assert_eq!(browser.text("h1").await, "Account sandbox");
    assert!(!browser.text("#account-1").await.contains("jane@acme.example"));

    browser.fill("form[action='/page/users'] input[name=email]", "jane@acme.example").await;
    browser.click("form[action='/page/users'] button").await;
    assert_eq!(browser.text("[role=status]").await, "jane@acme.example signed up.");

    daemon.wait_for(&format!("added {}", bursar::domain::mask("jane@acme.example")), PATIENCE);
    eventually("the page shows Jane", PATIENCE, || async {
        browser.go(&page).await;
        let card = browser.text("#account-1").await;
        card.contains("jane@acme.example full active") && card.contains("2 of 2 seats taken")
    })
    .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    assert_eq!(daemon.stop().1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_write_stays_text_in_a_real_browser() {
    let Some(browser) = Browser::open().await else { return };
    // That the trace would be seen, on a page which guards itself by nothing.
    browser.go("data:text/html,<img src=x onerror=\"window.pwned=1\">").await;
    eventually("the browser runs what is not guarded", PATIENCE, || async { browser.is_pwned().await }).await;

    let world = World::new(&[]).await;
    for name in HOSTILE {
        world.post("/sandbox/accounts", json!({"name": name, "email": "dns@agency.example"})).await;
    }
    let page = format!("{}/", world.sandbox.url());
    browser.go(&page).await;
    for (index, name) in HOSTILE.iter().enumerate() {
        let heading = browser.text(&format!("#account-{} h3", index + 1)).await;
        assert_eq!(heading, format!("{name} #{}", index + 1));
    }
    assert_eq!(
        browser.script("return document.querySelectorAll('img, script, svg, iframe').length", &[]).await,
        json!(0)
    );
    browser.assert_quiet().await;

    // A form's refusal repeats what was typed, and is as inert.
    browser.click("#make-account summary").await;
    browser.fill("#make-account input[name=name]", HOSTILE[0]).await;
    browser.fill("#make-account input[name=email]", "dns@agency.example").await;
    browser.fill("#make-account input[name=owner]", HOSTILE[1]).await;
    browser.click("#make-account button").await;
    assert!(browser.text("[role=status]").await.starts_with("Not done."));
    browser.assert_quiet().await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // And were the escaping ever lost, the policy that the page sends would still hold.
    browser.script("document.body.insertAdjacentHTML('beforeend', arguments[0])", &[HOSTILE[0].into()]).await;
    eventually("the browser refuses the handler", PATIENCE, || async {
        browser.complaints().await.iter().any(|complaint| complaint.contains("Content Security Policy"))
    })
    .await;
    browser.assert_quiet().await;
}

/// The page's address, from what the daemon says when it starts.
fn address_in(log: &str) -> String {
    let from = log.find("http://127.0.0.1").unwrap_or_else(|| panic!("no address:\n{log}"));
    let url = log[from..].split_whitespace().next().unwrap();
    let origin = url.trim_end_matches('/').trim_end_matches("/v2");
    format!("{origin}/")
}

/// A session of headless Chromium with a profile of its own; closed when it goes out of scope.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
    http: reqwest::Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens one; `None`, after saying why, where there is none on this machine.
    async fn open() -> Option<Self> {
        let (chromium, chromedriver) =
            match (program(&["chromium", "chromium-browser", "google-chrome"]), program(&["chromedriver"])) {
                (Some(chromium), Some(chromedriver)) => (chromium, chromedriver),
                (chromium, chromedriver) => {
                    let found = |it: Option<PathBuf>| it.map_or("not found", |_| "found");
                    let why = format!("chromium: {}, chromedriver: {}", found(chromium), found(chromedriver));
                    assert!(std::env::var_os("BURSAR_REQUIRE_BROWSER").is_none(), "a browser is required; {why}");
                    announce(&format!("SKIPPED: a test of the page in a browser; {why}"));
                    return None;
                }
            };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let profile = tempfile::tempdir().unwrap();
        let mut driver =
            Command::new(chromedriver).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let port = port_of(&mut driver);
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut browser = Self { driver, port, session: String::new(), http, _profile: profile };
        let flags = flags(browser._profile.path());
        let options = json!({"binary": chromium, "args": flags});
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let made = browser.send("", json!({"capabilities": {"alwaysMatch": wanted}})).await.unwrap();
        browser.session = format!("/{}", made["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// One command of the session: its value, or the error's name.
    async fn send(&self, command: &str, body: Value) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}/session{}{command}", self.port, self.session);
        let answer: Value = self.http.post(url).json(&body).send().await.unwrap().json().await.unwrap();
        match answer["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
            None => Ok(answer["value"].clone()),
        }
    }

    async fn go(&self, url: &str) {
        self.send("/url", json!({"url": url})).await.unwrap();
    }

    async fn script(&self, script: &str, arguments: &[Value]) -> Value {
        self.send("/execute/sync", json!({"script": script, "args": arguments})).await.unwrap()
    }

    async fn find(&self, selector: &str) -> String {
        let found = self.send("/element", json!({"using": "css selector", "value": selector})).await;
        let found = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// What a person reads in an element, on one line.
    async fn text(&self, selector: &str) -> String {
        let element = json!({ELEMENT: self.find(selector).await});
        let text = self.script("return arguments[0].innerText", &[element]).await;
        text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.send(&format!("/element/{element}/value"), json!({"text": text})).await.unwrap();
    }

    async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.send(&format!("/element/{element}/click"), json!({})).await.unwrap();
    }

    /// Whether a [`HOSTILE`] text was carried out.
    async fn is_pwned(&self) -> bool {
        self.script("return window.pwned === 1", &[]).await == json!(true)
    }

    /// Nothing hostile ran: no trace, and no dialogue is open.
    async fn assert_quiet(&self) {
        assert!(!self.is_pwned().await);
        let dialogue = self.send("/alert/accept", json!({})).await.unwrap_err();
        assert!(dialogue.starts_with("no such alert"), "{dialogue}");
    }

    /// What the browser wrote on its console since the last look, refusals of the page's
    /// policy among it.
    async fn complaints(&self) -> Vec<String> {
        let log = self.send("/se/log", json!({"type": "browser"})).await.unwrap();
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    /// Closes the browser through its driver, for the driver's end alone would leave it
    /// running.
    fn drop(&mut self) {
        let request =
            format!("DELETE /session{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", self.session);
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read(&mut [0; 64]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Chromium without a window, without talk to anybody, and with its own sandbox off: it may
/// run as root in a container, and sees nothing but what this test serves.
fn flags(profile: &std::path::Path) -> Vec<String> {
    let mut flags: Vec<String> = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1200,1600",
    ]
    .map(str::to_owned)
    .to_vec();
    flags.push(format!("--user-data-dir={}", profile.display()));
    flags
}

/// The port that the driver says it listens on.
fn port_of(driver: &mut Child) -> u16 {
    let begun = Instant::now();
    let mut said = String::new();
    for line in BufReader::new(driver.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
        said.push_str(&line);
        assert!(begun.elapsed() < PATIENCE, "{said}");
    }
    panic!("chromedriver ended: {said}");
}

/// The first of these programs that there is.
fn program(names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

/// Says it past the test harness, which keeps what a passing test prints to itself.
fn announce(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
