//! Rules of compression, pages and child records.

use goyong_types::nearest_name;

use super::super::{Compression, Contract, ContractError, FormatKind, ManifestRule};
use super::Source;

pub(super) fn check(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    check_marks(contract, source)?;
    check_compression(contract, source)?;
    check_pages(contract, source)?;
    check_child(contract, source)?;
    check_places(contract, source)
}

/// What separates must not be what is separated.
fn check_marks(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let FormatKind::Csv(csv) = &contract.format.kind else {
        return Ok(());
    };
    let marks = [Some(csv.delimiter), csv.quote, csv.comment];
    for (position, mark) in marks.iter().enumerate() {
        let Some(mark) = mark else { continue };
        let is_repeated = marks[..position].contains(&Some(*mark));
        // A letter may be half of a two-byte character, a digit part of every number.
        if mark.is_ascii_alphanumeric() || matches!(mark, b'\n' | b'\r' | b'\\') || is_repeated {
            return Err(source.error(
                "format:",
                "delimiter, quote and comment must be three different marks, no letters, digits, newlines or backslashes".into(),
                None,
            ));
        }
    }
    Ok(())
}

fn check_compression(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let format = &contract.format;
    if matches!(format.kind, FormatKind::Parquet) && format.compression != Compression::None {
        return Err(source.error(
            "compression:",
            "parquet compresses itself and is read from its end".into(),
            Some("ask for the parquet file without compression around it".into()),
        ));
    }
    if matches!(format.kind, FormatKind::Xlsx(_)) && format.compression == Compression::Detect {
        return Err(source.error(
            "compression:",
            "a workbook begins as a zip archive does, so its compression cannot be detected".into(),
            Some("write `none`, or `zip` when workbooks come in an archive".into()),
        ));
    }
    Ok(())
}

fn check_pages(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let Some(pages) = &contract.pages else {
        return Ok(());
    };
    let refuse = |message: &str, hint: &str| {
        Err(source.error("pages:", message.to_owned(), Some(hint.to_owned())))
    };
    if !matches!(
        contract.format.kind,
        FormatKind::Xml(_) | FormatKind::Json(_)
    ) {
        return refuse(
            "only answers in xml and json have pages",
            "remove `pages`, or let each file be a delivery",
        );
    }
    if contract.manifest == ManifestRule::Required {
        return refuse(
            "pages and a manifest exclude each other, because a manifest describes one file",
            "set `manifest: none`",
        );
    }
    if let Some(pattern) = &pages.file {
        let groups = regex::Regex::new(pattern).map(|expression| expression.captures_len());
        if groups.ok() != Some(2) {
            return refuse(
                "the file pattern of pages is not a regular expression with one group",
                "write for example \"_p(\\\\d+)\\\\.\"",
            );
        }
    }
    Ok(())
}

fn check_child(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let Some(parent) = &contract.child_of else {
        return Ok(());
    };
    let refuse = |message: String, hint: &str| {
        Err(source.error("child_of:", message, Some(hint.to_owned())))
    };
    if parent == &contract.source {
        return refuse(
            "a source cannot be its own child".into(),
            "name the source whose files hold these records",
        );
    }
    if !matches!(
        contract.format.kind,
        FormatKind::Xml(_) | FormatKind::Json(_)
    ) {
        return refuse(
            "only records in xml and json hold other records".into(),
            "remove `child_of`",
        );
    }
    if !contract.files.is_empty() || contract.manifest == ManifestRule::Required {
        return refuse(
            format!("its records arrive with the files of `{parent}`, not with files of their own"),
            "remove `files` and set `manifest: none`",
        );
    }
    Ok(())
}

/// Places such as `../number` and `$key1` need a layout that has them.
fn check_places(contract: &Contract, source: &Source<'_>) -> Result<(), ContractError> {
    let depth = match &contract.format.kind {
        FormatKind::Xml(xml) => xml.record.len().saturating_sub(1),
        FormatKind::Json(json) => json.record.iter().filter(|step| *step != "*").count(),
        _ => 0,
    };
    let wildcards = match &contract.format.kind {
        FormatKind::Json(json) => json.record.iter().filter(|step| *step == "*").count(),
        _ => 0,
    };
    for column in &contract.columns {
        for from in &column.from {
            let levels = from.split('/').take_while(|step| *step == "..").count();
            if levels > depth {
                return Err(source.error(
                    &format!("name: {}", column.name),
                    format!(
                        "column `{}` reaches {levels} levels above the record, which has {depth}",
                        column.name
                    ),
                    Some("count the steps of `record`".into()),
                ));
            }
            if let Some(number) = from.strip_prefix("$key") {
                let known = (1..=wildcards)
                    .map(|index| format!("$key{index}"))
                    .collect::<Vec<_>>();
                let is_known = number
                    .parse()
                    .is_ok_and(|number| (1..=wildcards).contains(&number));
                if !is_known {
                    return Err(source.error(
                        &format!("name: {}", column.name),
                        format!("`{from}` names no `*` of the record path"),
                        nearest_name(from, known.iter().map(String::as_str))
                            .map(|nearest| format!("did you mean `{nearest}`?")),
                    ));
                }
            }
        }
    }
    Ok(())
}
