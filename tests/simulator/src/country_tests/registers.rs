//! Workplace lists of other agencies, their truth and their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{country, files, rows, truth};

/// Entity by source and key; a key may hold commas of no kind, so the truth splits cleanly.
fn entities() -> BTreeMap<(String, String), String> {
    truth(country(), "workplace_entity.csv")
        .into_iter()
        .map(|row| ((row[0].clone(), row[1].clone()), row[2].clone()))
        .collect()
}

/// The clerks' file, which is UTF-8.
fn labels() -> Vec<Vec<String>> {
    let files = files(&country().folder.join("landing/linkage_label"));
    let text = fs::read_to_string(files.first().unwrap()).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

#[test]
fn every_row_of_the_pension_list_has_an_entity() {
    let entities = entities();
    let listed = rows(country(), "nps_workplace");
    assert!(listed.len() > 5_000, "{} rows", listed.len());
    for row in &listed {
        let key = format!(
            "{}:{}:{}{}:{}",
            row[2],
            row[10].replace('-', ""),
            row[6],
            row[7],
            row[1]
        );
        assert!(
            entities.contains_key(&("nps_workplace".to_owned(), key.clone())),
            "{key}"
        );
        assert_eq!(row[2].len(), 6, "{key}");
    }
}

#[test]
fn most_firms_stand_in_several_lists_and_some_in_one() {
    let mut sources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((source, _), entity) in entities() {
        sources.entry(entity).or_default().insert(source);
    }
    let all = sources.len() as f64;
    let count = |wanted: usize| sources.values().filter(|one| one.len() == wanted).count() as f64;
    assert!(count(3) / all > 0.5, "{} in three of {all}", count(3));
    assert!(count(1) / all > 0.02, "{} in one of {all}", count(1));
    let outside = sources
        .values()
        .filter(|one| one.contains("nps_workplace") && one.contains("kcomwel_workplace"))
        .filter(|one| !one.contains("ei_workplace"))
        .count();
    assert!(outside > 50, "{outside} outside the employment insurance");
}

#[test]
fn labels_are_right_but_for_the_clerical_errors() {
    let entities = entities();
    let (mut labelled, mut wrong) = (0, 0);
    for row in labels() {
        let of =
            |source: &str, key: &str| entities.get(&(source.to_owned(), key.to_owned())).cloned();
        let left = of(&row[0], &row[1]);
        assert!(left.is_some(), "{}", row[1]);
        if row[3].is_empty() {
            assert_eq!(row[4], "N");
            continue;
        }
        labelled += 1;
        wrong += usize::from((left == of(&row[2], &row[3])) != (row[4] == "Y"));
    }
    assert!(labelled > 500, "{labelled} labels");
    assert!(wrong > 0 && wrong * 40 < labelled, "{wrong} of {labelled}");
}

#[test]
fn broken_brackets_and_latin_spellings_occur() {
    let names: Vec<String> = rows(country(), "nps_workplace")
        .into_iter()
        .map(|row| row[1].clone())
        .collect();
    for odd in ["(주))", "㈜", "TECH", "MB", "주식회사 ", "(본사)"] {
        assert!(names.iter().any(|name| name.contains(odd)), "{odd}");
    }
    assert!(names.iter().any(|name| name.starts_with("주)")));
    let json = files(&country().folder.join("landing/kcomwel_workplace"));
    let text = fs::read_to_string(json.first().unwrap()).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let body = &document["response"]["body"];
    assert_eq!(
        body["items"]["item"].as_array().unwrap().len() as u64,
        body["totalCount"].as_u64().unwrap()
    );
}
