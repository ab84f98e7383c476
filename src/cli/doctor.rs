//! `bursar doctor`: is the API reached, whose token is it, what does the server offer.

use std::process::ExitCode;
use std::time::Duration;

use crate::doctor::{self, Asked, Health, Profile, SERVICES};

use super::api::{ApiArgs, Connection};
use super::error::{CliError, CliResult};
use super::table::table;
use super::ui::{Form, Ui};

/// How long a probe waits for a list.
const LONGEST_LAG: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also make two accounts of one name, which stay: only in a sandbox
    #[arg(long)]
    probe: bool,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let connection = args.api.connect().await?;
    let looked = look(&connection, args.probe).await;
    connection.close().await;
    let profile = looked?;
    ui.out(&match args.output {
        Form::Text => doctor::text(&profile) + "\n" + &services(),
        Form::Json => format!("{:#}\n", doctor::json(&profile)),
    });
    let bad = profile.checks().iter().any(|check| check.health == Health::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn look(connection: &Connection, probe: bool) -> Result<Profile, CliError> {
    let (reader, examiner) = (connection.reader(), connection.examiner());
    let mut profile = doctor::ask(Asked {
        api: connection.api.clone(),
        base_url: connection.base_url.clone(),
        overruled: connection.overruled.clone(),
        reader: reader.as_ref(),
        examiner: examiner.as_ref(),
    })
    .await;
    if probe && let Ok(greeting) = &profile.greeting {
        if greeting.world.is_none() {
            return Err(CliError::new(
                "--probe makes two accounts, and this server is no sandbox; nothing was written",
            )
            .hint("leave --probe out, or try it with --sandbox"));
        }
        if !profile.manages_accounts() {
            return Err(CliError::new(
                "--probe makes two accounts, and this server lets no program do so; nothing was written",
            )
            .hint("leave --probe out; `bursar plan` tells the steps that a person does"));
        }
        let name = format!("bursar doctor {}", fastrand::u32(..));
        let probed = doctor::probe(reader.as_ref(), connection.writer().as_ref(), &name, LONGEST_LAG).await;
        profile.probed = Some(probed);
        profile.quota = reader.line().quota();
        profile.requests = reader.line().requests_sent();
    }
    Ok(profile)
}

/// What is known of the services, whatever this server shows.
fn services() -> String {
    let rows: Vec<Vec<String>> = SERVICES
        .iter()
        .map(|service| {
            [service.name, service.reads, service.writes, service.last_seen_working].map(str::to_owned).to_vec()
        })
        .collect();
    table(&["SERVICE", "READS", "WRITES", "LAST SEEN WORKING"], &rows)
}
