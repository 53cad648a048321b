//! What a file would do, without doing it: read and checked like a delivery, nothing is kept.
//!
//! Pseudonyms are computed under a key that is thrown away, so neither keys nor vault are needed.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use goyong_catalog::contract::{
    Compression, Contract, Drift, Format, FormatKind, ManifestRule, PeriodRule,
};
use goyong_catalog::manifest::{Manifest, Period};
use regex::Regex;
use serde::Serialize;

use crate::chunks::ReadLimits;
use crate::delivery::{Tally, judge_manifest, scale_of, stated_by_name, sum_text};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::expand::magic;
use crate::glob::matches_glob;
use crate::identity::PersonHasher;
use crate::landing::read_manifest_beside;
use crate::plan::Plan;
use crate::read::{DeliveredFile, FileReport, read_files};
use crate::rows::{ParsedRows, RowContext, period_days};
use crate::unique::{KEYS_IN_MEMORY, UniqueKeys, repeated_keys};

/// Bytes of a part while looking for a contract that fits.
const TRIAL_BYTES: usize = 64 << 10;

/// What a file would do.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// Name of the file.
    pub file: String,
    /// The contract.
    pub source: String,
    /// How the contract was found.
    pub matched_by: String,
    /// The period, when it has one.
    pub period: Option<String>,
    /// `accepted`, `accepted_with_quarantine` or `refused`.
    pub outcome: &'static str,
    /// The rule by which it would be refused.
    pub rule: Option<String>,
    /// Why it would be refused.
    pub reason: Option<String>,
    /// Rows in the file.
    pub rows_delivered: u64,
    /// Rows that pass.
    pub rows_accepted: u64,
    /// Rows that pass with a flag.
    pub rows_flagged: u64,
    /// Rows that break a rule.
    pub rows_quarantined: u64,
    /// For each column of the contract, where it stands in the file.
    pub columns: Vec<ColumnPlace>,
    /// Where the columns differ from the contract's.
    pub drift: Vec<Drift>,
    /// What a person should know.
    pub notices: Vec<String>,
    /// Every rule that rows break.
    pub rules: Vec<RuleCount>,
    /// Sums of the control columns.
    pub control: Vec<ControlLine>,
}

/// A column and its place in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnPlace {
    /// Name in the contract.
    pub column: String,
    /// Its type.
    pub column_type: String,
    /// Header, path or bytes; absent when the file lacks it.
    pub place: Option<String>,
}

/// How often a rule is broken in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The column, empty for the record as a whole.
    pub column: String,
    /// The rule.
    pub rule: String,
    /// `quarantined` or `flagged`.
    pub becomes: &'static str,
    /// Rows.
    pub rows: u64,
    /// Row number of the first.
    pub first_row: u64,
}

/// Sums of a control column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlLine {
    /// The column.
    pub column: String,
    /// Over accepted rows.
    pub accepted: String,
    /// Over quarantined rows that could be read.
    pub quarantined: String,
    /// What the manifest says.
    pub stated: Option<String>,
}

impl Examination {
    /// Whether the delivery would be refused.
    pub fn is_refused(&self) -> bool {
        self.outcome == "refused"
    }
}

