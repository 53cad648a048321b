//! `goyong vault` and `goyong audit`: what touches identities, each audited.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chrono::{FixedOffset, NaiveDate, Utc};
use clap::{Args, Subcommand};
use goyong_nightly::{
    Access, FORGET_HEADER, ForgetOptions, ForgetSubject, NewKeys, RotateOptions, read_private_file,
};
use goyong_types::PersonKey;

use crate::arguments::{CommonArguments, OutputArguments};
use crate::commands::open;
use crate::progress::Console;
use crate::{CHECK_FAILED, output};

#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Replace keys: every pseudonym and every sealed entry follows
    Rotate(RotateArguments),
    /// Erase persons, and keep out their rows when they are delivered again
    Forget(ForgetArguments),
    /// Show who stands behind a person key or a case; the access is in the audit chain first
    LookUp(LookUpArguments),
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Find removed, changed or reordered entries of the audit chain and of the events of cases
    Verify,
    /// Print the access log: account, time, origin, pseudonym of the person, action, purpose
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Only entries of this day and later, in UTC
    #[arg(long)]
    from: Option<NaiveDate>,
    /// Only this account
    #[arg(long)]
    account: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

const AUDIT_HEADER: [&str; 10] = [
    "number", "at", "account", "origin", "person", "action", "purpose", "case", "note", "before",
];

/// Who asks, why and for which case; all of it stands in the audit chain.
#[derive(Debug, Args)]
pub struct AccessArguments {
    /// Who asks
    #[arg(long)]
    pub account: String,
    /// Why, without any personal value
    #[arg(long)]
    pub purpose: String,
    /// For which case
    #[arg(long)]
    pub case: String,
}

impl AccessArguments {
    fn access(&self) -> Result<Access> {
        Ok(Access::new(&self.account, &self.purpose, &self.case)?)
    }
}

#[derive(Debug, Args)]
pub struct RotateArguments {
    /// A new pepper, and with it a new vault key: every pseudonym changes
    #[arg(long, conflicts_with = "resume")]
    pub pepper: bool,
    /// A new vault key: every entry of the vault is sealed anew
    #[arg(long, conflicts_with = "resume")]
    pub vault_key: bool,
    /// Encrypt originals to this recipient (age1…) from now on
    #[arg(long, value_name = "AGE1", conflicts_with = "resume")]
    pub archive_recipient: Option<String>,
    /// Make a new pair for the archive
    #[arg(long, conflicts_with_all = ["resume", "archive_recipient"])]
    pub new_archive_recipient: bool,
    /// Go on with the unfinished rotation
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub access: AccessArguments,
}

