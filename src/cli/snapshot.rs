//! `bursar snapshot`: the live world as a file, for plans without a token.

use std::process::ExitCode;

use jiff::Timestamp;

use crate::controller::observe_all;
use crate::snapshot::{LARGEST, Recorded};

use super::api::ApiArgs;
use super::error::CliResult;
use super::plan::Mask;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write emails as j***@acme.example with a short hash, or `no`: as they are
    #[arg(
        long,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "yes",
        default_missing_value = "yes"
    )]
    mask_emails: Mask,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let connection = args.api.connect().await?;
    let api = connection.api.clone();
    let seen = observe_all(connection.reader().as_ref()).await;
    connection.close().await;
    let (live, now) = (seen?, Timestamp::now());
    let recorded = match args.mask_emails {
        Mask::Yes => Recorded::masked(now, api, &live),
        Mask::No => Recorded::clear(now, api, live),
    };
    let text = recorded.to_json();
    ui.out(&text);
    let accounts = match recorded.live.accounts.len() {
        1 => "1 account".to_owned(),
        n => format!("{n} accounts"),
    };
    ui.say(&format!("{accounts} written. Plan against it, without a token: bursar plan --against FILE"));
    if recorded.alike() > 0 {
        ui.warn(&format!(
            "Warning: {} bear the mask of another one, and a plan may take one for the other; --mask-emails=no keeps \
             them apart",
            match recorded.alike() {
                1 => "1 address".to_owned(),
                n => format!("{n} addresses"),
            }
        ));
    }
    if text.len() > LARGEST {
        ui.warn("This is more than 12 MiB, the most that `plan --against` reads.");
    }
    Ok(ExitCode::SUCCESS)
}