/// Reads a file by the contract named, or by the one that fits, and says what would become of it.
///
/// `known_on` counts where no manifest says on which day the file became known. Refusals are in
/// the answer; errors are those of the machine, and a file no contract fits.
pub fn examine_file(
    contracts: &BTreeMap<String, Contract>,
    path: &Path,
    source: Option<&str>,
    known_on: NaiveDate,
    limits: ReadLimits,
) -> Result<Examination, IntakeError> {
    let (manifest, damaged) = match read_manifest_beside(path)? {
        Ok(manifest) => (manifest, None),
        Err(refusal) => (None, Some(refusal)),
    };
    let (contract, matched_by) =
        find_contract(contracts, path, manifest.as_ref(), source, known_on, limits)?;
    let file_name = name_of(path);
    let children = contracts
        .values()
        .filter(|child| child.child_of.as_deref() == Some(&contract.source));
    let plan = Plan::new(contract)?
        .with_children(children)
        .for_file(&file_name);
    let mut early = damaged.or_else(|| {
        let judged = match &manifest {
            Some(manifest) => judge_manifest(contract, manifest, &file_name),
            None if contract.manifest == ManifestRule::Required => Err(Refusal::new(
                RefusalRule::Manifest,
                format!(
                    "the manifest {file_name}.manifest.json is missing: ask the provider for it"
                ),
            )),
            None => Ok(()),
        };
        judged.err()
    });
    let period = match period_of(contract, manifest.as_ref(), &file_name) {
        Ok(period) => period,
        Err(refusal) => {
            early.get_or_insert(refusal);
            None
        }
    };
    let mut reading = Reading::new(&plan, path, manifest.as_ref(), period.as_ref(), known_on);
    let mut report = reading.run(limits)?;
    let mut notices = std::mem::take(&mut report.notices);
    let judged = match report.refusal.take() {
        Some(refusal) => Err(refusal),
        None => reading
            .tally
            .judge(&plan, manifest.as_ref(), &report.sha256, &mut notices),
    };
    let refusal = early.or(judged.err());
    let tally = &reading.tally;
    let outcome = match (&refusal, tally.quarantined) {
        (Some(_), _) => "refused",
        (None, 0) => "accepted",
        (None, _) => "accepted_with_quarantine",
    };
    Ok(Examination {
        file: file_name,
        source: contract.source.clone(),
        matched_by,
        period: period.map(|period| period.to_string()),
        outcome,
        rule: refusal.as_ref().map(|refusal| refusal.rule.to_string()),
        reason: refusal.map(|refusal| refusal.message),
        rows_delivered: tally.delivered,
        rows_accepted: tally.accepted,
        rows_flagged: tally.flagged,
        rows_quarantined: tally.quarantined,
        columns: places(&plan, &report),
        control: control_lines(&plan, tally, manifest.as_ref()),
        rules: reading.rules(),
        drift: report.columns.drift,
        notices,
    })
}

/// One examination on its way.
struct Reading<'a> {
    plan: &'a Plan,
    path: &'a Path,
    context: RowContext,
    tally: Tally,
    /// Count and first row by column, rule and whether it is only a flag.
    broken: BTreeMap<(String, String, bool), (u64, u64)>,
}

impl<'a> Reading<'a> {
    fn new(
        plan: &'a Plan,
        path: &'a Path,
        manifest: Option<&Manifest>,
        period: Option<&Period>,
        known_on: NaiveDate,
    ) -> Self {
        let known_on = manifest
            .and_then(|manifest| manifest.known_on)
            .unwrap_or(known_on);
        Self {
            plan,
            path,
            context: RowContext {
                hasher: Some(PersonHasher::to_throw_away()),
                forgotten: None,
                known_on: crate::value::days_of(known_on),
                period: period.map(period_days),
            },
            tally: Tally::new(plan),
            broken: BTreeMap::new(),
        }
    }

    fn run(&mut self, limits: ReadLimits) -> Result<FileReport, IntakeError> {
        let mut unique = UniqueKeys::new(self.plan, &std::env::temp_dir(), KEYS_IN_MEMORY);
        loop {
            self.tally = Tally::new(self.plan);
            self.broken.clear();
            let (plan, path) = (self.plan, self.path);
            let context = self.context.clone();
            let report = read_files(plan, alone(path), &context, limits, &mut |mut rows| {
                let before = self.tally.records;
                if let Some(unique) = &mut unique {
                    unique.check(plan, None, &mut rows, before)?;
                }
                self.tally.add(&rows);
                self.count(&rows, before);
                Ok(())
            })?;
            match repeated_keys(plan, unique.take(), &report, &mut self.tally)? {
                Some(known) => unique = Some(UniqueKeys::with_known(known)),
                None => return Ok(report),
            }
        }
    }

    fn count(&mut self, rows: &ParsedRows, before: u64) {
        let mut add = |column: &str, rule: &str, is_flag: bool, record: u32| {
            let row = before + u64::from(record) + 1;
            let key = (column.to_owned(), rule.to_owned(), is_flag);
            let (count, first) = self.broken.entry(key).or_insert((0, row));
            *count += 1;
            *first = row.min(*first);
        };
        for row in &rows.quarantined {
            add(&row.column, row.rule, false, row.record);
        }
        for (row, flags) in &rows.flags {
            for flag in flags.split(',') {
                let (column, rule) = flag.split_once(':').unwrap_or(("", flag));
                add(column, rule, true, rows.records[*row as usize]);
            }
        }
    }

