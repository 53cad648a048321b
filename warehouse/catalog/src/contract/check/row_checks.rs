//! The checks between columns and beyond the file, as written, and what must hold of them.

use serde::Deserialize;

use super::super::column::ColumnType;
use super::super::expression::{Expression, ValueKind};
use super::super::row_checks::{BrokenRow, CodeDay, CodeList, PeriodCheck, Reference, RowRule};
use super::super::staging::StagingType;
use super::super::text::TextList;
use super::super::{Contract, ContractError, PeriodRule};
use super::Source;
use goyong_types::nearest_name;

/// Rules of intake itself, whose names a contract's rules may not take.
const RESERVED: [&str; 16] = [
    "not_null",
    "type",
    "range",
    "domain",
    "pattern",
    "capture",
    "encoding",
    "unknown_code",
    "code_not_valid_then",
    "duplicate_key",
    "wrong_period",
    "rrn_shape",
    "rrn_birth_date",
    "rrn_checksum",
    "rrn_century",
    "biz_no",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    name: String,
    check: String,
    #[serde(default)]
    on_fail: BrokenRow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPeriodCheck {
    column: String,
    #[serde(default)]
    on_fail: BrokenRow,
    #[serde(default = "half")]
    refuse_above: f64,
}

fn half() -> f64 {
    0.5
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReference {
    columns: TextList,
    source: String,
    to: Option<TextList>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCodeList {
    seed: String,
    column: String,
    valid_from: Option<String>,
    valid_to: Option<String>,
    #[serde(default = "at_period")]
    at: String,
    #[serde(default)]
    on_fail: BrokenRow,
}

fn at_period() -> String {
    "period".to_owned()
}

impl RawCodeList {
    pub(super) fn into_list(self) -> CodeList {
        CodeList {
            seed: self.seed,
            column: self.column,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            at: match self.at.as_str() {
                "period" => CodeDay::Period,
                _ => CodeDay::Column(self.at),
            },
            on_fail: self.on_fail,
            codes: None,
        }
    }
}

impl RawPeriodCheck {
    pub(super) fn into_check(self) -> PeriodCheck {
        PeriodCheck {
            column: self.column,
            on_fail: self.on_fail,
            refuse_above: self.refuse_above,
        }
    }
}

impl RawReference {
    pub(super) fn into_reference(self) -> Reference {
        let to = self.to.map_or_else(|| self.columns.0.clone(), |to| to.0);
        Reference {
            columns: self.columns.0,
            source: self.source,
            to,
        }
    }
}

/// Reads the conditions; the contract's columns must be known.
pub(super) fn read_rules(
    rules: Vec<RawRule>,
    contract: &Contract,
    source: &Source<'_>,
) -> Result<Vec<RowRule>, ContractError> {
    let columns = condition_columns(contract);
    let mut read: Vec<RowRule> = Vec::with_capacity(rules.len());
    for rule in rules {
        let place = format!("name: {}", rule.name);
        let is_name = !rule.name.is_empty()
            && rule
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_name || RESERVED.contains(&rule.name.as_str()) {
            return Err(source.error(
                &place,
                format!("`{}` cannot name a rule", rule.name),
                Some("use lower-case letters, digits and underscores, and no name that intake itself uses".into()),
            ));
        }
        if read.iter().any(|other| other.name == rule.name) {
            return Err(source.error(
                &place,
                format!("the rule `{}` stands twice", rule.name),
                Some("rename one of them".into()),
            ));
        }
        let check = Expression::parse(&rule.check, &columns).map_err(|error| {
            source.error(
                &place,
                format!("rule `{}`: {}", rule.name, error.message),
                error.hint,
            )
        })?;
        read.push(RowRule {
            name: rule.name,
            check,
            on_fail: rule.on_fail,
        });
    }
    Ok(read)
}

/// Columns that conditions may name, with what they hold.
fn condition_columns(contract: &Contract) -> Vec<(String, ValueKind)> {
    contract
        .staging_columns()
        .into_iter()
        .filter(|column| !column.name.starts_with('_'))
        .map(|column| {
            let is_key = contract
                .column(&column.name)
                .is_some_and(|column| column.column_type == ColumnType::ResidentNumber);
            let kind = match column.staging_type {
                _ if is_key => ValueKind::Key,
                StagingType::Utf8 => ValueKind::Text,
                StagingType::Int32
                | StagingType::Int64
                | StagingType::Float64
                | StagingType::Decimal128(..) => ValueKind::Number,
                StagingType::Date32 => ValueKind::Date,
                StagingType::TimestampMicrosecond => ValueKind::Timestamp,
                StagingType::Boolean => ValueKind::Boolean,
            };
            (column.name, kind)
        })
        .collect()
}

/// What must hold between these checks and the rest of the contract.
pub(super) fn check(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let columns = condition_columns(contract);
    let known: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let unknown = |place: &str, name: &str| {
        source.error(
            place,
            format!(
                "`{}` names `{name}`, which is no column",
                place.trim_end_matches(':')
            ),
            nearest_name(name, known.iter().copied())
                .map(|nearest| format!("did you mean `{nearest}`?")),
        )
    };
    let kind_of = |name: &str| {
        columns
            .iter()
            .find(|(column, _)| column == name)
            .map(|(_, kind)| *kind)
    };
    for name in &contract.unique {
        if kind_of(name).is_none() {
            return Err(unknown("unique:", name));
        }
    }
    if let Some(check) = &contract.period_check {
        let place = "period_check:";
        match kind_of(&check.column) {
            None => return Err(unknown(place, &check.column)),
            Some(ValueKind::Date) => {}
            Some(_) => {
                return Err(source.error(
                    place,
                    format!("`{}` is no date or month", check.column),
                    Some("name the column that must lie in the period".into()),
                ));
            }
        }
        if !(0.0..=1.0).contains(&check.refuse_above) {
            return Err(source.error(
                "refuse_above",
                "refuse_above is a share between 0 and 1".into(),
                None,
            ));
        }
        if contract.period == PeriodRule::None {
            return Err(source.error(
                place,
                "days are checked against a period that the source does not have".into(),
                Some("say in `period` where it stands, or remove period_check".into()),
            ));
        }
    }
    for reference in &contract.references {
        for name in &reference.columns {
            if kind_of(name).is_none() {
                return Err(unknown("references:", name));
            }
        }
        if reference.columns.is_empty() || reference.columns.len() != reference.to.len() {
            return Err(source.error(
                "references:",
                format!(
                    "the reference to `{}` does not pair each column with one of the other source",
                    reference.source
                ),
                Some("list as many names in `to` as in `columns`".into()),
            ));
        }
    }
    for column in &contract.columns {
        let Some(list) = &column.code_list else {
            continue;
        };
        let place = format!("name: {}", column.name);
        if !column.column_type.is_text() {
            return Err(source.error(
                &place,
                format!("column `{}` has a code list, but is no text", column.name),
                Some("type it code: numbers lose leading zeros".into()),
            ));
        }
        if let CodeDay::Column(name) = &list.at {
            match kind_of(name) {
                Some(ValueKind::Date) => {}
                Some(_) => {
                    return Err(source.error(
                        &place,
                        format!("`at` of the code list names `{name}`, which is no date"),
                        Some("write `at: period` or a date column".into()),
                    ));
                }
                None => return Err(unknown(&place, name)),
            }
        }
    }
    Ok(())
}
