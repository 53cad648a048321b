//! Gives the code lists of contracts the codes of the project's seeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use goyong_types::nearest_name;

use crate::contract::{CodeList, Codes, Contract};
use crate::files::ProjectFiles;
use crate::problem::Problem;
use crate::seed::Seed;

/// 1970-01-01 in days of the common era.
const EPOCH_FROM_CE: i32 = 719_163;

pub(super) fn resolve(
    files: &ProjectFiles,
    contracts: &mut BTreeMap<String, Contract>,
    seeds: &BTreeMap<String, Seed>,
    problems: &mut Vec<Problem>,
) {
    for contract in contracts.values_mut() {
        let file = format!("sources/{}.yml", contract.source);
        for column in &mut contract.columns {
            let Some(list) = &mut column.code_list else {
                continue;
            };
            match codes(list, seeds) {
                Ok(codes) => list.codes = Some(Arc::new(codes)),
                Err((message, help)) => {
                    let message = format!("code list of column `{}`: {message}", column.name);
                    let text = files.text(&file).unwrap_or_default();
                    let problem = Problem::new(&file, message).at_word(text, &list.seed);
                    problems.push(match help {
                        Some(help) => problem.with_help(help),
                        None => problem,
                    });
                }
            }
        }
    }
}

type Wrong = (String, Option<String>);

fn codes(list: &CodeList, seeds: &BTreeMap<String, Seed>) -> Result<Codes, Wrong> {
    let nearest = |name: &str, known: Vec<&str>| {
        nearest_name(name, known).map(|nearest| format!("did you mean `{nearest}`?"))
    };
    let Some(seed) = seeds.get(&list.seed) else {
        let known = seeds.keys().map(String::as_str).collect();
        return Err((
            format!("no seed is called `{}`", list.seed),
            nearest(&list.seed, known),
        ));
    };
    let position = |name: &str| {
        let names = seed
            .header
            .columns
            .iter()
            .map(|column| column.name.as_str());
        names
            .clone()
            .position(|column| column == name)
            .ok_or_else(|| {
                (
                    format!("seed `{}` has no column `{name}`", list.seed),
                    nearest(name, names.collect()),
                )
            })
    };
    let code_at = position(&list.column)?;
    let from_at = list.valid_from.as_deref().map(position).transpose()?;
    let to_at = list.valid_to.as_deref().map(position).transpose()?;
    let mut codes = Codes::default();
    let mut reader = csv::Reader::from_reader(seed.csv.trim_start_matches('\u{feff}').as_bytes());
    for (row, record) in reader.records().enumerate() {
        let place = || format!("row {} of seed `{}`", row + 1, list.seed);
        let record = record.map_err(|_| (format!("{} cannot be read", place()), None))?;
        let day = |at: Option<usize>, open: i32| -> Result<i32, Wrong> {
            match at.and_then(|at| record.get(at)) {
                None | Some("") => Ok(open),
                Some(text) => text
                    .parse::<NaiveDate>()
                    .map(|day| day.num_days_from_ce() - EPOCH_FROM_CE)
                    .map_err(|_| (format!("{} holds `{text}`, which is no day", place()), None)),
            }
        };
        let span = (day(from_at, i32::MIN)?, day(to_at, i32::MAX)?);
        if let Some(code) = record.get(code_at).filter(|code| !code.is_empty()) {
            codes.spans.entry(code.to_owned()).or_default().push(span);
        }
    }
    if codes.spans.is_empty() {
        return Err((format!("seed `{}` holds no code", list.seed), None));
    }
    Ok(codes)
}
