//! Which field of a record serves which column: by header text, never by position alone.

use std::collections::{HashMap, HashSet};

use goyong_catalog::contract::{DriftAction, DriftKind, Unpivot};
use regex::Regex;

use crate::drift::{Columns, drift, refuse_by_policy, renamed, suggested};
use crate::encoding::{TextDecoder, encode};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::plan::Plan;
use crate::rows::Cell;
use goyong_catalog::contract::Encoding;

/// Where the columns of the contract stand in the records of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// For each column of the plan.
    pub sources: Vec<FieldSource>,
    /// Fields a record must have.
    pub fields: usize,
    /// Field behind a trailing delimiter, which must be empty.
    pub phantom: Option<usize>,
    /// Wide fields that become rows; empty without unpivot.
    pub variants: Vec<Variant>,
    /// What a person should know.
    pub notices: Vec<String>,
    /// The file's columns and where they differ.
    pub columns: Columns,
}

/// Where a column's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldSource {
    /// A field of the record.
    Field(usize),
    /// A group of the wide field's header.
    HeaderGroup(usize),
    /// The wide field itself.
    WideField,
    /// Nowhere.
    Absent,
}

/// One wide field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub field: usize,
    /// Groups of its header, in the encoding the plan decodes.
    pub groups: Vec<Vec<u8>>,
}