#[derive(Debug, Args)]
pub struct ForgetArguments {
    /// A file of resident numbers, one a line, that nobody else may read; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub numbers: Option<PathBuf>,
    /// A person key, as tables show it
    #[arg(long, allow_hyphen_values = true)]
    pub key: Vec<i64>,
    /// Apply the list again: after an interruption, or after a backup was restored
    #[arg(long)]
    pub replay: bool,
    /// A vault folder whose list counts too: the vault as it was before a restore
    #[arg(long, value_name = "FOLDER", requires = "replay")]
    pub list: Option<PathBuf>,
    /// Print the requests so far and when their last copies are gone
    #[arg(long, conflicts_with_all = ["numbers", "key", "replay"])]
    pub status: bool,
    /// Who asks
    #[arg(long, required_unless_present = "status")]
    pub account: Option<String>,
    /// Why, without any personal value
    #[arg(long, required_unless_present = "status")]
    pub purpose: Option<String>,
    /// For which case
    #[arg(long, required_unless_present = "status")]
    pub case: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct LookUpArguments {
    /// The person key, as tables show it [default: whom the case is about]
    #[arg(long, allow_hyphen_values = true, conflicts_with = "evidence")]
    pub key: Option<i64>,
    /// Of a case about several people, the one this row of its evidence is about
    #[arg(long)]
    pub evidence: Option<i64>,
    #[command(flatten)]
    pub access: AccessArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

pub async fn run(common: &CommonArguments, command: &VaultCommand) -> Result<u8> {
    match command {
        VaultCommand::Rotate(arguments) => rotate(common, arguments).await,
        VaultCommand::Forget(arguments) => forget(common, arguments).await,
        VaultCommand::LookUp(arguments) => look_up(common, arguments).await,
    }
}

pub async fn run_audit(common: &CommonArguments, command: &AuditCommand) -> Result<u8> {
    let project = open(common).await?;
    if let AuditCommand::Export(arguments) = command {
        let rows: Vec<Vec<String>> = project
            .export_audit()?
            .into_iter()
            .filter(|entry| {
                let is_late = arguments.from.is_none_or(|from| {
                    entry
                        .at
                        .get(..10)
                        .is_some_and(|day| day >= from.to_string().as_str())
                });
                let is_theirs = arguments
                    .account
                    .as_ref()
                    .is_none_or(|account| *account == entry.account);
                is_late && is_theirs
            })
            .map(|entry| {
                vec![
                    entry.number.to_string(),
                    entry.at,
                    entry.account,
                    entry.origin.unwrap_or_default(),
                    entry.person.unwrap_or_default(),
                    entry.action,
                    entry.purpose,
                    entry.case,
                    entry.note,
                    entry.before,
                ]
            })
            .collect();
        let mut out = output::stdout();
        output::write_rows(&AUDIT_HEADER, &rows, arguments.output.format, &mut out)?;
        return Ok(0);
    }
    let report = project.verify_audit().await?;
    let mut out = output::stdout();
    for problem in &report.problems {
        writeln!(out, "{problem}")?;
    }
    writeln!(
        out,
        "{} entries checked, {} problems",
        report.entries,
        report.problems.len()
    )?;
    Ok(if report.problems.is_empty() {
        0
    } else {
        CHECK_FAILED
    })
}

async fn rotate(common: &CommonArguments, arguments: &RotateArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let project = open(common).await?;
    let recipient = match (
        &arguments.archive_recipient,
        arguments.new_archive_recipient,
    ) {
        (Some(recipient), _) => Some(Some(recipient.clone())),
        (None, true) => Some(None),
        (None, false) => None,
    };
    let options = RotateOptions {
        new: NewKeys {
            pepper: arguments.pepper,
            vault: arguments.vault_key,
            recipient,
        },
        resume: arguments.resume,
    };
    let access = arguments.access.access()?;
    project
        .rotate_keys(&options, &access, &|event| console.show(&event))
        .await?;
    console.finish();
    console.say(&format!(
        "keys rotated; those of before lie in {}: needed only for older backups, move them off this machine or destroy them",
        project.configuration().keys.join("previous").display()
    ));
    if options.new.recipient.is_some() {
        console.say(
            "originals of before stay encrypted to the recipient of before until they are removed",
        );
    }
    Ok(0)
}

async fn forget(common: &CommonArguments, arguments: &ForgetArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let project = open(common).await?;
    let mut out = output::stdout();
    if arguments.status {
        output::write_rows(
            &FORGET_HEADER,
            &project.forget_status()?,
            arguments.output.format,
            &mut out,
        )?;
        return Ok(0);
    }
    let mut subjects: Vec<ForgetSubject> = arguments
        .key
        .iter()
        .map(|key| ForgetSubject::Key(PersonKey(*key)))
        .collect();
    if let Some(file) = &arguments.numbers {
        subjects.extend(read_numbers(file)?);
    }
    if subjects.is_empty() != arguments.replay {
        bail!("name persons with --numbers FILE or --key, or apply the list again with --replay");
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let access = Access::new(
        &text(&arguments.account),
        &text(&arguments.purpose),
        &text(&arguments.case),
    )?;
    let options = ForgetOptions {
        subjects,
        list: arguments.list.clone(),
    };
    let summary = project
        .forget_persons(&options, &access, today(), &|event| console.show(&event))
        .await?;
    console.finish();
    writeln!(
        out,
        "{} persons new on the list, {} erased, {} rows removed",
        summary.new_on_list, summary.erased, summary.rows_removed
    )?;
    writeln!(
        out,
        "older versions are gone from {}, encrypted originals from {}, when `goyong releases expire` runs every day",
        summary.history_gone_on, summary.archive_gone_on
    )?;
    if summary.landing_files > 0 {
        writeln!(
            out,
            "{} files wait in the landing folder and were not looked into: they may hold the persons' rows in the clear",
            summary.landing_files
        )?;
    }
    Ok(0)
}

/// Resident numbers of a private file; the error names the line and never its content.
fn read_numbers(file: &std::path::Path) -> Result<Vec<ForgetSubject>> {
    let text = if file.as_os_str() == "-" {
        if std::io::stdin().is_terminal() {
            bail!("standard input is a terminal, which shows what is typed: hand over a file");
        }
        let mut text = zeroize::Zeroizing::new(String::new());
        std::io::stdin()
            .read_to_string(&mut text)
            .context("read resident numbers from standard input")?;
        text
    } else {
        read_private_file(file)?
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            ForgetSubject::parse_number(line)
                .with_context(|| format!("{} line {}", file.display(), index + 1))
        })
        .collect()
}

async fn look_up(common: &CommonArguments, arguments: &LookUpArguments) -> Result<u8> {
    let project = open(common).await?;
    let access = arguments.access.access()?;
    let person = match arguments.key {
        Some(key) => PersonKey(key),
        None => {
            let case = &arguments.access.case;
            let case_no = case.parse().with_context(|| {
                format!("`{case}` is no number of a case; name the person with --key")
            })?;
            project.person_of_case(case_no, arguments.evidence).await?
        }
    };
    let found = project.look_up_person(person, &access).await?;
    let Some(person) = found else {
        bail!("the vault knows nobody by this person key");
    };
    let text = |value: &str| value.to_owned();
    let mut rows = vec![vec![text("resident_number"), text(&person.resident_number)]];
    rows.extend(
        person
            .names
            .iter()
            .map(|name| vec![text("name"), text(name)]),
    );
    rows.extend(
        person
            .contacts
            .iter()
            .map(|contact| vec![text("contact"), text(contact)]),
    );
    output::write_rows(
        &["kind", "value"],
        &rows,
        arguments.output.format,
        &mut output::stdout(),
    )?;
    Ok(0)
}

/// The day in Seoul.
pub fn today() -> NaiveDate {
    let seoul = FixedOffset::east_opt(9 * 3600);
    let now = Utc::now();
    seoul.map_or(now.date_naive(), |seoul| {
        now.with_timezone(&seoul).date_naive()
    })
}
