//! Rules between the parts of a contract.

use std::collections::BTreeSet;

use goyong_types::{TableName, nearest_name};

use super::super::{
    Column, ColumnType, Contract, ContractError, Encoding, FormatKind, ManifestRule, OnFail,
    PeriodRule, TECHNICAL_COLUMNS,
};
use super::Source;

pub(super) fn check(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    check_name(contract, source)?;
    check_columns(contract, source)?;
    check_references(contract, source)?;
    super::row_checks::check(contract, source)?;
    check_format(contract, source)?;
    super::layout::check(contract, source)
}

fn check_name(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let name = &contract.source;
    if TableName::new("staging", name).is_err() {
        return Err(source.error(
            "source:",
            format!("`{name}` cannot name a table"),
            Some("use lower-case letters, digits and underscores".into()),
        ));
    }
    let file = source.file_name.rsplit('/').next().unwrap_or_default();
    let stem = file
        .strip_suffix(".yml")
        .or_else(|| file.strip_suffix(".yaml"));
    match stem {
        Some(stem) if stem != name => Err(source.error(
            "source:",
            format!("the file is named `{stem}`, the source `{name}`"),
            Some("give both the same name".into()),
        )),
        _ => Ok(()),
    }
}

fn check_columns(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    if contract.columns.is_empty() {
        return Err(source.error("columns:", "the contract has no columns".into(), None));
    }
    let mut names = BTreeSet::new();
    for column in &contract.columns {
        let place = format!("name: {}", column.name);
        if !is_column_name(&column.name) || TECHNICAL_COLUMNS.contains(&column.name.as_str()) {
            return Err(source.error(
                &place,
                format!("`{}` cannot name a column", column.name),
                Some("use lower-case letters, digits and underscores, a letter first".into()),
            ));
        }
        let derived = column.derive.iter().map(|derived| derived.as_str());
        for name in std::iter::once(column.name.as_str()).chain(derived) {
            if !names.insert(name.to_owned()) {
                return Err(source.error(
                    &place,
                    format!("the column name `{name}` stands twice"),
                    Some("rename one of them".into()),
                ));
            }
        }
        check_column(column, source, &place)?;
        check_known_on(column.known_on.as_deref(), contract, source, &place)?;
    }
    check_known_on(contract.known_on.as_deref(), contract, source, "known_on:")?;
    let has_number = contract
        .columns
        .iter()
        .any(|column| column.column_type == ColumnType::ResidentNumber);
    for column in &contract.columns {
        let is_detail = matches!(
            column.column_type,
            ColumnType::PersonName | ColumnType::Contact
        );
        if is_detail && !has_number {
            return Err(source.error(
                &format!("name: {}", column.name),
                format!(
                    "column `{}` goes to the vault, but no column of type rrn says whose it is",
                    column.name
                ),
                Some("add the rrn column, or type it string if it names no person".into()),
            ));
        }
    }
    Ok(())
}

/// The day on which something became known stands in a date column of the same source.
fn check_known_on(
    known_on: Option<&str>,
    contract: &Contract,
    source: &Source<'_>,
    place: &str,
) -> Result<(), ContractError> {
    let Some(name) = known_on.filter(|name| *name != "_known_on") else {
        return Ok(());
    };
    let is_date = |column: &Column| column.column_type == ColumnType::Date;
    if contract.column(name).is_some_and(is_date) {
        return Ok(());
    }
    let dates = contract.columns.iter().filter(|column| is_date(column));
    let nearest = nearest_name(name, dates.map(|column| column.name.as_str()));
    Err(source.error(
        place,
        format!("known_on names `{name}`, which is no date column"),
        Some(match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "name the date on which the row was reported, or leave it out".into(),
        }),
    ))
}

fn check_column(column: &Column, source: &Source<'_>, place: &str) -> Result<(), ContractError> {
    let refuse =
        |message: String, hint: &str| Err(source.error(place, message, Some(hint.to_owned())));
    let name = &column.name;
    if !column.derive.is_empty() && column.column_type != ColumnType::ResidentNumber {
        return refuse(
            format!("column `{name}` derives columns, but is not an rrn"),
            "only a resident number tells birth date, sex and nationality",
        );
    }
    let takes_format = matches!(
        column.column_type,
        ColumnType::Date | ColumnType::Month | ColumnType::Timestamp
    );
    if !takes_format && !column.formats.is_empty() {
        return refuse(
            format!("column `{name}` has a format, but its type takes none"),
            "formats belong to date, month and timestamp",
        );
    }
    if column.column_type == ColumnType::ResidentNumber && column.on_fail != OnFail::Quarantine {
        return refuse(
            format!("column `{name}` would be kept without a valid resident number"),
            "an rrn that breaks a rule is always quarantined; remove on_fail",
        );
    }
    for (word, expression) in [("pattern", &column.pattern), ("capture", &column.capture)] {
        let Some(expression) = expression else {
            continue;
        };
        let compiled = match regex::Regex::new(expression) {
            Ok(compiled) => compiled,
            Err(_) => {
                return refuse(
                    format!("the {word} of column `{name}` is not a regular expression"),
                    "check brackets and backslashes",
                );
            }
        };
        if word == "capture" && compiled.captures_len() < 2 {
            return refuse(
                format!("the capture of column `{name}` has no group"),
                "put brackets around the value",
            );
        }
    }
    Ok(())
}