impl Mapping {
    /// The cell of a column; `field` gives the cell of a field.
    #[inline]
    pub fn cell<'r>(
        &'r self,
        column: usize,
        variant: Option<&'r Variant>,
        field: impl Fn(usize) -> Cell<'r>,
    ) -> Cell<'r> {
        match (self.sources[column], variant) {
            (FieldSource::Field(index), _) => field(index),
            (FieldSource::HeaderGroup(group), Some(variant)) => Cell::Raw(&variant.groups[group]),
            (FieldSource::WideField, Some(variant)) => field(variant.field),
            _ => Cell::Missing,
        }
    }

    /// Maps columns by header text.
    pub fn by_header(plan: &Plan, headers: &[String]) -> Result<Self, IntakeError> {
        let headers: Vec<&str> = headers.iter().map(|header| header.trim()).collect();
        let unpivot = plan.contract.unpivot.as_ref();
        let mut mapping = Self {
            fields: headers.len(),
            ..Self::default()
        };
        let mut used = vec![false; headers.len()];
        let mut missing = Vec::new();
        for (index, column) in plan.columns.iter().enumerate() {
            if column.takes_file_name() {
                mapping.sources.push(FieldSource::Absent);
                continue;
            }
            if let Some(source) = unpivot.and_then(|unpivot| unpivoted(unpivot, &column.name)) {
                mapping.sources.push(source);
                continue;
            }
            let position = column
                .from
                .iter()
                .find_map(|text| headers.iter().position(|header| header == text));
            match position {
                Some(position) => {
                    used[position] = true;
                    mapping.sources.push(FieldSource::Field(position));
                }
                None => {
                    missing.push(index);
                    mapping.sources.push(FieldSource::Absent);
                }
            }
        }
        if let Some(unpivot) = unpivot {
            mapping.variants = wide_fields(plan, unpivot, &headers, &mut used)?;
        }
        mapping.find_repeated(&headers, &used)?;
        mapping.find_missing(plan, &headers, &mut used, &missing)?;
        let repeated: HashSet<String> = mapping
            .columns
            .drift
            .iter()
            .filter(|one| one.kind == DriftKind::Duplicated)
            .filter_map(|one| one.header.clone())
            .collect();
        for header in unused_of(&headers, &used) {
            if repeated.contains(header) {
                continue;
            }
            mapping.notices.push(format!(
                "column `{header}` is not in the contract; not loaded"
            ));
            let added = drift(DriftKind::Added, None, Some(header));
            mapping.columns.drift.push(added);
        }
        let unnamed = headers.iter().filter(|header| header.is_empty()).count();
        if unnamed > 0 {
            mapping
                .notices
                .push(format!("{unnamed} columns without a name were not loaded"));
        }
        mapping.note_order();
        refuse_by_policy(&plan.contract.drift, &mapping.columns.drift)?;
        mapping.columns.headers = headers.iter().map(|header| (*header).to_owned()).collect();
        Ok(mapping)
    }

    /// A text that stands twice is refused where it serves a column.
    fn find_repeated(&mut self, headers: &[&str], used: &[bool]) -> Result<(), Refusal> {
        let mut first_at = HashMap::new();
        for (position, header) in headers.iter().enumerate() {
            if header.is_empty() {
                continue;
            }
            let first = *first_at.entry(header).or_insert(position);
            if first == position {
                continue;
            }
            if used[first] || used[position] {
                return Err(Refusal::new(
                    RefusalRule::Header,
                    format!(
                        "the header names `{header}` twice, in columns {} and {}: ask the provider which one counts",
                        first + 1,
                        position + 1
                    ),
                ));
            }
            self.notices.push(format!(
                "column `{header}` stands twice and is not in the contract; not loaded"
            ));
            let duplicated = drift(DriftKind::Duplicated, None, Some(header));
            self.columns.drift.push(duplicated);
        }
        Ok(())
    }

    /// Takes renamed columns where the contract says so, does without nullable ones where it says
    /// so, and refuses the file otherwise.
    fn find_missing(
        &mut self,
        plan: &Plan,
        headers: &[&str],
        used: &mut [bool],
        missing: &[usize],
    ) -> Result<(), Refusal> {
        let policy = &plan.contract.drift;
        let mut refused = Vec::new();
        for index in missing {
            let column = &plan.columns[*index];
            let wanted = column.from.first().map_or("", String::as_str);
            let unused = unused_of(headers, used);
            if policy.renamed == DriftAction::Report
                && let Some(header) = renamed(&column.from, &unused)
                && let Some(position) = headers.iter().position(|other| *other == header)
            {
                used[position] = true;
                self.sources[*index] = FieldSource::Field(position);
                self.notices.push(format!(
                    "column `{wanted}` ({}) is read from `{header}`",
                    column.name
                ));
                let found = drift(DriftKind::Renamed, Some(&column.name), Some(header));
                self.columns.drift.push(found);
            } else if policy.missing == DriftAction::Report && column.nullable {
                self.notices.push(format!(
                    "column `{wanted}` ({}) is missing; it stays empty",
                    column.name
                ));
                let lacking = drift(DriftKind::Missing, Some(&column.name), Some(wanted));
                self.columns.drift.push(lacking);
            } else {
                refused.push((column.name.as_str(), column.from.as_slice()));
            }
        }
        // A first line of which nothing is known may be a record: it is not shown.
        let is_known = used.contains(&true);
        if !is_known {
            refused = missing
                .iter()
                .map(|index| &plan.columns[*index])
                .map(|column| (column.name.as_str(), column.from.as_slice()))
                .collect();
        }
        if refused.is_empty() {
            return Ok(());
        }
        let unused = unused_of(headers, used);
        Err(missing_columns(
            &refused,
            is_known.then_some(unused.as_slice()),
        ))
    }

    /// Maps columns by position, for files without header.
    pub fn by_position(plan: &Plan) -> Self {
        let sources: Vec<FieldSource> = plan
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                FieldSource::Field(column.at.map_or(index, |(position, _)| position))
            })
            .collect();
        let fields = sources
            .iter()
            .map(|source| match source {
                FieldSource::Field(field) => field + 1,
                _ => 0,
            })
            .max()
            .unwrap_or(0);
        Self {
            sources,
            fields,
            ..Self::default()
        }
    }

    fn note_order(&mut self) {
        let positions: Vec<usize> = self
            .sources
            .iter()
            .filter_map(|source| match source {
                FieldSource::Field(field) => Some(*field),
                _ => None,
            })
            .collect();
        if positions.windows(2).any(|pair| pair[0] > pair[1]) {
            self.notices.push(
                "columns stand in another order than in the contract; mapped by header".to_owned(),
            );
            let reordered = drift(DriftKind::Reordered, None, None);
            self.columns.drift.push(reordered);
        }
    }
}

