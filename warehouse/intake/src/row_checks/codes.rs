//! Codes against the lists of the project, on the day they were used.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, RecordBatch};
use goyong_catalog::contract::{BrokenRow, CodeDay, CodeList, Contract};

use super::interned;
use crate::error::IntakeError;
use crate::rows::RowContext;

/// What can be wrong with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeRule {
    /// The list never had it.
    Unknown,
    /// The list has it for other days.
    NotValidThen,
}

impl CodeRule {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_code",
            Self::NotValidThen => "code_not_valid_then",
        }
    }
}

/// A code list, bound to its columns.
#[derive(Clone, Debug)]
pub(super) struct CodeCheck {
    column: usize,
    at: Option<usize>,
    on_fail: BrokenRow,
    unknown_flag: &'static str,
    not_then_flag: &'static str,
    spans: Arc<HashMap<Box<[u8]>, Vec<(i32, i32)>>>,
}

impl CodeCheck {
    pub fn new(
        contract: &Contract,
        column: &str,
        list: &CodeList,
        position: &impl Fn(&str) -> Result<usize, IntakeError>,
    ) -> Result<Self, IntakeError> {
        let Some(codes) = &list.codes else {
            return Err(IntakeError::Contract {
                source_name: contract.source.clone(),
                message: format!(
                    "the codes of column `{column}` stand in seed `{}`, which was not read",
                    list.seed
                ),
            });
        };
        let spans = codes
            .spans
            .iter()
            .map(|(code, spans)| (code.as_bytes().into(), spans.clone()))
            .collect();
        Ok(Self {
            column: position(column)?,
            at: match &list.at {
                CodeDay::Period => None,
                CodeDay::Column(name) => Some(position(name)?),
            },
            on_fail: list.on_fail,
            unknown_flag: interned(&format!("{column}:{}", CodeRule::Unknown.as_str())),
            not_then_flag: interned(&format!("{column}:{}", CodeRule::NotValidThen.as_str())),
            spans: Arc::new(spans),
        })
    }

    pub fn column(&self) -> usize {
        self.column
    }

    pub fn on_fail(&self) -> BrokenRow {
        self.on_fail
    }

    /// The text in `_flags` of a row that breaks the rule.
    pub fn flag(&self, rule: CodeRule) -> &'static str {
        match rule {
            CodeRule::Unknown => self.unknown_flag,
            CodeRule::NotValidThen => self.not_then_flag,
        }
    }

    /// The rows with a wrong code, and the rule each breaks.
    pub fn run(&self, batch: &RecordBatch, context: &RowContext) -> Vec<(u32, CodeRule)> {
        let codes = batch.column(self.column).as_string::<i32>();
        let days = self
            .at
            .map(|column| batch.column(column).as_primitive::<Date32Type>());
        let whole = context
            .period
            .unwrap_or((context.known_on, context.known_on));
        let mut wrong = Vec::new();
        // Files are often sorted by region, so the last code is likely the next.
        let mut last: Option<(&[u8], Option<&Vec<(i32, i32)>>)> = None;
        for row in 0..codes.len() {
            if codes.is_null(row) {
                continue;
            }
            let code = codes.value(row).as_bytes();
            let spans = match last {
                Some((same, spans)) if same == code => spans,
                _ => self.spans.get(code),
            };
            last = Some((code, spans));
            let Some(spans) = spans else {
                wrong.push((row as u32, CodeRule::Unknown));
                continue;
            };
            let (first_day, last_day) = match days {
                Some(days) if days.is_null(row) => continue,
                Some(days) => (days.value(row), days.value(row)),
                None => whole,
            };
            let is_valid = spans
                .iter()
                .any(|(from, to)| *from <= last_day && *to >= first_day);
            if !is_valid {
                wrong.push((row as u32, CodeRule::NotValidThen));
            }
        }
        wrong
    }
}
