//! Checks over whole batches of typed rows: code lists, rules between columns, the period.
//!
//! A condition is evaluated column by column over the batch, never row by row through its tree.

mod codes;
mod condition;

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use goyong_catalog::contract::{BrokenRow, Contract};

use self::codes::CodeCheck;
use self::condition::Condition;
use crate::error::IntakeError;
use crate::plan::Plan;
use crate::rows::{ParsedRows, RowContext};
use crate::shown::MASKED;

/// The contract's checks, bound to the columns of the value schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowChecks {
    codes: Vec<CodeCheck>,
    rules: Vec<RuleCheck>,
    period: Option<PeriodColumn>,
}

#[derive(Clone, Debug)]
struct RuleCheck {
    name: &'static str,
    condition: Condition,
    /// Columns the condition names, as indexes into the value schema.
    columns: Vec<usize>,
    on_fail: BrokenRow,
}

#[derive(Clone, Debug)]
struct PeriodColumn {
    column: usize,
    on_fail: BrokenRow,
}

/// A row of a batch that leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenAt {
    pub row: u32,
    /// The column, or the columns with commas.
    pub column: String,
    pub rule: &'static str,
    pub raw_value: Option<String>,
}

/// Rows that break a check, in row order.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub broken: Vec<BrokenAt>,
    pub flags: Vec<(u32, &'static str)>,
    /// Rows whose day is outside the period, broken or flagged.
    pub outside_period: u64,
}

impl RowChecks {
    pub fn new(contract: &Contract, names: &[String]) -> Result<Self, IntakeError> {
        let position = |name: &str| {
            names
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| IntakeError::Contract {
                    source_name: contract.source.clone(),
                    message: format!("no column `{name}` is stored, so no check can name it"),
                })
        };
        let mut checks = Self::default();
        for column in &contract.columns {
            if let Some(list) = &column.code_list {
                checks
                    .codes
                    .push(CodeCheck::new(contract, &column.name, list, &position)?);
            }
        }
        for rule in &contract.rules {
            checks.rules.push(RuleCheck {
                name: interned(&rule.name),
                condition: Condition::bind(&rule.check, &position)?,
                columns: rule
                    .check
                    .columns()
                    .into_iter()
                    .map(&position)
                    .collect::<Result<_, _>>()?,
                on_fail: rule.on_fail,
            });
        }
        if let Some(check) = &contract.period_check {
            checks.period = Some(PeriodColumn {
                column: position(&check.column)?,
                on_fail: check.on_fail,
            });
        }
        Ok(checks)
    }

    pub fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.rules.is_empty() && self.period.is_none()
    }

    /// Runs every check; a row is broken by the first it fails.
    pub fn run(&self, plan: &Plan, batch: &RecordBatch, context: &RowContext) -> Findings {
        let mut found = Collector {
            plan,
            batch,
            is_broken: Vec::new(),
            findings: Findings::default(),
        };
        for check in &self.codes {
            for (row, rule) in check.run(batch, context) {
                // A contract may have several lists, so a flag names its column.
                let name = match check.on_fail() {
                    BrokenRow::Flag => check.flag(rule),
                    BrokenRow::Quarantine => rule.as_str(),
                };
                found.add(row, name, &[check.column()], check.on_fail());
            }
        }
        for rule in &self.rules {
            for row in rule.condition.false_rows(batch) {
                found.add(row, rule.name, &rule.columns, rule.on_fail);
            }
        }
        if let (Some(check), Some((first, last))) = (&self.period, context.period) {
            let days = batch.column(check.column).as_primitive::<Date32Type>();
            for (row, day) in days.values().iter().enumerate() {
                if (*day < first || *day > last) && days.is_valid(row) {
                    found.findings.outside_period += 1;
                    found.add(row as u32, "wrong_period", &[check.column], check.on_fail);
                }
            }
        }
        let mut findings = found.findings;
        findings.broken.sort_by_key(|broken| broken.row);
        // Stable: flags of one row stay in the order of the checks.
        findings.flags.sort_by_key(|(row, _)| *row);
        findings
    }
}

struct Collector<'a> {
    plan: &'a Plan,
    batch: &'a RecordBatch,
    /// Rows broken already; allocated at the first.
    is_broken: Vec<bool>,
    findings: Findings,
}

impl Collector<'_> {
    fn add(&mut self, row: u32, rule: &'static str, columns: &[usize], on_fail: BrokenRow) {
        if on_fail == BrokenRow::Flag {
            self.findings.flags.push((row, rule));
            return;
        }
        if self.is_broken.is_empty() {
            self.is_broken.resize(self.batch.num_rows(), false);
        }
        if std::mem::replace(&mut self.is_broken[row as usize], true) {
            return;
        }
        let (column, raw_value) = shown_row(self.plan, self.batch, row as usize, columns);
        self.findings.broken.push(BrokenAt {
            row,
            column,
            rule,
            raw_value,
        });
    }
}

/// Names and values of some columns of a row, as quarantine may show them.
pub(crate) fn shown_row(
    plan: &Plan,
    batch: &RecordBatch,
    row: usize,
    columns: &[usize],
) -> (String, Option<String>) {
    let schema = batch.schema();
    let mut names = Vec::with_capacity(columns.len());
    let mut values = Vec::with_capacity(columns.len());
    for index in columns {
        let name = schema.field(*index).name().as_str();
        let value = if plan.masked_outputs.contains(index) {
            MASKED.to_owned()
        } else {
            let value = plan.scrubbed(value_text(batch.column(*index), row));
            value.chars().take(SHOWN_CHARACTERS).collect()
        };
        values.push(if columns.len() == 1 {
            value
        } else {
            format!("{name} {value}")
        });
        names.push(name);
    }
    let value = plan.scrubbed(values.join(", "));
    (names.join(", "), Some(value))
}

/// Most letters of a value that are shown.
const SHOWN_CHARACTERS: usize = 200;
/// Letters behind them that are looked at too: a number must not be cut in two and then shown.
const LETTERS_BEHIND: usize = 64;

fn value_text(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::new().with_null("null");
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter
            .value(row)
            .to_string()
            .chars()
            .take(SHOWN_CHARACTERS + LETTERS_BEHIND)
            .collect(),
        Err(_) => String::new(),
    }
}

/// The name of a rule as a text that lives as long as the process: rules are few and come from
/// contracts, never from data.
pub(crate) fn interned(name: &str) -> &'static str {
    static NAMES: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
            names.insert(kept);
            kept
        }
    }
}

impl ParsedRows {
    /// Runs the contract's checks over the rows and takes out those that break one.
    pub(crate) fn checked(
        mut self,
        plan: &Plan,
        context: &RowContext,
    ) -> Result<Self, IntakeError> {
        let findings = plan.checks.run(plan, &self.batch, context);
        self.outside_period += findings.outside_period;
        self.add_flags(findings.flags);
        self.set_aside(plan, context.hasher.as_ref(), findings.broken)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
