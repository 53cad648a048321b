//! The contract as written, before its parts are compared with each other.

use serde::Deserialize;

use super::super::column::{Column, ColumnType, Derived, OnFail, Range};
use super::super::drift::RawDriftPolicy;
use super::super::format::{FormatKind, Unpivot};
use super::super::text::{BilingualText, TextList};
use super::super::{Cadence, Contract, ContractError, ManifestRule, PeriodRule, RevisionRule};
use super::Source;
use super::raw_format::{RawFormat, RawPages};
use super::row_checks::{RawCodeList, RawPeriodCheck, RawReference, RawRule, read_rules};
use goyong_types::nearest_name;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContract {
    source: String,
    title: BilingualText,
    #[serde(default)]
    description: BilingualText,
    provider: BilingualText,
    legal_basis: Option<String>,
    known_on: Option<String>,
    cadence: Cadence,
    due_days: Option<u32>,
    licence: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    manifest: ManifestRule,
    #[serde(default)]
    period: Option<RawPeriod>,
    revision: RevisionRule,
    #[serde(default)]
    key: Vec<String>,
    #[serde(default = "default_reject_threshold")]
    reject_threshold: f64,
    #[serde(default)]
    control_totals: Vec<String>,
    format: RawFormat,
    child_of: Option<String>,
    pages: Option<RawPages>,
    unpivot: Option<RawUnpivot>,
    columns: Vec<RawColumn>,
    #[serde(default)]
    drift: RawDriftPolicy,
    #[serde(default)]
    rules: Vec<RawRule>,
    period_check: Option<RawPeriodCheck>,
    #[serde(default)]
    unique: TextList,
    #[serde(default)]
    references: Vec<RawReference>,
}

fn default_reject_threshold() -> f64 {
    0.05
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "period is `manifest`, `none` or {from: …, pattern: …}"
)]
enum RawPeriod {
    Word(PeriodWord),
    Map(RawPeriodMap),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PeriodWord {
    Manifest,
    None,
    Filename,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPeriodMap {
    from: PeriodWord,
    pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUnpivot {
    columns: String,
    name: TextList,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    name: String,
    #[serde(default)]
    from: TextList,
    #[serde(rename = "type")]
    column_type: String,
    #[serde(default)]
    format: TextList,
    #[serde(default)]
    nullable: bool,
    null_values: Option<TextList>,
    #[serde(default)]
    domain: TextList,
    range: Option<TextList>,
    at: Option<(usize, usize)>,
    #[serde(default)]
    tags: Vec<String>,
    known_on: Option<String>,
    #[serde(default)]
    description: BilingualText,
    #[serde(default)]
    derive: Vec<Derived>,
    #[serde(default)]
    strip: TextList,
    pattern: Option<String>,
    capture: Option<String>,
    #[serde(default)]
    on_fail: OnFail,
    code_list: Option<RawCodeList>,
}

impl RawContract {
    pub(super) fn into_contract(self, source: &Source<'_>) -> Result<Contract, ContractError> {
        let period = match self.period {
            None | Some(RawPeriod::Word(PeriodWord::None)) => PeriodRule::None,
            Some(RawPeriod::Word(PeriodWord::Manifest)) => PeriodRule::Manifest,
            Some(RawPeriod::Map(RawPeriodMap { from, pattern })) => match (from, pattern) {
                (PeriodWord::None, _) => PeriodRule::None,
                (PeriodWord::Manifest, _) => PeriodRule::Manifest,
                (PeriodWord::Filename, Some(pattern)) => PeriodRule::Filename { pattern },
                (PeriodWord::Filename, None) => return Err(period_pattern_missing(source)),
            },
            Some(RawPeriod::Word(PeriodWord::Filename)) => {
                return Err(period_pattern_missing(source));
            }
        };
        let columns = self
            .columns
            .into_iter()
            .map(|column| column.into_column(source))
            .collect::<Result<Vec<_>, _>>()?;
        let format = self.format.into_format(source)?;
        let has_header = !matches!(format.kind, FormatKind::Xml(_) | FormatKind::Json(_));
        let mut contract = Contract {
            source: self.source,
            title: self.title,
            description: self.description,
            provider: self.provider,
            legal_basis: self.legal_basis,
            known_on: self.known_on,
            cadence: self.cadence,
            due_days: self.due_days,
            licence: self.licence,
            files: self.files,
            manifest: self.manifest,
            period,
            revision: self.revision,
            key: self.key,
            reject_threshold: self.reject_threshold,
            control_totals: self.control_totals,
            format,
            child_of: self.child_of,
            pages: self
                .pages
                .map(|pages| pages.into_pages(source))
                .transpose()?,
            unpivot: self.unpivot.map(|unpivot| Unpivot {
                columns: unpivot.columns,
                names: unpivot.name.0,
                value: unpivot.value,
            }),
            columns,
            drift: self.drift.into_policy(has_header),
            rules: Vec::new(),
            period_check: self.period_check.map(RawPeriodCheck::into_check),
            unique: self.unique.0,
            references: self
                .references
                .into_iter()
                .map(RawReference::into_reference)
                .collect(),
        };
        contract.rules = read_rules(self.rules, &contract, source)?;
        Ok(contract)
    }
}

fn period_pattern_missing(source: &Source<'_>) -> ContractError {
    source.error(
        "filename",
        "the period comes from the file name, but no pattern says where it stands".into(),
        Some("add `pattern: \"_(\\\\d{6})\\\\.\"`".into()),
    )
}

impl RawColumn {
    fn into_column(self, source: &Source<'_>) -> Result<Column, ContractError> {
        let place = format!("name: {}", self.name);
        let column_type: ColumnType = self.column_type.parse().map_err(|()| {
            let nearest = nearest_name(&self.column_type, ColumnType::WORDS);
            source.error(
                &place,
                format!(
                    "column `{}` has the unknown type `{}`",
                    self.name, self.column_type
                ),
                Some(match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!(
                        "use one of {} or decimal(p,s)",
                        ColumnType::WORDS.join(", ")
                    ),
                }),
            )
        })?;
        let range = match self.range.map(|list| list.0) {
            None => None,
            Some(ends) if ends.len() == 2 => {
                let end = |text: &String| (!text.is_empty()).then(|| text.clone());
                Some(Range {
                    minimum: end(&ends[0]),
                    maximum: end(&ends[1]),
                })
            }
            Some(_) => {
                return Err(source.error(
                    &place,
                    format!("the range of column `{}` is not two values", self.name),
                    Some("write [min, max], null for an open end".into()),
                ));
            }
        };
        let from = if self.from.0.is_empty() {
            vec![self.name.clone()]
        } else {
            self.from.0
        };
        Ok(Column {
            name: self.name,
            from,
            column_type,
            formats: self.format.0,
            nullable: self.nullable,
            null_values: self
                .null_values
                .map_or_else(|| vec![String::new()], |list| list.0),
            domain: self.domain.0,
            range,
            at: self.at,
            tags: self.tags,
            known_on: self.known_on,
            description: self.description,
            derive: self.derive,
            strip: self.strip.0,
            pattern: self.pattern,
            capture: self.capture,
            on_fail: self.on_fail,
            code_list: self.code_list.map(RawCodeList::into_list),
        })
    }
}