fn unpivoted(unpivot: &Unpivot, column: &str) -> Option<FieldSource> {
    if unpivot.value == column {
        return Some(FieldSource::WideField);
    }
    let group = unpivot.names.iter().position(|name| name == column)?;
    Some(FieldSource::HeaderGroup(group))
}

fn wide_fields(
    plan: &Plan,
    unpivot: &Unpivot,
    headers: &[&str],
    used: &mut [bool],
) -> Result<Vec<Variant>, IntakeError> {
    let contract_error = |message: String| IntakeError::Contract {
        source_name: plan.source().to_owned(),
        message,
    };
    let expression = Regex::new(&unpivot.columns)
        .map_err(|_| contract_error("unpivot is not a regular expression".to_owned()))?;
    let encoding = match plan.decoder {
        TextDecoder::Cp949 => Encoding::Cp949,
        _ => Encoding::Utf8,
    };
    let mut variants = Vec::new();
    for (field, header) in headers.iter().enumerate() {
        let Some(captures) = expression.captures(header) else {
            continue;
        };
        used[field] = true;
        let groups = captures
            .iter()
            .skip(1)
            .map(|group| encode(group.map_or("", |found| found.as_str()), encoding))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| contract_error(format!("header `{header}` cannot be encoded")))?;
        variants.push(Variant { field, groups });
    }
    if variants.is_empty() {
        // A first line of which nothing is known may be a record: it is not shown.
        let found = if used.contains(&true) {
            format!("the file has {}", quoted(headers))
        } else {
            "no text of the first line is in the contract".to_owned()
        };
        return Err(Refusal::new(
            RefusalRule::Header,
            format!(
                "no header matches `{}` of unpivot; {found}",
                unpivot.columns
            ),
        )
        .into());
    }
    Ok(variants)
}

/// Named texts that serve no column.
fn unused_of<'h>(headers: &[&'h str], used: &[bool]) -> Vec<&'h str> {
    headers
        .iter()
        .zip(used)
        .filter(|(header, used)| !**used && !header.is_empty())
        .map(|(header, _)| *header)
        .collect()
}

/// `unused` are the texts that serve no column, `None` when they may not be shown.
fn missing_columns(missing: &[(&str, &[String])], unused: Option<&[&str]>) -> Refusal {
    let mut parts = Vec::new();
    for (name, from) in missing {
        let wanted = from.first().map_or(*name, String::as_str);
        let nearest = suggested(from, unused.unwrap_or_default());
        parts.push(match nearest {
            Some(nearest) => format!(
                "column `{wanted}` ({name}) is missing, the file has `{nearest}`: add that to `from` if it is the same"
            ),
            None => format!("column `{wanted}` ({name}) is missing"),
        });
    }
    match unused {
        None => parts.push(
            "no text of the first line is in the contract: the header is missing or the file is another source's"
                .to_owned(),
        ),
        Some([]) => parts.push("the file has no other columns".to_owned()),
        Some(unused) if !parts.iter().any(|part| part.contains("the file has")) => {
            parts.push(format!("the file has {}", quoted(unused)));
        }
        Some(_) => {}
    }
    Refusal::new(RefusalRule::Header, parts.join("; "))
}

fn quoted(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(" …");
    }
    text
}

/// Header texts of several lines as one: distinct parts joined with ` | `.
pub(crate) fn join_header_lines(lines: &[Vec<String>]) -> Vec<String> {
    let width = lines.iter().map(Vec::len).max().unwrap_or(0);
    (0..width)
        .map(|column| {
            let mut parts: Vec<&str> = Vec::new();
            for line in lines {
                let part = line.get(column).map_or("", |text| text.trim());
                if !part.is_empty() && parts.last() != Some(&part) {
                    parts.push(part);
                }
            }
            parts.join(" | ")
        })
        .collect()
}