    fn rules(&self) -> Vec<RuleCount> {
        let mut rules: Vec<RuleCount> = self
            .broken
            .iter()
            .map(|((column, rule, is_flag), (rows, first_row))| RuleCount {
                column: column.clone(),
                rule: rule.clone(),
                becomes: if *is_flag { "flagged" } else { "quarantined" },
                rows: *rows,
                first_row: *first_row,
            })
            .collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.rows));
        rules
    }
}

/// A delivery of one file that is neither archived nor known.
fn alone(path: &Path) -> Vec<DeliveredFile> {
    vec![DeliveredFile {
        path: path.to_owned(),
        archive: None,
        earlier: None,
    }]
}

fn places(plan: &Plan, report: &FileReport) -> Vec<ColumnPlace> {
    let headers = &report.columns.headers;
    plan.contract
        .columns
        .iter()
        .map(|column| {
            let renamed = report.columns.drift.iter().find_map(|one| {
                (one.column.as_deref() == Some(&column.name))
                    .then_some(one.header.as_ref())
                    .flatten()
                    .filter(|header| headers.contains(header))
            });
            let place = match (&plan.contract.format.kind, column.at) {
                (FormatKind::Fixed(_), Some((start, length))) => {
                    Some(format!("bytes {start}–{}", start + length))
                }
                (_, Some((position, _))) => Some(format!("field {}", position + 1)),
                _ if plan.contract.unpivot.as_ref().is_some_and(|unpivot| {
                    unpivot.value == column.name || unpivot.names.contains(&column.name)
                }) =>
                {
                    Some("wide headers".to_owned())
                }
                _ if column.from.iter().any(|from| from.starts_with('$')) => {
                    column.from.first().cloned()
                }
                _ => column
                    .from
                    .iter()
                    .find(|from| headers.contains(from))
                    .or(renamed)
                    .cloned(),
            };
            ColumnPlace {
                column: column.name.clone(),
                column_type: column.column_type.to_string(),
                place,
            }
        })
        .collect()
}

fn control_lines(plan: &Plan, tally: &Tally, manifest: Option<&Manifest>) -> Vec<ControlLine> {
    tally
        .control
        .iter()
        .zip(&plan.control)
        .map(|(sum, index)| {
            let column = &plan.columns[*index];
            let scale = scale_of(column.kind);
            ControlLine {
                column: column.name.clone(),
                accepted: sum_text(sum.accepted, scale),
                quarantined: sum_text(sum.quarantined, scale),
                stated: manifest.and_then(|manifest| manifest.control.get(&column.name).cloned()),
            }
        })
        .collect()
}

/// The period by manifest or name; the name counts too where the manifest is missing.
fn period_of(
    contract: &Contract,
    manifest: Option<&Manifest>,
    file_name: &str,
) -> Result<Option<Period>, Refusal> {
    let text = match &contract.period {
        PeriodRule::None => return Ok(None),
        PeriodRule::Manifest => match manifest {
            Some(manifest) => manifest.period.clone(),
            None => stated_by_name(&contract.source, file_name).map(|(period, _)| period),
        },
        PeriodRule::Filename { pattern } => Regex::new(pattern).ok().and_then(|expression| {
            let captures = expression.captures(file_name)?;
            Some(captures.get(1)?.as_str().to_owned())
        }),
    };
    let Some(text) = text else {
        return Err(Refusal::new(
            RefusalRule::Manifest,
            "neither manifest nor file name says which period it is",
        ));
    };
    Period::parse(&text)
        .map(Some)
        .map_err(|error| Refusal::new(RefusalRule::Manifest, error.to_string()))
}

