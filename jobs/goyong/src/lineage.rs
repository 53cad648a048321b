//! `goyong lineage`: where a column comes from and where it goes.

use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;
use goyong_nightly::{DECLASSIFIED_HEADER, LINEAGE_HEADER, LineageView};

use crate::arguments::{CommonArguments, OutputArguments};
use crate::commands::open;
use crate::output;

#[derive(Debug, Args)]
pub struct LineageArguments {
    /// A column as table.column or schema.table.column, or a table for all its columns
    pub name: Option<String>,
    /// Only where it comes from
    #[arg(long, conflicts_with = "downstream")]
    pub upstream: bool,
    /// Only where it goes
    #[arg(long)]
    pub downstream: bool,
    /// List the columns made less sensitive than their sources, with the reasons
    #[arg(long, conflicts_with_all = ["name", "openlineage"])]
    pub declassified: bool,
    /// Print OpenLineage events, one per line, of every model and report query
    #[arg(long, conflicts_with_all = ["name", "upstream", "downstream"])]
    pub openlineage: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

pub async fn run(common: &CommonArguments, arguments: &LineageArguments) -> Result<u8> {
    let project = open(common).await?;
    let mut out = output::stdout();
    if arguments.openlineage {
        for event in project.open_lineage().await? {
            writeln!(out, "{event}")?;
        }
        return Ok(0);
    }
    let (header, rows): (&[&str], _) = if arguments.declassified {
        (&DECLASSIFIED_HEADER, project.declassified().await?)
    } else {
        let Some(name) = &arguments.name else {
            bail!("name a column or a table, such as `goyong lineage claim.benefit_daily_won`");
        };
        let view = match (arguments.upstream, arguments.downstream) {
            (true, _) => LineageView::Upstream,
            (_, true) => LineageView::Downstream,
            (false, false) => LineageView::Both,
        };
        (&LINEAGE_HEADER, project.lineage(name, view).await?)
    };
    output::write_rows(header, &rows, arguments.output.format, &mut out)?;
    Ok(0)
}
