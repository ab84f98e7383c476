//! A fleet: one source, one API, one token. Flags say one, a file of the operator's lists
//! several, each with the same options under the same names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as _, FromArgMatches as _};
use serde::Deserialize;
use serde_json::Value;

use crate::controller::Mode;
use crate::plan::Policy;
use crate::provider::USUAL_RESERVE;
use crate::source::git;

use super::api::ApiArgs;
use super::error::CliError;
use super::git::GitArgs;
use super::keeping::RuleArgs;
use super::manifests::ManifestArgs;
use super::policy::PolicyArgs;

/// The largest list of fleets that is read, in bytes.
const CONFIG_CAP: u64 = 1 << 20;

#[derive(Debug, Clone, clap::Args)]
pub struct FleetArgs {
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub git: GitArgs,
    /// Set differences right, or only report them
    #[arg(long, value_enum, default_value = "apply")]
    pub mode: Mode,
    /// Between complete looks at the API: `5m`, `90s`
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = super::duration)]
    pub interval: Duration,
    /// Between readings of the folder that no file event asked for
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = super::duration)]
    pub poll: Duration,
    /// Accounts at once
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallelism: u16,
    /// Hold what costs money or grants access for so long after it is first planned
    #[arg(long, env = "BURSAR_HOLD", value_name = "DURATION", value_parser = super::duration)]
    pub hold: Option<Duration>,
    /// The part of the quota of requests that is kept for people and for finishing what was begun, in percent
    #[arg(
        long,
        env = "BURSAR_QUOTA_RESERVE",
        value_name = "PERCENT",
        default_value_t = USUAL_RESERVE,
        value_parser = clap::value_parser!(u8).range(0..=90)
    )]
    pub quota_reserve: u8,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// A fleet and what it is called in logs and leases.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Unique in the file.
    pub name: String,
    /// Its options.
    pub args: FleetArgs,
    /// Its rails.
    pub policy: Policy,
    /// The branch that it follows, where its manifests are in no folder.
    pub branch: Option<git::Options>,
}

impl Fleet {
    /// Checks what no single option can, and reads the rails. What does not hold is put to the
    /// faults: standard input, an interval that is too short, a repository that is refused, a policy
    /// that does not hold.
    pub fn new(name: String, args: FleetArgs, faults: &mut Vec<CliError>) -> Self {
        let FleetArgs { manifests, git, interval, poll, api, policy, .. } = &args;
        if manifests.paths.iter().any(|path| path.as_os_str() == "-") {
            faults.push(CliError::new("standard input cannot be watched").hint("give `bursar run` a folder"));
        }
        if *interval < Duration::from_secs(1) || *poll < Duration::from_millis(100) {
            faults.push(CliError::new("--interval is at least 1s, --poll at least 100ms"));
        }
        let branch = git.options().map_err(|error| faults.push(error)).ok().flatten();
        let rails = policy.policy(api.is_sandbox(), &written_by_others(manifests, branch.as_ref()));
        let policy = rails.map_err(|error| faults.push(error)).unwrap_or_default();
        Self { name, policy, branch, args }
    }

    /// The files and folders that it reads; none where it follows a branch.
    pub fn paths(&self) -> &[PathBuf] {
        if self.branch.is_some() { &[] } else { &self.args.manifests.paths }
    }
}

