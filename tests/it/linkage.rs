//! Workplaces of several sources are joined to businesses, and the error is published.

use std::path::Path;

use crate::support::{demo, goyong_ok, query, query_one};

/// F1 of the pairs that two sources make, as the evaluation says it.
fn f1(folder: &Path, subject: &str) -> f64 {
    let text = goyong_ok(&[
        "--dir",
        folder.to_str().unwrap(),
        "evaluate",
        "--format",
        "csv",
    ]);
    let row = csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(Result::unwrap)
        .find(|row| &row[0] == subject && &row[1] == "F1")
        .unwrap_or_else(|| panic!("{subject} is not evaluated:\n{text}"));
    row[2].parse().unwrap()
}

#[test]
fn workplaces_are_joined_as_the_truth_says() {
    let folder = demo();
    for (subject, least) in [
        ("linkage ei_workplace – nps_workplace", 0.9),
        ("linkage ei_workplace – kcomwel_workplace", 0.97),
        ("linkage kcomwel_workplace – nps_workplace", 0.9),
        ("linkage alio_institution – nps_workplace", 0.9),
    ] {
        let found = f1(folder, subject);
        assert!(found >= least, "{subject}: {found} < {least}");
    }
}

#[test]
fn the_published_error_is_measured_from_the_delivered_labels() {
    let folder = demo();
    let rows = query(
        folder,
        "select labelled, true_positives, false_negatives, precision, recall from linkage.workplace_error \
         where group_kind = 'all'",
    );
    assert_eq!(rows.len(), 1);
    let figure = |column: usize| rows[0][column].parse::<f64>().unwrap();
    assert!(figure(0) > 50.0, "{rows:?}");
    assert!((figure(4) - figure(1) / (figure(1) + figure(2))).abs() < 1e-9);
    let delivered: f64 = query_one(folder, "select count(*) from linkage.workplace_label")
        .parse()
        .unwrap();
    assert!(delivered > 50.0);
    let kinds = query(
        folder,
        "select distinct group_kind from linkage.workplace_error order by group_kind",
    );
    assert_eq!(kinds, [["all"], ["region"], ["size"], ["source"]]);
}

#[test]
fn two_businesses_with_different_numbers_are_never_one() {
    let folder = demo();
    let chained = query_one(
        folder,
        "select count(*) from linkage.workplace_cluster c join linkage.workplace_record r \
         on r.source = c.source and r.source_id = c.source_id \
         where c.pass in ('own', 'business_number') and c.entity_id like 'B%' \
         and c.entity_id <> 'B' || r.biz_no",
    );
    assert_eq!(chained, "0");
    let rows = query_one(folder, "select count(*) from linkage.workplace_cluster");
    let businesses = query_one(
        folder,
        "select count(distinct entity_id) from linkage.workplace_cluster",
    );
    assert!(rows.parse::<u64>().unwrap() > businesses.parse::<u64>().unwrap());
}

#[test]
fn a_pair_says_what_its_weight_is_made_of() {
    let folder = demo();
    let weighed: u64 = query_one(
        folder,
        "select count(*) from linkage.workplace_pair where pass = 'probabilistic'",
    )
    .parse()
    .unwrap();
    assert!(weighed > 100, "{weighed} pairs weighed");
    // Without the rare-name part, a weight is the prior plus what each level adds.
    let off = query_one(
        folder,
        "select count(*) from linkage.workplace_pair p \
         join linkage.workplace_weight w0 on w0.comparison = 'prior' \
         join linkage.workplace_weight w1 on w1.comparison = 'firm_name' and w1.level = p.level_firm_name \
         join linkage.workplace_weight w2 on w2.comparison = 'number_prefix' and w2.level = p.level_number_prefix \
         join linkage.workplace_weight w3 on w3.comparison = 'region' and w3.level = p.level_region \
         join linkage.workplace_weight w4 on w4.comparison = 'road' and w4.level = p.level_road \
         join linkage.workplace_weight w5 on w5.comparison = 'started_on' and w5.level = p.level_started_on \
         join linkage.workplace_weight w6 on w6.comparison = 'headcount' and w6.level = p.level_headcount \
         where p.level_firm_name < 4 and abs(p.match_weight - w0.weight - w1.weight - w2.weight - w3.weight \
         - w4.weight - w5.weight - w6.weight) > 0.001",
    );
    assert_eq!(off, "0");
}
