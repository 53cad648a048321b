//! Advertisements are verified every night, and hold against the truth.

use std::collections::BTreeSet;

use crate::support::{demo, goyong_ok, query, query_one};

/// Values of the evaluation by subject and measure.
fn evaluated() -> Vec<[String; 3]> {
    let text = goyong_ok(&[
        "--dir",
        demo().to_str().unwrap(),
        "evaluate",
        "advertisements",
        "--format",
        "csv",
    ]);
    csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(|row| {
            let row = row.unwrap();
            [row[0].to_owned(), row[1].to_owned(), row[2].to_owned()]
        })
        .collect()
}

#[test]
fn verification_finds_what_was_planted() {
    let rows = evaluated();
    let value = |subject: &str, measure: &str| -> f64 {
        let row = rows
            .iter()
            .find(|row| row[0] == subject && row[1] == measure);
        let row = row.unwrap_or_else(|| panic!("no {measure} of {subject}: {rows:?}"));
        row[2].split(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("duplicates", "F1") >= 0.97, "{rows:?}");
    assert!(value("all rules", "precision") >= 0.95, "{rows:?}");
    assert!(value("disguised words", "recall") >= 0.995, "{rows:?}");
    assert!(value("look-alikes", "raised") <= 0.01, "{rows:?}");
}

#[test]
fn the_list_has_the_columns_of_the_form() {
    let text = goyong_ok(&[
        "--dir",
        demo().to_str().unwrap(),
        "ads",
        "export",
        "--format",
        "csv",
    ]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let form = "게시여부 연계기관 구인인증번호 구인제목 근무지역 고용형태";
    assert_eq!(header[..6].join(" "), form);
    assert_eq!(header[6..], ["고용형태 기타", "의심항목"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(rows.len() > 20, "{}", rows.len());
    assert!(rows.iter().all(|row| !row[7].is_empty()));
    let states: BTreeSet<&str> = rows.iter().map(|row| &row[0]).collect();
    assert!(
        states.is_subset(&BTreeSet::from(["게시", "마감"])),
        "{states:?}"
    );
}

#[test]
fn findings_name_phrases_of_the_list_and_never_the_text() {
    let unknown = query_one(
        demo(),
        "select count(*) from alerts.ad_finding f left join seed.ad_phrase p \
         on p.rule = f.rule and p.phrase = f.phrase \
         where p.phrase is null and f.rule <> 'below_minimum_wage'",
    );
    assert_eq!(unknown, "0");
    let cleared = query(
        demo(),
        "select distinct reason from alerts.ad_finding where decision = 'cleared'",
    );
    assert!(cleared.len() > 5, "{cleared:?}");
}