/// What the operator may not be alone in writing: the manifests, as far as they are on this
/// machine.
fn written_by_others(manifests: &ManifestArgs, branch: Option<&git::Options>) -> Vec<PathBuf> {
    match branch.map(|branch| branch.address.kind()) {
        None => manifests.paths.clone(),
        Some(git::Kind::Local(repository)) => vec![repository.clone()],
        Some(git::Kind::Http { .. } | git::Kind::Ssh) => Vec::new(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    fleets: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(flatten)]
    options: BTreeMap<String, Value>,
}

/// Reads the fleets of a file.
///
/// ```yaml
/// fleets:
///   - name: north
///     paths: [clients/north]
///     apiUrl: https://api.dnsimple.com/v2
///     tokenFile: /run/secrets/north
///     maxCreates: 20
/// ```
///
/// Each key is a long option of `bursar run` in camel case.
///
/// # Errors
/// All faults of the file at once: it cannot be read, a name twice, an option that is not
/// one, a value that does not hold, or no token of its own.
pub fn read(file: &Path) -> Result<Vec<Fleet>, CliError> {
    let told = |message: String| CliError::new(format!("{}: {message}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| told("cannot be read".into()).because(&error))?.len();
    if size > CONFIG_CAP {
        return Err(told(format!("has {size} bytes, and a list of fleets at most {CONFIG_CAP}")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| told("cannot be read".into()).because(&error))?;
    let config: Config = serde_yaml::from_str(&text).map_err(|error| {
        told(format!("is not a list of fleets: {}", crate::domain::text::inert(&error.to_string())))
    })?;
    let mut fleets: Vec<Fleet> = Vec::new();
    let mut faults = Vec::new();
    let several = config.fleets.len() > 1;
    for listed in config.fleets {
        let name = crate::domain::text::inert(&listed.name).into_owned();
        let twice = fleets.iter().any(|fleet| fleet.name == listed.name);
        if twice || listed.name.trim().is_empty() {
            faults.push(format!("a fleet's name is given once, and `{name}` is empty or there already"));
            continue;
        }
        let own_token = ["tokenFile", "sandbox"].iter().any(|key| listed.options.contains_key(*key));
        if several && !own_token {
            faults.push(format!("{name}: each of several fleets names its own tokenFile"));
            continue;
        }
        match parse(&listed) {
            Ok(args) => {
                let mut own = Vec::new();
                fleets.push(Fleet::new(listed.name, args, &mut own));
                let told = |fault: CliError| fault.to_string().trim_start_matches("Error: ").to_owned();
                faults.extend(own.into_iter().map(|fault| format!("{name}: {}", told(fault))));
            }
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    if fleets.is_empty() && faults.is_empty() {
        faults.push("lists no fleet".to_owned());
    }
    if faults.is_empty() { Ok(fleets) } else { Err(told(faults.join("\n  "))) }
}

/// A fleet's options, read by the very parser of the command line.
fn parse(listed: &Listed) -> Result<FleetArgs, String> {
    let Listed { name: _, paths, options } = listed;
    let mut words = vec!["fleet".to_owned()];
    let known = FleetArgs::augment_args(clap::Command::new("fleet"));
    for (key, value) in options {
        words.extend(option(&known, key, value)?);
    }
    words.push("--".to_owned());
    words.extend(paths.iter().cloned());
    let command = FleetArgs::augment_args(clap::Command::new("fleet").no_binary_name(false));
    let matches = command.try_get_matches_from(words).map_err(|error| in_short(&error.to_string()))?;
    FleetArgs::from_arg_matches(&matches).map_err(|error| in_short(&error.to_string()))
}

fn option(known: &clap::Command, key: &str, value: &Value) -> Result<Vec<String>, String> {
    let long: String = key
        .chars()
        .flat_map(|c| if c.is_ascii_uppercase() { vec!['-', c.to_ascii_lowercase()] } else { vec![c] })
        .collect();
    let one = |value: &Value| match value {
        Value::String(text) => Ok(format!("--{long}={text}")),
        Value::Number(number) => Ok(format!("--{long}={number}")),
        _ => Err(format!("{key}: expected a text, a number, true, or a list of texts")),
    };
    match value {
        Value::Bool(true) => Ok(vec![format!("--{long}")]),
        // Where it takes a value, it goes before the variable and the policy's file.
        Value::Bool(false) => {
            let mut options = known.get_arguments().filter(|option| option.get_action().takes_values());
            let says = options.any(|option| option.get_long() == Some(long.as_str()));
            Ok(if says { vec![format!("--{long}=false")] } else { Vec::new() })
        }
        Value::Array(all) => all.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// What is wrong, and what was perhaps meant, without the usage of the command line.
fn in_short(error: &str) -> String {
    let mut lines = error.lines().map(str::trim);
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ");
    let tip = lines.find_map(|line| line.strip_prefix("tip: "));
    let whole = tip.map_or_else(|| first.to_owned(), |tip| format!("{first}; {tip}"));
    crate::domain::text::inert(&whole).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Fleet>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleets.yaml");
        std::fs::write(&file, text).unwrap();
        read(&file).map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
    }

    #[test]
    fn each_key_is_an_option_of_the_command_line() {
        let fleets = read_text(
            "fleets:\n  - name: north\n    paths: [a, b]\n    apiUrl: https://api.example/v2\n    provider: dnsimple\n    \
             tokenFile: t\n    interval: 90s\n    allowRemovals: true\n    trimSeats: false\n    maxCreates: 7\n  - name: south\n    \
             sandbox: s.db\n    mode: report\n",
        )
        .unwrap();
        assert_eq!(fleets.iter().map(|fleet| fleet.name.as_str()).collect::<Vec<_>>(), ["north", "south"]);
        let north = &fleets[0].args;
        assert_eq!(north.manifests.paths, [Path::new("a"), Path::new("b")]);
        assert_eq!(north.interval, Duration::from_secs(90));
        let policy = &fleets[0].policy;
        assert_eq!((policy.allow_removals, policy.trim_seats, policy.max_creates), (true, false, Some(7)));
        assert_eq!(fleets[1].args.mode, Mode::Report);
    }

    #[test]
    fn a_fleet_names_its_rails_itself_or_a_file_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let rails = folder.path().join("rails.yaml");
        let text =
            "apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreates: 3, allowRemovals: true, trimSeats: true }\n";
        std::fs::write(&rails, text).unwrap();
        let of = |more: &str| {
            let rails = rails.display();
            read_text(&format!("fleets:\n  - {{ name: north, paths: [a], tokenFile: t, policy: \"{rails}\"{more} }}\n"))
        };
        let policy = of("").unwrap().remove(0).policy;
        assert_eq!((policy.max_creates, policy.allow_removals, policy.trim_seats), (Some(3), true, true));
        let more = ", maxCreates: none, allowRemovals: false, maxRemovals: \"20%,3\", allowedPlans: [teams, solo]";
        let policy = of(more).unwrap().remove(0).policy;
        assert_eq!((policy.max_creates, policy.allow_removals, policy.trim_seats), (None, false, true));
        assert_eq!(policy.max_removals.to_string(), "20%,3");
        assert_eq!(policy.allowed_plans.words(), ["solo", "teams"]);
        std::fs::write(&rails, "apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreate: 3 }\n").unwrap();
        assert!(of("").unwrap_err().contains("did you mean `maxCreates`?"));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let told = read_text(
            "fleets:\n  - { name: a, tokenFile: t, alowRemovals: true }\n  - { name: a, tokenFile: t }\n  - { name: a, \
             tokenFile: t }\n  - { name: b }\n  - { name: c, tokenFile: t, interval: soon }\n",
        )
        .unwrap_err();
        insta::assert_snapshot!(told, @"
        Error: FILE: a: unexpected argument '--alow-removals' found; a similar argument exists: '--allow-removals'
          a fleet's name is given once, and `a` is empty or there already
          b: each of several fleets names its own tokenFile
          c: invalid value 'soon' for '--interval <DURATION>': expected a duration like 90s, 10m or 1h
        ");
        let told = read_text("fleets:\n  - { name: a, tokenFile: t, provider: dnsimpel }\n").unwrap_err();
        assert!(told.contains("invalid value 'dnsimpel' for '--provider <PROVIDER>'"), "{told}");
        assert!(read_text("fleets: []\n").unwrap_err().contains("lists no fleet"));
        assert!(read_text("fleet: []\n").unwrap_err().contains("is not a list of fleets"));
    }
}