/// Gives an empty text of the upper lines the text to its left, as merged cells leave them.
pub(crate) fn fill_header_lines(lines: &mut [Vec<String>]) {
    let width = lines.iter().map(Vec::len).max().unwrap_or(0);
    let upper = lines.len().saturating_sub(1);
    for line in &mut lines[..upper] {
        line.resize(width, String::new());
        for column in 1..width {
            if line[column].trim().is_empty() {
                line[column] = line[column - 1].clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::plan;
    use rstest::rstest;

    const CONTRACT: &str = r#"
format: {kind: csv}
columns:
  - {name: number, from: [번호, 일련번호], type: int}
  - {name: lost_on, from: 상실일, type: date, nullable: true}
"#;

    fn map(headers: &[&str]) -> Result<Mapping, String> {
        let headers: Vec<String> = headers.iter().map(|text| (*text).to_owned()).collect();
        Mapping::by_header(&plan(CONTRACT), &headers).map_err(|error| error.to_string())
    }

    #[rstest]
    #[case(&["번호", "상실일"], 0, 1, 0)]
    #[case(&["상실일", "번호"], 1, 0, 1)]
    #[case(&["일련번호", " 상실일 ", "비고"], 0, 1, 1)]
    #[case(&["번호", "상실일", ""], 0, 1, 1)]
    #[case(&["번호", "상실일", "비고", "비고"], 0, 1, 1)]
    fn columns_are_found_by_their_text(
        #[case] headers: &[&str],
        #[case] number: usize,
        #[case] lost_on: usize,
        #[case] notices: usize,
    ) {
        let mapping = map(headers).unwrap();
        assert_eq!(
            mapping.sources,
            [FieldSource::Field(number), FieldSource::Field(lost_on)]
        );
        assert_eq!(mapping.notices.len(), notices, "{:?}", mapping.notices);
    }

    #[rstest]
    #[case(&["번호", "상실일자"], "the file has `상실일자`")]
    #[case(&["번호"], "column `상실일` (lost_on) is missing")]
    #[case(&["번호", "번호", "상실일"], "twice, in columns 1 and 2")]
    #[case(&["", "", ""], "is missing")]
    fn headers_that_do_not_serve_are_explained(#[case] headers: &[&str], #[case] reason: &str) {
        let message = map(headers).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }

    #[rstest]
    #[case("drift: {missing: report}", &["번호"], &[("missing", "상실일")])]
    #[case("drift: {renamed: report}", &["상실일자", "번호"], &[("renamed", "상실일자"), ("reordered", "")])]
    #[case("drift: {missing: report}", &["번호", "상실일자"], &[("missing", "상실일"), ("added", "상실일자")])]
    #[case("", &["번호", "상실일", "비고", "비고"], &[("duplicated", "비고")])]
    fn drift_is_told_as_data(
        #[case] policy: &str,
        #[case] headers: &[&str],
        #[case] expected: &[(&str, &str)],
    ) {
        let headers: Vec<String> = headers.iter().map(|text| (*text).to_owned()).collect();
        let mapping = Mapping::by_header(&plan(&format!("{policy}{CONTRACT}")), &headers).unwrap();
        let found: Vec<_> = mapping
            .columns
            .drift
            .iter()
            .map(|one| (one.kind.as_str(), one.header.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(mapping.columns.headers, headers);
    }

    #[rstest]
    #[case("drift: {added: refuse}", &["번호", "상실일", "비고"], "`비고`, which the contract refuses")]
    #[case("drift: {reordered: refuse}", &["상실일", "번호"], "another order")]
    #[case("drift: {missing: report}", &["상실일"], "column `번호` (number) is missing")]
    #[case("drift: {renamed: report}", &["번호", "날짜"], "column `상실일` (lost_on) is missing")]
    fn drift_the_contract_refuses_is_explained(
        #[case] policy: &str,
        #[case] headers: &[&str],
        #[case] reason: &str,
    ) {
        let headers: Vec<String> = headers.iter().map(|text| (*text).to_owned()).collect();
        let error =
            Mapping::by_header(&plan(&format!("{policy}{CONTRACT}")), &headers).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }

    #[test]
    fn lines_of_a_header_are_joined_where_they_differ() {
        let lines = [
            vec!["행정구역".to_owned(), "2014".to_owned(), "2014".to_owned()],
            vec!["행정구역".to_owned(), "갑".to_owned(), "을".to_owned()],
        ];
        assert_eq!(
            join_header_lines(&lines),
            ["행정구역", "2014 | 갑", "2014 | 을"]
        );
    }
}