/// The contract by name, manifest, file name or, last, by which one can read the file.
fn find_contract<'c>(
    contracts: &'c BTreeMap<String, Contract>,
    path: &Path,
    manifest: Option<&Manifest>,
    source: Option<&str>,
    known_on: NaiveDate,
    limits: ReadLimits,
) -> Result<(&'c Contract, String), IntakeError> {
    let named = source
        .map(|source| (source, "the command line"))
        .or(manifest.map(|manifest| (manifest.source.as_str(), "the manifest")));
    if let Some((source, matched_by)) = named {
        return match contracts.get(source) {
            Some(contract) => Ok((contract, matched_by.to_owned())),
            None => {
                let names = contracts.keys().map(String::as_str);
                let hint = match goyong_types::nearest_name(source, names) {
                    Some(nearest) => format!("; did you mean `{nearest}`?"),
                    None => "; `goyong contract ls` lists them".to_owned(),
                };
                Err(IntakeError::Name {
                    message: format!("no contract `{source}`{hint}"),
                })
            }
        };
    }
    let file_name = name_of(path);
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .map(|name| format!("{}/{file_name}", name.to_string_lossy()));
    let by_name = contracts.values().find(|contract| {
        contract.files.iter().any(|glob| {
            matches_glob(glob, &file_name)
                || folder
                    .as_deref()
                    .is_some_and(|path| matches_glob(glob, path))
        })
    });
    if let Some(contract) = by_name {
        return Ok((contract, "the file's name".to_owned()));
    }
    let mut best: Option<(usize, &Contract)> = None;
    for contract in contracts.values() {
        let columns = contract.columns.len();
        if best.is_none_or(|(most, _)| columns > most)
            && can_read(contract, path, known_on, limits)?
        {
            best = Some((columns, contract));
        }
    }
    match best {
        Some((_, contract)) => Ok((contract, "its columns".to_owned())),
        None => Err(IntakeError::Name {
            message: format!(
                "no contract fits {}: name one with --source, or draft one with `goyong contract infer`",
                path.display()
            ),
        }),
    }
}

/// Whether the columns are found and most rows at the start of the file pass.
fn can_read(
    contract: &Contract,
    path: &Path,
    known_on: NaiveDate,
    limits: ReadLimits,
) -> Result<bool, IntakeError> {
    if !may_be(&contract.format, path)? {
        return Ok(false);
    }
    let plan = Plan::new(contract)?.for_file(&name_of(path));
    let context = RowContext {
        hasher: Some(PersonHasher::to_throw_away()),
        forgotten: None,
        known_on: crate::value::days_of(known_on),
        period: None,
    };
    let limits = ReadLimits {
        threads: 1,
        part_bytes: TRIAL_BYTES,
        ..limits
    };
    let (mut accepted, mut delivered) = (0, 0);
    let report = read_files(&plan, alone(path), &context, limits, &mut |rows| {
        accepted += rows.batch.num_rows() as u64;
        delivered += rows.delivered;
        // The start of the file is enough; the error ends the reading.
        Err(IntakeError::Stream {
            source: std::io::Error::other("the start of the file was read"),
        })
    });
    let is_readable = match report {
        Ok(report) => report.refusal.is_none(),
        Err(_) => delivered > 0,
    };
    Ok(is_readable && delivered > 0 && accepted * 2 > delivered)
}

/// Whether the file begins like one of that kind.
fn may_be(format: &Format, path: &Path) -> Result<bool, IntakeError> {
    use std::io::Read;
    let mut head = Vec::new();
    std::fs::File::open(path)
        .map_err(|error| IntakeError::file("open", path, error))?
        .take(64)
        .read_to_end(&mut head)
        .map_err(|error| IntakeError::file("read", path, error))?;
    if magic::compression_of(format, &head) != Compression::None {
        return Ok(true);
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    Ok(match &format.kind {
        FormatKind::Parquet => head.starts_with(b"PAR1"),
        FormatKind::Xlsx(_) => head.starts_with(b"PK\x03\x04"),
        FormatKind::Xml(_) => first == Some(&b'<'),
        FormatKind::Json(_) => matches!(first, Some(b'{' | b'[')),
        FormatKind::Csv(_) | FormatKind::Fixed(_) => {
            !head.starts_with(b"PAR1")
                && !head.starts_with(b"PK\x03\x04")
                && !matches!(first, Some(b'<' | b'{'))
        }
    })
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
