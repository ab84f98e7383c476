//! A runner of workflows, as far as the recipes use one: checkouts of a bare repository,
//! commands in bash, environments, outputs between steps and artifacts between jobs. What it
//! does not know, it refuses, so that a recipe cannot pass by not being run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Done, World, bursar};
use crate::support_postgres::Cluster;

/// Stands in for `gh api`: the comments of one pull request, with GitHub's own limit.
const GH: &str = r#"#!/bin/bash
set -eu
state="$GH_STATE"
printf '%s\n' "$*" >> "$state/calls"
[ "$1" = api ] && [ -n "$GH_TOKEN" ] || { echo "gh: not expected: $*" >&2; exit 4; }
shift
method=GET path= filter= body=
while [ $# -gt 0 ]; do
    case "$1" in
        --paginate|--silent) ;;
        --method) method="$2"; shift ;;
        --jq) filter="$2"; shift ;;
        -F) body="${2#body=@}"; shift ;;
        *) path="$1" ;;
    esac
    shift
done
if [ -n "$body" ] && [ "$(wc -m < "$body")" -gt 65536 ]; then
    echo 'gh: Validation Failed (HTTP 422): body is too long (maximum is 65536 characters)' >&2
    exit 1
fi
case "$method $path" in
    "GET repos/agency/clients/issues/7/comments")
        [ "$filter" = '.[] | select(.user.login == "github-actions[bot]" and (.body | startswith("<!-- bursar plan -->"))) | .id' ]
        for comment in "$state"/comments/*; do
            [ -e "$comment/body" ] || continue
            if [ "$(cat "$comment/login")" = 'github-actions[bot]' ] && [ "$(head -c 20 "$comment/body")" = '<!-- bursar plan -->' ]; then
                basename "$comment"
            fi
        done ;;
    "POST repos/agency/clients/issues/7/comments")
        id="$(( $(ls "$state/comments" | wc -l) + 1 ))"
        mkdir "$state/comments/$id"
        printf 'github-actions[bot]' > "$state/comments/$id/login"
        cp "$body" "$state/comments/$id/body" ;;
    "PATCH repos/agency/clients/issues/comments/"*)
        [ "$(cat "$state/comments/${path##*/}/login")" = 'github-actions[bot]' ]
        cp "$body" "$state/comments/${path##*/}/body" ;;
    *) echo "gh: Not Found (HTTP 404): $method $path" >&2; exit 1 ;;
esac
"#;

/// Stands in for the download of the binary.
const CURL: &str = r#"#!/bin/bash
set -eu
[ "$1 $2 $3" = "-fsSL --proto =https" ] && [ "$4" = "https://releases.example/bursar" ] && [ "$5" = -o ]
cp "$BURSAR_BINARY" "$6"
"#;

/// A repository on a forge, with its runners.
pub struct Forge {
    folder: tempfile::TempDir,
    api_url: String,
    token: String,
    sha256: String,
    /// The journal of whoever may apply: in PostgreSQL, or where there is none, in a file.
    pub journal: String,
}

/// One run of a workflow's job.
pub struct Run {
    pub passed: bool,
    /// What the steps printed, each under its name.
    pub log: String,
    /// What the job hands on.
    pub outputs: BTreeMap<String, String>,
    /// What its steps wrote to the job's summary.
    pub summary: String,
}

impl Run {
    #[track_caller]
    pub fn expect(self, passed: bool) -> Self {
        assert_eq!(self.passed, passed, "{}", self.log);
        self
    }
}

