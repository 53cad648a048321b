//! `goyong contract`: the contracts there are, what a file would do, a draft for a new source.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use goyong_nightly::contracts::{self, Examination};

use crate::arguments::{CommonArguments, Language, OutputArguments, OutputFormat};
use crate::commands::worker_threads;
use crate::{CHECK_FAILED, output};

#[derive(Debug, Subcommand)]
pub enum ContractCommand {
    /// Draft a contract from a file: encoding, format, types, what is missing; as YAML
    Infer {
        /// The file, compressed or not
        file: PathBuf,
    },
    /// Explain what a file would do without loading it; exit code 1 if it would be refused
    Check(CheckArguments),
    /// One line per contract
    Ls {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Print a contract
    Show {
        /// The source
        source: String,
    },
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The file; a manifest beside it counts
    file: PathBuf,
    /// The contract, when manifest, name and columns do not tell
    #[arg(long)]
    source: Option<String>,
    /// The day the file became known, where no manifest says so [default: today]
    #[arg(long)]
    known_on: Option<NaiveDate>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Runs the command and returns the exit code.
pub fn run(common: &CommonArguments, command: &ContractCommand) -> Result<u8> {
    let mut out = output::stdout();
    match command {
        ContractCommand::Infer { file } => {
            write!(out, "{}", contracts::draft_contract(&common.dir, file)?)?;
            Ok(0)
        }
        ContractCommand::Check(arguments) => check(common, arguments, &mut out),
        ContractCommand::Ls { output } => {
            let language = match common.lang {
                Language::Ko => "ko",
                Language::En => "en",
            };
            output::write_rows(
                &contracts::CONTRACT_HEADER,
                &contracts::list_contracts(&common.dir, language)?,
                output.format,
                &mut out,
            )?;
            Ok(0)
        }
        ContractCommand::Show { source } => {
            write!(out, "{}", contracts::contract_text(&common.dir, source)?)?;
            Ok(0)
        }
    }
}

fn check(common: &CommonArguments, arguments: &CheckArguments, out: &mut impl Write) -> Result<u8> {
    let known_on = arguments
        .known_on
        .unwrap_or_else(|| chrono::Local::now().date_naive());
    let examination = contracts::check_file(
        &common.dir,
        &arguments.file,
        arguments.source.as_deref(),
        known_on,
        worker_threads(common),
    )?;
    match arguments.output.format {
        OutputFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&examination)?)?,
        OutputFormat::Ndjson => writeln!(out, "{}", serde_json::to_string(&examination)?)?,
        OutputFormat::Csv => output::write_rows(
            &["section", "item", "value", "rows", "first_row"],
            &lines(&examination),
            OutputFormat::Csv,
            out,
        )?,
        OutputFormat::Table => write_tables(&examination, out)?,
    }
    Ok(if examination.is_refused() {
        CHECK_FAILED
    } else {
        0
    })
}

/// Everything as one list of lines.
fn lines(examination: &Examination) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let mut add = |section: &str, item: &str, value: &str, rows: String, first_row: String| {
        lines.push(vec![
            section.to_owned(),
            item.to_owned(),
            value.to_owned(),
            rows,
            first_row,
        ]);
    };
    let empty = String::new;
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    for (item, value) in [
        ("source", examination.source.clone()),
        ("matched_by", examination.matched_by.clone()),
        ("period", or_empty(&examination.period)),
        ("outcome", examination.outcome.to_owned()),
        ("rule", or_empty(&examination.rule)),
        ("reason", or_empty(&examination.reason)),
    ] {
        add("delivery", item, &value, empty(), empty());
    }
    for (item, rows) in [
        ("delivered", examination.rows_delivered),
        ("accepted", examination.rows_accepted),
        ("flagged", examination.rows_flagged),
        ("quarantined", examination.rows_quarantined),
    ] {
        add("rows", item, "", rows.to_string(), empty());
    }
    for column in &examination.columns {
        let place = or_empty(&column.place);
        add("column", &column.column, &place, empty(), empty());
    }
    for drift in &examination.drift {
        let header = drift.header.clone().unwrap_or_default();
        add("drift", drift.kind.as_str(), &header, empty(), empty());
    }
    for rule in &examination.rules {
        add(
            rule.becomes,
            &rule.column,
            &rule.rule,
            rule.rows.to_string(),
            rule.first_row.to_string(),
        );
    }
    for control in &examination.control {
        for (item, sum) in [
            ("accepted", Some(&control.accepted)),
            ("quarantined", Some(&control.quarantined)),
            ("stated", control.stated.as_ref()),
        ] {
            if let Some(sum) = sum {
                let item = format!("{} {item}", control.column);
                add("control", &item, sum, empty(), empty());
            }
        }
    }
    for notice in &examination.notices {
        add("notice", "", notice, empty(), empty());
    }
    lines
}

/// A table for each subject, for people.
fn write_tables(examination: &Examination, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{}: contract `{}`, by {}{}",
        examination.file,
        examination.source,
        examination.matched_by,
        match &examination.period {
            Some(period) => format!(", period {period}"),
            None => String::new(),
        }
    )?;
    let columns: Vec<Vec<String>> = examination
        .columns
        .iter()
        .map(|column| {
            vec![
                column.column.clone(),
                column.column_type.clone(),
                column.place.clone().unwrap_or_else(|| "–".to_owned()),
            ]
        })
        .collect();
    output::write_rows(
        &["column", "type", "in the file"],
        &columns,
        OutputFormat::Table,
        out,
    )?;
    if !examination.drift.is_empty() {
        let rows: Vec<Vec<String>> = examination
            .drift
            .iter()
            .map(|one| {
                vec![
                    one.kind.as_str().to_owned(),
                    one.column.clone().unwrap_or_default(),
                    one.header.clone().unwrap_or_default(),
                ]
            })
            .collect();
        output::write_rows(
            &["drift", "column", "header"],
            &rows,
            OutputFormat::Table,
            out,
        )?;
    }
    if !examination.rules.is_empty() {
        let rows: Vec<Vec<String>> = examination
            .rules
            .iter()
            .map(|rule| {
                vec![
                    rule.column.clone(),
                    rule.rule.clone(),
                    rule.becomes.to_owned(),
                    rule.rows.to_string(),
                    rule.first_row.to_string(),
                ]
            })
            .collect();
        output::write_rows(
            &["column", "rule", "becomes", "rows", "first row"],
            &rows,
            OutputFormat::Table,
            out,
        )?;
    }
    if !examination.control.is_empty() {
        let rows: Vec<Vec<String>> = examination
            .control
            .iter()
            .map(|control| {
                vec![
                    control.column.clone(),
                    control.accepted.clone(),
                    control.quarantined.clone(),
                    control.stated.clone().unwrap_or_else(|| "–".to_owned()),
                ]
            })
            .collect();
        output::write_rows(
            &["sum of", "accepted", "quarantined", "by the manifest"],
            &rows,
            OutputFormat::Table,
            out,
        )?;
    }
    for notice in &examination.notices {
        writeln!(out, "note: {notice}")?;
    }
    writeln!(
        out,
        "{} rows: {} accepted ({} with a flag), {} quarantined",
        examination.rows_delivered,
        examination.rows_accepted,
        examination.rows_flagged,
        examination.rows_quarantined
    )?;
    match (&examination.rule, &examination.reason) {
        (Some(rule), Some(reason)) => writeln!(out, "would be refused, {rule}: {reason}")?,
        _ => writeln!(out, "would be {}", examination.outcome)?,
    }
    Ok(())
}