fn check_references(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let names: Vec<&str> = contract
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let unknown = |list: &str, name: &str| {
        source.error(
            &format!("{list}:"),
            format!("`{list}` names `{name}`, which is no column"),
            nearest_name(name, names.iter().copied())
                .map(|nearest| format!("did you mean `{nearest}`?")),
        )
    };
    for name in &contract.key {
        if contract.column(name).is_none() {
            return Err(unknown("key", name));
        }
    }
    for name in &contract.control_totals {
        let Some(column) = contract.column(name) else {
            return Err(unknown("control_totals", name));
        };
        if !column.column_type.is_exact_number() {
            return Err(source.error(
                "control_totals:",
                format!("the control total `{name}` is no exact number"),
                Some("use a won, int, bigint or decimal column".into()),
            ));
        }
    }
    if let Some(unpivot) = &contract.unpivot {
        for name in unpivot.names.iter().chain([&unpivot.value]) {
            if contract.column(name).is_none() {
                return Err(unknown("unpivot", name));
            }
        }
        let groups =
            regex::Regex::new(&unpivot.columns).map(|expression| expression.captures_len() - 1);
        if groups.ok() != Some(unpivot.names.len()) {
            return Err(source.error(
                "unpivot:",
                "the expression of unpivot does not have one group for each name".into(),
                Some("write for example columns: \"^(\\\\d{4}) 년$\", name: year".into()),
            ));
        }
    }
    Ok(())
}

fn check_format(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    if !(0.0..=1.0).contains(&contract.reject_threshold) {
        return Err(source.error(
            "reject_threshold",
            "the reject threshold is a share between 0 and 1".into(),
            None,
        ));
    }
    if contract.period == PeriodRule::Manifest
        && contract.manifest == ManifestRule::None
        && contract.child_of.is_none()
    {
        return Err(source.error(
            "period:",
            "the period stands in a manifest that the provider does not write".into(),
            Some("set `manifest: required` or `period: none`".into()),
        ));
    }
    if let PeriodRule::Filename { pattern } = &contract.period {
        let groups = regex::Regex::new(pattern).map(|expression| expression.captures_len());
        if groups.ok() != Some(2) {
            return Err(source.error(
                "pattern:",
                "the period's pattern is not a regular expression with one group".into(),
                Some("write for example \"_(\\\\d{6})\\\\.\"".into()),
            ));
        }
    }
    match &contract.format.kind {
        FormatKind::Fixed(fixed) => {
            for column in &contract.columns {
                let fits = column
                    .at
                    .is_some_and(|(start, length)| start + length <= fixed.record_bytes);
                if !fits {
                    return Err(source.error(
                        &format!("name: {}", column.name),
                        format!(
                            "column `{}` does not say where in the {} bytes it stands",
                            column.name, fixed.record_bytes
                        ),
                        Some("add `at: [first byte from 0, number of bytes]`".into()),
                    ));
                }
            }
            if matches!(
                contract.format.encoding,
                Encoding::Utf16Le | Encoding::Utf16Be
            ) {
                return Err(source.error(
                    "encoding:",
                    "fixed width in UTF-16 is not read".into(),
                    Some("ask for CP949 or UTF-8".into()),
                ));
            }
        }
        FormatKind::Csv(csv) if csv.header_lines == 0 => {}
        _ => {
            if let Some(column) = contract.columns.iter().find(|column| column.at.is_some()) {
                return Err(source.error(
                    &format!("name: {}", column.name),
                    format!("column `{}` has a byte position", column.name),
                    Some(
                        "`at` belongs to fixed width, and to csv without header as [position, 1]"
                            .into(),
                    ),
                ));
            }
        }
    }
    if contract.unpivot.is_some()
        && !matches!(
            contract.format.kind,
            FormatKind::Csv(_) | FormatKind::Xlsx(_)
        )
    {
        return Err(source.error(
            "unpivot:",
            "unpivot needs headers, as csv and xlsx have them".into(),
            None,
        ));
    }
    Ok(())
}

fn is_column_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
