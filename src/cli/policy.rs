//! The guard rails: options of plan, apply and run, and the operator's file of them. No
//! manifest can set one.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::domain::Money;
use crate::domain::text::inert;
use crate::plan::{Adopt, AllowedPlans, MaxRemovals, Policy, PolicyFile};

use super::error::CliError;

/// The largest policy file that is read, in bytes.
const CAP: u64 = 64 * 1024;
/// Links that are followed before a path counts as a circle.
const MOST_LINKS: usize = 40;

#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Guard rails")]
pub struct PolicyArgs {
    /// The operator's file of these rails, outside the manifests; an option or its variable goes before it
    #[arg(long, env = "BURSAR_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The most accounts to create in one run, or `none` [default: 50]
    #[arg(long, env = "BURSAR_MAX_CREATES", value_name = "N")]
    max_creates: Option<Limit<u32>>,
    /// The most subscriptions and larger plans to buy in one run, or `none` [default: 50; none with --sandbox]
    #[arg(long, env = "BURSAR_MAX_SUBSCRIPTIONS", value_name = "N")]
    max_subscriptions: Option<Limit<u32>>,
    /// The most that the price a month may rise in one run, or `none` [default: 1000.00; none with --sandbox]
    #[arg(long, env = "BURSAR_MAX_MONTHLY_INCREASE", value_name = "AMOUNT")]
    max_monthly_increase: Option<Limit<Money>>,
    /// The most members to remove in one run: a share of those in scope, a number, or both, `30%,20` [default: 30%]
    #[arg(long, env = "BURSAR_MAX_REMOVALS", value_name = "LIMIT")]
    max_removals: Option<MaxRemovals>,
    /// Let members who are not listed be removed from exclusive accounts
    #[arg(
        long,
        env = "BURSAR_ALLOW_REMOVALS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = switch
    )]
    allow_removals: Option<bool>,
    /// Let subscriptions be cancelled: the account's domains stop resolving at once
    #[arg(
        long,
        env = "BURSAR_ALLOW_UNSUBSCRIBE",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = switch
    )]
    allow_unsubscribe: Option<bool>,
    /// The plans that may be chosen, by identifier or family [default: every plan]
    #[arg(long, env = "BURSAR_ALLOWED_PLANS", value_name = "LIST", value_delimiter = ',', value_parser = plan_word)]
    allowed_plans: Option<Vec<String>>,
    /// When an account found by its name is taken over [default: matching]
    #[arg(long, env = "BURSAR_ADOPT", value_enum)]
    adopt: Option<Adopt>,
    /// Cut seats that nobody is wanted for
    #[arg(
        long,
        env = "BURSAR_TRIM_SEATS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = switch
    )]
    trim_seats: Option<bool>,
}

impl PolicyArgs {
    /// The policy: an option goes before its variable, that before the file, and that before
    /// what is usual. The sandbox's money is not real. `manifests` are where manifests are read
    /// from: whoever writes there writes no policy.
    ///
    /// # Errors
    /// The file cannot be read, does not hold, or lies among the manifests.
    pub fn policy(&self, sandbox: bool, manifests: &[PathBuf]) -> Result<Policy, CliError> {
        let Self {
            policy,
            max_creates,
            max_subscriptions,
            max_monthly_increase,
            max_removals,
            allow_removals,
            allow_unsubscribe,
            allowed_plans,
            adopt,
            trim_seats,
        } = self;
        let file = policy.as_ref().map(|path| read(path, manifests)).transpose()?.unwrap_or_default();
        let usual = match sandbox {
            true => Policy { max_subscriptions: None, max_monthly_increase: None, ..Policy::default() },
            false => Policy::default(),
        };
        let given = PolicyFile {
            max_creates: max_creates.map(|limit| limit.0),
            max_subscriptions: max_subscriptions.map(|limit| limit.0),
            max_monthly_increase: max_monthly_increase.map(|limit| limit.0),
            max_removals: *max_removals,
            allow_removals: *allow_removals,
            allow_unsubscribe: *allow_unsubscribe,
            allowed_plans: allowed_plans.clone().map(AllowedPlans::new),
            adopt: *adopt,
            trim_seats: *trim_seats,
        };
        Ok(given.over(file.over(usual)))
    }
}

/// Reads the operator's file.
fn read(path: &Path, manifests: &[PathBuf]) -> Result<PolicyFile, CliError> {
    let shown = inert(&path.display().to_string()).into_owned();
    let told = |message: &str| CliError::new(format!("the policy file {shown} {message}"));
    if lies_among(path, manifests) {
        return Err(told("lies among the manifests, so whoever writes a manifest could write the guard rails")
            .hint("keep it outside of the folder of manifests, where the operator alone writes"));
    }
    let file = std::fs::File::open(path).map_err(|error| told("cannot be read").because(&error))?;
    let mut bytes = Vec::new();
    file.take(CAP + 1).read_to_end(&mut bytes).map_err(|error| told("cannot be read").because(&error))?;
    if bytes.len() as u64 > CAP {
        return Err(told("has more than 64 KiB, and is no policy"));
    }
    let text = String::from_utf8(bytes).map_err(|_| told("is not UTF-8 text"))?;
    PolicyFile::read(&shown, &text).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(|finding| finding.render(false)).collect();
        told(&format!("does not hold, so nothing was done\n\n{}", findings.join("\n").trim_end()))
    })
}