impl Forge {
    /// An empty repository beside a world.
    pub async fn new(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["bin", "gh/comments", "artifacts", "home"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for (name, text) in [("gh", GH), ("curl", CURL)] {
            executable(&at("bin").join(name), text);
        }
        let sum = Command::new("sha256sum").arg(env!("CARGO_BIN_EXE_bursar")).output().unwrap();
        let sha256 = String::from_utf8(sum.stdout).unwrap().split(' ').next().unwrap().to_owned();
        let journal = match Cluster::shared() {
            Some(cluster) => cluster.url(&cluster.database().await),
            None => at("shared-journal.db").display().to_string(),
        };
        let (api_url, token) = (world.sandbox.api_url(), world.sandbox.token().to_owned());
        let forge = Self { api_url, token, folder, sha256, journal };
        forge.git(forge.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
        forge.git(&forge.origin(), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        forge.git(forge.path(), &["clone", "--quiet", "origin.git", "clone"]);
        forge.git(&forge.clone_folder(), &["checkout", "--quiet", "-b", "main"]);
        forge
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn origin(&self) -> PathBuf {
        self.path().join("origin.git")
    }

    /// A person's own clone.
    pub fn clone_folder(&self) -> PathBuf {
        self.path().join("clone")
    }

    /// Runs `git` as a person would.
    #[track_caller]
    pub fn git(&self, folder: &Path, args: &[&str]) -> String {
        let output = self.command("git", folder).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").unwrap());
        command.current_dir(folder).env_clear().env("PATH", path).env("HOME", self.path().join("home"));
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@agency.example");
        }
        command
    }

    /// Writes a file in the person's clone.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.clone_folder().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Names the journal beside the manifests, as the recipes say.
    pub fn init(&self) {
        std::fs::create_dir_all(self.clone_folder().join("clients")).unwrap();
        let mut init = bursar(&["init", "clients", "--journal", &self.journal]);
        Done::from(init.current_dir(self.clone_folder()).output().unwrap()).expect(0);
    }

    /// Commits everything on a branch that begins at main, and pushes it; the commit.
    pub fn push(&self, branch: &str, message: &str) -> String {
        let clone = self.clone_folder();
        self.git(&clone, &["add", "--all"]);
        self.git(&clone, &["commit", "--quiet", "-m", message]);
        self.git(&clone, &["push", "--quiet", "--force", "origin", &format!("HEAD:refs/heads/{branch}")]);
        self.git(&clone, &["rev-parse", "HEAD"])
    }

    /// Merges what the clone has, fast-forward; the commit.
    pub fn merge(&self) -> String {
        let clone = self.clone_folder();
        self.git(&clone, &["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
        self.git(&clone, &["rev-parse", "HEAD"])
    }

    /// What the event of a pull request brings, from a branch of the repository itself.
    pub fn event<'a>(base: &'a str, head: &'a str) -> [(&'a str, &'a str); 5] {
        [
            ("github.event.pull_request.base.sha", base),
            ("github.event.pull_request.head.sha", head),
            ("github.event.pull_request.head.repo.full_name", "agency/clients"),
            ("github.event.pull_request.number", "7"),
            ("github.repository", "agency/clients"),
        ]
    }

    /// The file at a commit of the remote; `None` where it is not there.
    pub fn show(&self, what: &str) -> Option<String> {
        let output = self.command("git", &self.origin()).args(["show", what]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// The bodies of the comments, in their order.
    pub fn comments(&self) -> Vec<String> {
        let folder = self.path().join("gh/comments");
        let mut ids: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        ids.sort();
        ids.iter().map(|comment| std::fs::read_to_string(comment.join("body")).unwrap()).collect()
    }

    /// Somebody comments.
    pub fn comment(&self, login: &str, body: &str) {
        let folder = self.path().join("gh/comments");
        let id = std::fs::read_dir(&folder).unwrap().count() + 1;
        let comment = folder.join(id.to_string());
        std::fs::create_dir(&comment).unwrap();
        std::fs::write(comment.join("login"), login).unwrap();
        std::fs::write(comment.join("body"), body).unwrap();
    }

    /// Runs one job of a recipe at a commit. `more` is what the event brings, by its expression.
    pub fn run(&self, recipe: &str, job: &str, sha: &str, more: &[(&str, &str)]) -> Run {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/github").join(recipe);
        self.run_text(&std::fs::read_to_string(file).unwrap(), job, sha, more)
    }

    /// Runs one job of a workflow. It has the environment's secrets only where it names it.
    pub fn run_text(&self, workflow: &str, job: &str, sha: &str, more: &[(&str, &str)]) -> Run {
        let workflow: Value = plain(workflow);
        let job = &workflow["jobs"][job];
        assert!(job.is_object(), "no such job");
        let workspace = tempfile::tempdir_in(self.path()).unwrap();
        for name in ["work", "temp"] {
            std::fs::create_dir(workspace.path().join(name)).unwrap();
        }
        let mut context: BTreeMap<String, String> = [
            ("github.token", "the-runners-own"),
            ("vars.BURSAR_URL", "https://releases.example/bursar"),
            ("vars.BURSAR_SHA256", &self.sha256),
            ("vars.BURSAR_API_URL", &self.api_url),
        ]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        if let Some(environment) = job["environment"].as_str() {
            assert!(["bursar-plan", "bursar-apply"].contains(&environment), "{environment}");
            context.insert("secrets.BURSAR_TOKEN".into(), self.token.clone());
            context.insert("secrets.BURSAR_JOURNAL".into(), self.journal.clone());
        }
        if job["if"].as_str().is_some_and(|condition| !holds(condition, &context, true)) {
            return Run { passed: true, log: "not run".into(), outputs: BTreeMap::new(), summary: String::new() };
        }
        let mut runner = Runner { forge: self, folder: workspace.path(), sha, context, path: Vec::new() };
        let mut run = Run { passed: true, log: String::new(), outputs: BTreeMap::new(), summary: String::new() };
        for step in job["steps"].as_array().unwrap() {
            let condition = step["if"].as_str();
            let goes = match condition {
                None => run.passed,
                Some(condition) => holds(condition, &runner.context, run.passed),
            };
            if goes {
                let env = [&workflow["env"], &job["env"], &step["env"]];
                let (passed, said) = runner.step(step, &env);
                run.log += &format!("--- {}\n{said}", step["name"].as_str().unwrap());
                run.passed &= passed;
            }
        }
        run.summary = std::fs::read_to_string(workspace.path().join("temp/summary")).unwrap_or_default();
        for (name, value) in job["outputs"].as_object().into_iter().flatten() {
            run.outputs.insert(name.clone(), filled(value.as_str().unwrap(), &runner.context));
        }
        run
    }
}

pub fn executable(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// YAML as plain data.
pub fn plain(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

struct Runner<'a> {
    forge: &'a Forge,
    folder: &'a Path,
    sha: &'a str,
    context: BTreeMap<String, String>,
    /// What steps put before the search path.
    path: Vec<String>,
}

impl Runner<'_> {
    fn step(&mut self, step: &Value, envs: &[&Value]) -> (bool, String) {
        let with = |name: &str| step["with"][name].as_str().map(|value| filled(value, &self.context));
        match step["uses"].as_str() {
            Some("actions/checkout@v4") => {
                let deep = step["with"]["fetch-depth"].as_u64() == Some(0);
                let sha = with("ref").unwrap_or_else(|| self.sha.to_owned());
                (true, self.check_out(&with("path").unwrap_or_default(), &sha, deep))
            }
            Some("actions/upload-artifact@v4") => {
                let from = self.folder.join("work").join(with("path").unwrap());
                std::fs::copy(&from, self.forge.path().join("artifacts").join(with("path").unwrap())).unwrap();
                (true, String::new())
            }
            Some("actions/download-artifact@v4") => {
                for artifact in std::fs::read_dir(self.forge.path().join("artifacts")).unwrap() {
                    let artifact = artifact.unwrap();
                    std::fs::copy(artifact.path(), self.folder.join("work").join(artifact.file_name())).unwrap();
                }
                (true, String::new())
            }
            Some(other) => panic!("an action that nobody stands in for: {other}"),
            None => self.commands(step, envs),
        }
    }

    /// As the action does it: a repository of its own, all branches only where the whole
    /// history is asked for.
    fn check_out(&self, path: &str, sha: &str, deep: bool) -> String {
        let folder = self.folder.join("work").join(path);
        std::fs::create_dir_all(&folder).unwrap();
        let git = |args: &[&str]| self.forge.git(&folder, args);
        git(&["init", "--quiet"]);
        git(&["remote", "add", "origin", &format!("file://{}", self.forge.origin().display())]);
        if deep {
            git(&["fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
        }
        let depth: &[&str] = if deep { &[] } else { &["--depth=1"] };
        git(&[&["fetch", "--quiet"], depth, &["origin", sha]].concat());
        git(&["checkout", "--quiet", "--detach", sha]);
        String::new()
    }

    fn commands(&mut self, step: &Value, envs: &[&Value]) -> (bool, String) {
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "an expression in a script is an injection: {script}");
        let folder = self.folder.join("work").join(step["working-directory"].as_str().unwrap_or_default());
        let temp = self.folder.join("temp");
        let mut command = self.forge.command("bash", &folder);
        command.args(["-e", "-c", script]);
        let path: Vec<String> = self.path.iter().rev().cloned().collect();
        let usual = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap();
        let path = [&path[..], &[usual.to_str().unwrap().to_owned()]].concat().join(":");
        command.env("PATH", path).env("CI", "true").env("GITHUB_ACTIONS", "true");
        command.env("RUNNER_TEMP", &temp).env("GITHUB_REPOSITORY", "agency/clients");
        command.env("GH_STATE", self.forge.path().join("gh")).env("BURSAR_BINARY", env!("CARGO_BIN_EXE_bursar"));
        for (name, file) in [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary"), ("GITHUB_PATH", "path")] {
            let file = temp.join(file);
            std::fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
            command.env(name, file);
        }
        for (name, value) in envs.iter().filter_map(|env| env.as_object()).flatten() {
            command.env(name, filled(value.as_str().unwrap(), &self.context));
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        let added = std::fs::read_to_string(temp.join("path")).unwrap();
        self.path = added.lines().map(str::to_owned).collect();
        let outputs = std::fs::read_to_string(temp.join("output")).unwrap();
        std::fs::write(temp.join("output"), "").unwrap();
        if let Some(id) = step["id"].as_str() {
            for (name, value) in outputs_of(&outputs) {
                self.context.insert(format!("steps.{id}.outputs.{name}"), value);
            }
        }
        (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }
}

/// `name=value`, or `name<<DELIMITER`, lines, `DELIMITER`, as GitHub reads them.
pub fn outputs_of(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (plain, long) = (line.find('='), line.find("<<"));
        if let Some(at) = long.filter(|long| plain.is_none_or(|plain| *long < plain)) {
            let (name, delimiter) = (&line[..at], &line[at + 2..]);
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            outputs.insert(name.to_owned(), value.join("\n"));
        } else {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("GitHub refuses the line {line:?}"));
            outputs.insert(name.to_owned(), value.to_owned());
        }
    }
    outputs
}

/// The text with each `${{ name }}` filled in; a name that is not there is empty, as it is there.
fn filled(text: &str, context: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) = after.split_once("}}").unwrap();
        out += before;
        out += &value(expression.trim(), context);
        rest = after;
    }
    out + rest
}

/// A condition of comparisons joined by `&&`.
fn holds(condition: &str, context: &BTreeMap<String, String>, passed: bool) -> bool {
    let inner = condition.trim().trim_start_matches("${{").trim_end_matches("}}").trim();
    let cancelled = inner.contains("!cancelled()");
    let all = inner.split("&&").map(str::trim).filter(|term| *term != "!cancelled()").all(|term| {
        let (left, equal, right) = match (term.split_once("=="), term.split_once("!=")) {
            (Some((left, right)), _) => (left, true, right),
            (None, Some((left, right))) => (left, false, right),
            _ => panic!("a condition that nobody reads: {term}"),
        };
        (value(left.trim(), context) == value(right.trim(), context)) == equal
    });
    all && (passed || cancelled)
}

fn value(expression: &str, context: &BTreeMap<String, String>) -> String {
    match expression.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) => text.to_owned(),
        None => {
            assert!(expression.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)), "{expression}");
            context.get(expression).cloned().unwrap_or_default()
        }
    }
}
