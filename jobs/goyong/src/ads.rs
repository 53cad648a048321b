//! `goyong ads`: the suspected advertisements.

use anyhow::Result;
use clap::Subcommand;
use goyong_nightly::ADVERTISEMENT_HEADER;

use crate::arguments::{CommonArguments, OutputArguments};
use crate::commands::open;
use crate::output;

#[derive(Debug, Subcommand)]
pub enum AdsCommand {
    /// Print the suspected advertisements in the eight columns of the ministry's form
    Export {
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub async fn run(common: &CommonArguments, command: &AdsCommand) -> Result<u8> {
    let AdsCommand::Export { output } = command;
    let rows = open(common).await?.suspected_advertisements().await?;
    let mut out = output::stdout();
    output::write_rows(&ADVERTISEMENT_HEADER, &rows, output.format, &mut out)?;
    Ok(0)
}