/// Whether a path, or a link on its way, lies inside one of the folders of manifests.
fn lies_among(path: &Path, manifests: &[PathBuf]) -> bool {
    let folders: Vec<PathBuf> = manifests.iter().filter_map(|manifest| folder_of(manifest)).collect();
    let inside = |path: &Path| folders.iter().any(|folder| path != folder && path.starts_with(folder));
    let Ok(mut at) = std::path::absolute(path) else { return false };
    for _ in 0..MOST_LINKS {
        let steps = at.ancestors().filter_map(|step| Some((step.parent()?.canonicalize().ok()?, step.file_name()?)));
        if steps.map(|(parent, name)| parent.join(name)).any(|step| inside(&step)) {
            return true;
        }
        let Ok(target) = std::fs::read_link(&at) else { break };
        at = at.parent().unwrap_or(Path::new("/")).join(target);
    }
    path.canonicalize().is_ok_and(|real| inside(&real))
}

/// The folder whose files are manifests, or of which some are.
fn folder_of(manifest: &Path) -> Option<PathBuf> {
    if manifest == OsStr::new("-") {
        return None;
    }
    let real = manifest.canonicalize().ok()?;
    if real.is_dir() { Some(real) } else { real.parent().map(Path::to_owned) }
}

/// A number, or `none`.
#[derive(Debug, Clone, Copy)]
struct Limit<T>(Option<T>);

impl<T: std::str::FromStr> std::str::FromStr for Limit<T> {
    type Err = T::Err;

    fn from_str(raw: &str) -> Result<Self, T::Err> {
        if raw == "none" { Ok(Self(None)) } else { raw.parse().map(|value| Self(Some(value))) }
    }
}

/// A truth value, as variables have it; an empty one is false.
fn switch(raw: &str) -> Result<bool, String> {
    match raw.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "" | "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A word of the list of plans; an empty list is one empty word.
fn plan_word(raw: &str) -> Result<String, String> {
    let word = raw.trim();
    if word.is_empty() || AllowedPlans::is_word(word) {
        Ok(word.to_owned())
    } else {
        Err("expected identifiers or families of plans: a-z, 0-9, `-`, `_` and `.`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn given(words: &[&str], sandbox: bool) -> Result<Policy, String> {
        let command = PolicyArgs::augment_args(clap::Command::new("plan").no_binary_name(true));
        let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
        PolicyArgs::from_arg_matches(&matches).unwrap().policy(sandbox, &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn without_options_the_policy_is_the_usual_one_and_the_sandboxs_money_is_not_real() {
        let usual = Policy::default();
        assert_eq!(given(&[], false), Ok(usual.clone()));
        assert_eq!(given(&[], true), Ok(Policy { max_subscriptions: None, max_monthly_increase: None, ..usual }));
        assert_eq!(given(&["--max-subscriptions", "7"], true).unwrap().max_subscriptions, Some(7));
    }

    #[test]
    fn every_option_goes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        let text = "apiVersion: bursar.dev/v1\nkind: Policy\nspec:\n  maxCreates: 1\n  maxSubscriptions: 2\n  \
                    maxMonthlyIncrease: 3.00\n  maxRemovals: 4%\n  allowRemovals: true\n  allowUnsubscribe: true\n  \
                    allowedPlans: [solo]\n  adopt: by-name\n  trimSeats: true\n";
        std::fs::write(&file, text).unwrap();
        let path = file.display().to_string();
        let of_file = Policy {
            max_creates: Some(1),
            max_subscriptions: Some(2),
            max_monthly_increase: Some(Money::cents(300)),
            max_removals: MaxRemovals::of_percent(4),
            allow_removals: true,
            allow_unsubscribe: true,
            allowed_plans: AllowedPlans::new(["solo".to_owned()]),
            adopt: Adopt::ByName,
            trim_seats: true,
        };
        assert_eq!(given(&["--policy", &path], true), Ok(of_file), "in the sandbox, too");
        let options = [
            "--policy",
            &path,
            "--max-creates=50",
            "--max-subscriptions=50",
            "--max-monthly-increase=1000",
            "--max-removals=30%",
            "--allow-removals=false",
            "--allow-unsubscribe=no",
            "--allowed-plans=",
            "--adopt=matching",
            "--trim-seats=0",
        ];
        assert_eq!(given(&options, false), Ok(Policy::default()));
    }

    #[test]
    fn a_flag_alone_is_on_and_what_is_no_value_is_refused() {
        assert!(given(&["--allow-removals"], false).unwrap().allow_removals);
        for bad in [
            "--allow-removals=perhaps",
            "--max-removals=30%,20,5",
            "--max-subscriptions=-1",
            "--allowed-plans=teams,T!",
            "--policy=/nowhere/policy.yaml",
        ] {
            assert!(given(&[bad], false).is_err(), "{bad}");
        }
    }
}
