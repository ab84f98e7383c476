//! `bursar ack`: a person says who is in an account, where the service shows it to no program.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::domain::{Access, AccountId, ClientName, Email, MachineClock};
use crate::journal::people::Person;
use crate::journal::{FactKind, GONE, Rules, ScopeView};
use crate::manifest::{Membership, Wanted};
use crate::plan::Says;

use super::beside::{BesideArgs, ByArgs, Desk, not_taken};
use super::error::{CliError, CliResult};
use super::manifests::ManifestArgs;
use super::resolve::NEXT_PASS;
use super::ui::Ui;

/// Your word counts for 90 days, and only where members cannot be read. Without an EMAIL it
/// says that the account is as the manifests want it: everybody listed is a member, nobody is
/// who leaves.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The client, by the name in its manifest, or the account's id
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// The person who is a member now
    #[arg(value_name = "EMAIL")]
    person: Option<String>,
    /// With which access
    #[arg(long, value_enum, value_name = "ACCESS", requires = "person")]
    access: Option<AccessArg>,
    /// They are invited and have not accepted yet
    #[arg(long, requires = "person", conflicts_with_all = ["removed", "access"])]
    invited: bool,
    /// They are not a member any more
    #[arg(long, requires = "person", conflicts_with = "access")]
    removed: bool,
    /// Without an EMAIL: the manifests that tell who is wanted
    #[arg(long, value_name = "PATH", default_value = ".")]
    manifests: PathBuf,
    #[command(flatten)]
    by: ByArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AccessArg {
    /// Every right on the account
    Full,
    /// What each domain allows
    Limited,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let one = args.person.as_deref().map(Email::parse).transpose()?;
    let desk = args.beside.open().await?;
    let done = acknowledged(&args, one, &desk, ui).await;
    let told = desk.closing(done).await?;
    ui.out(&format!("{told}{NEXT_PASS}\n"));
    Ok(ExitCode::SUCCESS)
}

async fn acknowledged(args: &Args, one: Option<Email>, desk: &Desk, ui: Ui) -> Result<String, CliError> {
    let what = crate::domain::text::inert(&args.account);
    let bound = |view: &ScopeView| bound_in(view, &args.account).is_some();
    let known = desk.one(&what, bound)?.and_then(|view| Some((view, bound_in(view, &args.account)?)));
    let (view, (client, account)) = known.ok_or_else(|| {
        CliError::new(format!("no account of {what} is known"))
            .hint("`bursar apply` and `bursar run` find it as soon as the service lists it")
    })?;
    let account = match account.as_str().strip_prefix(GONE) {
        Some(id) => return Err(CliError::new(format!("account {id} of {client} is not listed any more"))),
        None => account,
    };
    let words = match one {
        Some(person) => vec![(Some(person), says(args))],
        None => all(&ManifestArgs::of(vec![args.manifests.clone()]).load(ui)?.0, &client)?,
    };
    let name = args.by.name();
    let person = Person::new(desk.journal.as_ref(), &name, &MachineClock, Rules::default());
    person.acknowledge(&view.card.id, &account, Some(&client), &words).await.map_err(|error| not_taken(&error))?;
    let mut told = format!("{client} (account {account}), for 90 days:\n");
    for (person, says) in &words {
        match person {
            Some(person) => told.push_str(&format!("  {person} is {says}\n")),
            None => told.push_str("  nobody else is a member\n"),
        }
    }
    Ok(told)
}

fn says(args: &Args) -> Says {
    match (args.removed, args.invited, args.access) {
        (true, ..) => Says::Absent,
        (false, true, _) => Says::Invited,
        (false, false, access) => Says::Member(access.map(|access| match access {
            AccessArg::Full => Access::Full,
            AccessArg::Limited => Access::Limited,
        })),
    }
}

/// What it takes for an account to be as the manifests want it.
fn all(wanted: &Wanted, name: &ClientName) -> Result<Vec<(Option<Email>, Says)>, CliError> {
    let client = wanted.clients.iter().find(|client| client.name == *name).ok_or_else(|| {
        CliError::new(format!("no manifest here says who is wanted in {name}"))
            .hint("name them with --manifests PATH, or the person: bursar ack ACCOUNT EMAIL")
    })?;
    let leaving: BTreeSet<&Email> = wanted.offboardings.iter().flat_map(|document| &document.people).collect();
    let coming = client.members.iter().filter(|member| !leaving.contains(&member.email));
    let mut words: Vec<_> =
        coming.map(|member| (Some(member.email.clone()), Says::Member(Some(member.access)))).collect();
    words.extend(leaving.iter().map(|person| (Some((*person).clone()), Says::Absent)));
    words.extend((client.membership == Membership::Exclusive).then_some((None, Says::Absent)));
    if words.is_empty() {
        return Err(CliError::new(format!("nobody is wanted in {name} but its owner, so there is nothing to say")));
    }
    Ok(words)
}

/// Whose account it is, by name or by id.
fn bound_in(view: &ScopeView, which: &str) -> Option<(ClientName, AccountId)> {
    let by_name = view.fact(FactKind::Binding, which);
    let fact = by_name.or_else(|| view.facts_of(FactKind::Binding).find(|fact| fact.value == which))?;
    Some((ClientName::parse(&fact.key).ok()?, AccountId::new(fact.value.as_str())))
}
