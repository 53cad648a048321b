//! The crate from outside: settings and records in, pairs and clusters out.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;

use crate::{
    LinkageError, Linker, LinkerBuilder, Parameters, Pass, Refusal, ScoredPair, Settings, Summary,
};

const SETTINGS: &str = "
link_type: link_only
threshold: 0.0
blocking:
  - l.name = r.name
  - l.post = r.post and substr(l.name, 1, 1) = substr(r.name, 1, 1)
comparisons:
  - name: name
    column: name
    term_frequency: {}
    levels: [{when: exact}, {when: jaro_winkler, at_least: 0.8}]
  - name: number
    column: number
    levels: [{when: exact}, {when: one_is_prefix, length: 3}]
  - name: heads
    column: heads
    levels: [{when: number_within, difference: 1}, {when: number_within, ratio: 0.5}]
estimate:
  prior: {probability: 0.01}
  u_pairs: 20000
cluster: {threshold: 0.5, identifying: [number]}
";

type Row<'a> = (&'a str, &'a str, &'a str, &'a str, i64);

fn batch(rows: &[Row<'_>]) -> RecordBatch {
    let text = |of: fn(&Row<'_>) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let heads: Int64Array = rows.iter().map(|row| row.4).collect();
    RecordBatch::try_from_iter([
        ("id", text(|row| row.0.to_owned())),
        ("name", text(|row| row.1.to_owned())),
        ("post", text(|row| row.2.to_owned())),
        ("number", text(|row| row.3.to_owned())),
        ("heads", Arc::new(heads) as ArrayRef),
    ])
    .unwrap()
}

fn linker(settings: &str, sources: &[&[Row<'_>]], threads: usize) -> Linker {
    let mut builder = LinkerBuilder::new(Settings::from_yaml(settings).unwrap()).unwrap();
    for (number, rows) in sources.iter().enumerate() {
        let source = builder.add_source(["left", "right", "third"][number]);
        builder.push(source, &batch(rows)).unwrap();
    }
    builder.finish(threads).unwrap()
}

fn link(linker: &Linker, parameters: &Parameters) -> (Vec<ScoredPair>, Summary) {
    let mut pairs = Vec::new();
    let summary = linker.link(parameters, |batch| {
        assert_eq!(linker.record_batch(&batch)?.num_rows(), batch.len());
        pairs.extend(batch.scored());
        Ok::<(), LinkageError>(())
    });
    (pairs, summary.unwrap())
}

const LEFT: &[Row<'_>] = &[
    ("1", "가온물산", "100", "1234567890", 10),
    ("2", "가온정밀", "100", "", 5),
    ("3", "나래식품", "200", "2223334445", 7),
    ("4", "나래식품", "300", "", 1),
];
const RIGHT: &[Row<'_>] = &[
    ("1", "가온물산", "100", "123456", 11),
    ("2", "가온물상", "100", "", 9),
    ("3", "나래식품", "200", "2223334445", 8),
    ("4", "다솜", "400", "", 0),
];

/// Many firms with few names and few places, so that blocks are large.
fn crowd(seed: u64, count: usize) -> Vec<(String, String, String, String, i64)> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let syllables: Vec<char> = "가나다라마바사아".chars().collect();
    (0..count)
        .map(|id| {
            let name: String = (0..3).map(|_| syllables[draw.random_range(0..8)]).collect();
            let post = draw.random_range(0..20).to_string();
            let number = match draw.random_range(0..3) {
                0 => String::new(),
                _ => (1000 + draw.random_range(0..500)).to_string(),
            };
            (id.to_string(), name, post, number, draw.random_range(0..40))
        })
        .collect()
}

fn rows(crowd: &[(String, String, String, String, i64)]) -> Vec<Row<'_>> {
    let rows = crowd.iter();
    rows.map(|r| (r.0.as_str(), r.1.as_str(), r.2.as_str(), r.3.as_str(), r.4))
        .collect()
}

#[test]
fn a_pair_of_an_earlier_rule_is_not_repeated_by_a_later_one() {
    let linker = linker(SETTINGS, &[LEFT, RIGHT], 1);
    let (pairs, summary) = link(&linker, &linker.estimate().unwrap());
    let mut found: Vec<(u32, u32)> = pairs.iter().map(|pair| (pair.left, pair.right)).collect();
    found.sort_unstable();
    // by name: 1-1, 3-3, 4-3; by place and first letter what is left: 1-2, 2-1, 2-2
    assert_eq!(found, [(0, 4), (0, 5), (1, 4), (1, 5), (2, 6), (3, 6)]);
    let counted: Vec<(u64, u64)> = summary
        .rules
        .iter()
        .map(|r| (r.compared, r.pairs))
        .collect();
    assert_eq!(counted, [(3, 3), (3, 3)]);
    assert_eq!(linker.id(4), "1");
    assert_eq!(linker.source_name(linker.source_of(4)), "right");
    assert_eq!(linker.row(1, "3"), Some(6));
    assert_eq!(linker.row(1, "9"), None);
    assert_eq!(linker.value(2, "post"), Some("200"));
    assert_eq!(linker.value(1, "number"), None);
}

#[test]
fn stopping_early_loses_no_pair_and_threads_change_nothing() {
    let (a, b) = (crowd(1, 1500), crowd(2, 1500));
    let (a, b) = (rows(&a), rows(&b));
    let all = linker(SETTINGS, &[&a, &b], 1);
    let parameters = all.estimate().unwrap();
    let (pairs, _) = link(&all, &parameters);
    let keys = pairs.iter().map(|pair| (pair.left, pair.right));
    let distinct: std::collections::BTreeSet<(u32, u32)> = keys.collect();
    assert_eq!(distinct.len(), pairs.len());
    let blocked = |l: &Row<'_>, r: &Row<'_>| {
        l.1 == r.1 || l.2 == r.2 && l.1.chars().next() == r.1.chars().next()
    };
    let by_hand = a.iter().map(|l| b.iter().filter(|r| blocked(l, r)).count());
    assert_eq!(pairs.len(), by_hand.sum::<usize>());
    for threshold in ["0.001", "0.2", "0.9"] {
        let settings = SETTINGS.replace("threshold: 0.0", &format!("threshold: {threshold}"));
        let some = linker(&settings, &[&a, &b], 2);
        assert_eq!(some.estimate().unwrap(), parameters);
        let (found, _) = link(&some, &parameters);
        let limit: f64 = threshold.parse().unwrap();
        let expected: Vec<ScoredPair> = pairs
            .iter()
            .copied()
            .filter(|pair| pair.probability >= limit)
            .collect();
        assert!(
            !expected.is_empty() && expected.len() < pairs.len(),
            "{threshold}"
        );
        assert_eq!(found, expected, "{threshold}");
    }
}

#[test]
fn a_block_above_the_limit_is_skipped_and_reported() {
    let (a, b) = (crowd(3, 400), crowd(4, 400));
    let crowded = rows(&b);
    let settings = SETTINGS
        .replace("threshold: 0.0", "threshold: 0.0\nmax_block_pairs: 20")
        .replace("and substr(l.name, 1, 1) = substr(r.name, 1, 1)", "");
    let linker = linker(&settings, &[&rows(&a), &crowded], 2);
    let (pairs, summary) = link(&linker, &linker.estimate().unwrap());
    let by_place: Vec<_> = summary
        .skipped_blocks
        .iter()
        .filter(|b| b.rule.contains("post"))
        .collect();
    assert_eq!(by_place.len(), 20, "every place has about 20 × 20 pairs");
    assert!(
        by_place
            .iter()
            .all(|block| block.key.parse::<u32>().is_ok())
    );
    let total: u64 = summary.skipped_blocks.iter().map(|block| block.pairs).sum();
    assert_eq!(summary.skipped_pairs, total);
    let place = by_place[0];
    let of = |source: &[Row<'_>]| source.iter().filter(|r| r.2 == place.key).count() as u64;
    assert_eq!(
        (place.left_rows, place.right_rows),
        (of(&rows(&a)) + of(&crowded), of(&rows(&a)) + of(&crowded))
    );
    assert_eq!(place.pairs, of(&rows(&a)) * of(&crowded));
    assert!(!pairs.is_empty(), "small blocks are looked at");
}

#[rstest]
#[case("accept", &[(2, 6), (3, 6)])]
#[case("leave", &[])]
fn deterministic_passes_take_their_records_out(
    #[case] ambiguous: &str,
    #[case] expected: &[(u32, u32)],
) {
    let settings = format!(
        "{SETTINGS}\ndeterministic: [{{rule: l.name = r.name, probability: 0.999, ambiguous: {ambiguous}}}]"
    );
    let linker = linker(&settings, &[&LEFT[2..], &RIGHT[2..]], 1);
    let parameters = linker.estimate().unwrap();
    let mut by_pass = Vec::new();
    linker
        .link(&parameters, |batch| {
            by_pass.push((batch.pass, batch.clone()));
            Ok::<(), LinkageError>(())
        })
        .unwrap();
    let sure: Vec<(u32, u32)> = by_pass
        .iter()
        .filter(|(pass, _)| *pass == Pass::Deterministic)
        .flat_map(|(_, batch)| batch.scored().map(|pair| (pair.left + 2, pair.right + 4)))
        .collect();
    assert_eq!(sure, expected);
    let weighed = by_pass
        .iter()
        .filter(|(pass, _)| *pass == Pass::Probabilistic);
    let weighed: usize = weighed.map(|(_, batch)| batch.len()).sum();
    assert_eq!(weighed, if expected.is_empty() { 2 } else { 0 });
    for (_, batch) in by_pass
        .iter()
        .filter(|(pass, _)| *pass == Pass::Deterministic)
    {
        assert!(batch.probability.iter().all(|p| (p - 0.999).abs() < 1e-9));
    }
}

#[test]
fn two_clusters_that_are_each_identified_are_never_chained() {
    let settings = SETTINGS.replace("link_only", "dedupe");
    let people: &[Row<'_>] = &[
        ("a", "가온", "1", "1111111111", 1),
        ("b", "가온", "1", "", 1),
        ("c", "가온", "1", "2222222222", 1),
    ];
    let linker = linker(&settings, &[people], 1);
    let pair = |left, right, match_weight: f64| ScoredPair {
        left,
        right,
        probability: crate::probability_of_weight(match_weight),
        match_weight,
    };
    let clusters = linker
        .cluster(&[pair(0, 1, 5.0), pair(1, 2, 9.0), pair(0, 2, -3.0)])
        .unwrap();
    assert_eq!(
        clusters.cluster_of,
        [0, 1, 1],
        "the stronger pair is joined"
    );
    assert_eq!(
        clusters.refused.len(),
        1,
        "a pair below the threshold is not even tried"
    );
    assert_eq!(
        clusters.refused[0].reason,
        Refusal::Identified("number".to_owned())
    );
    assert!(linker.cluster(&[pair(0, 3, 1.0)]).is_err());
}

#[test]
fn one_record_of_a_source_is_the_most_where_the_settings_say_so() {
    let settings = SETTINGS.replace("identifying: [number]", "one_per_source: true");
    let linker = linker(&settings, &[LEFT, RIGHT], 1);
    let pair = |left, right, match_weight| ScoredPair {
        left,
        right,
        probability: 0.9,
        match_weight,
    };
    let clusters = linker
        .cluster(&[pair(0, 4, 3.0), pair(1, 4, 4.0), pair(1, 5, 1.0)])
        .unwrap();
    assert_eq!(clusters.cluster_of[..6], [0, 1, 2, 3, 1, 5]);
    let reasons: Vec<_> = clusters
        .refused
        .iter()
        .map(|refused| &refused.reason)
        .collect();
    let same = |name: &str| Refusal::SameSource(name.to_owned());
    assert_eq!(reasons, [&same("left"), &same("right")]);
}

#[test]
fn the_waterfall_ends_at_the_weight_of_the_pair() {
    let linker = linker(SETTINGS, &[LEFT, RIGHT], 1);
    let parameters = linker.estimate().unwrap();
    let (pairs, _) = link(&linker, &parameters);
    for pair in &pairs {
        let why = linker.explain(&parameters, pair.right, pair.left).unwrap();
        assert_eq!(why.match_weight, pair.match_weight);
        assert_eq!(why.probability, pair.probability);
        assert_eq!(why.steps.last().unwrap().running_weight, pair.match_weight);
    }
    let why = linker.explain(&parameters, 0, 4).unwrap();
    let levels: Vec<i8> = why.steps.iter().map(|step| step.level).collect();
    assert_eq!(levels, [2, 1, 2]);
    assert_ne!(why.steps[0].term_frequency_weight, 0.0);
    assert!(
        why.to_string()
            .contains("one number begins the other, 3 or more"),
        "{why}"
    );
    let why = linker.explain(&parameters, 1, 7).unwrap();
    let levels: Vec<i8> = why.steps.iter().map(|step| step.level).collect();
    assert_eq!(levels, [0, -1, 0]);
    assert!(linker.explain(&parameters, 0, 8).is_err());
}

#[test]
fn agreement_on_a_rare_name_weighs_more_than_on_a_frequent_one() {
    let linker = linker(SETTINGS, &[LEFT, RIGHT], 1);
    let parameters = linker.estimate().unwrap();
    let weight = |left, right| {
        let step = &linker.explain(&parameters, left, right).unwrap().steps[0];
        step.weight + step.term_frequency_weight
    };
    // 가온물산 stands twice, 나래식품 three times
    assert!(weight(0, 4) > weight(2, 6));
}

#[test]
fn parameters_come_back_from_json_and_other_settings_refuse_them() {
    let first = linker(SETTINGS, &[LEFT, RIGHT], 1);
    let parameters = first.estimate().unwrap();
    let text = serde_json::to_string(&parameters).unwrap();
    let read: Parameters = serde_json::from_str(&text).unwrap();
    assert_eq!(
        link(&first, &read).0.len(),
        link(&first, &parameters).0.len()
    );
    let other = SETTINGS.replace(", {when: jaro_winkler, at_least: 0.8}", "");
    let other = linker(&other, &[LEFT, RIGHT], 1);
    let refused = other.link(&parameters, |_| Ok::<(), LinkageError>(()));
    assert!(matches!(refused, Err(LinkageError::Parameters(_))));
}

#[test]
fn stated_weights_are_used_as_they_stand() {
    let settings = SETTINGS.replace(
        "  u_pairs: 20000",
        "  fixed: {number: {m: [0.7, 0.2, 0.1], u: [0.001, 0.009, 0.99]}}",
    );
    let parameters = linker(&settings, &[LEFT, RIGHT], 1).estimate().unwrap();
    let number = &parameters.comparisons[1];
    assert_eq!(number.levels[0].m, 0.7);
    assert_eq!(number.levels[2].u, 0.99);
    let wrong = settings.replace("0.001, ", "");
    let error = linker(&wrong, &[LEFT, RIGHT], 1)
        .estimate()
        .unwrap_err()
        .to_string();
    assert!(error.contains("estimate.fixed.number"), "{error}");
}

#[rstest]
#[case("l.name", "write conditions joined by 'and'")]
#[case(
    "l.name = r.name or l.post = r.post",
    "operator 'OR' is not understood"
)]
#[case("l.name = l.post", "look at the same record")]
#[case("x.name = r.name", "'x' is neither l nor r")]
#[case("name = r.name", "not understood")]
#[case("levenshtein(l.name, r.name) < 2", "needs an equality")]
#[case(
    "soundex(l.name) = soundex(r.name)",
    "the function 'soundex' is not understood"
)]
#[case("l.name = r.name; drop table t", "';' was not expected")]
#[case("substr(l.name) = substr(r.name)", "'substr'")]
#[case("concat(l.name, r.post) = r.name", "looks at both l and r")]
#[case("l.name = r.name and l.post < r.post", "only distances are compared")]
#[case("l.name = ", "Expected")]
fn a_rule_outside_the_subset_is_refused_by_name(#[case] rule: &str, #[case] expected: &str) {
    let settings = SETTINGS.replace("  - l.name = r.name\n", &format!("  - \"{rule}\"\n"));
    let error = LinkerBuilder::new(Settings::from_yaml(&settings).unwrap()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(expected), "{text}");
    assert!(text.contains(&format!("'{rule}'")), "{text}");
}

#[rstest]
#[case("l.name = r.name and levenshtein(l.post, r.post) <= 0", &[(0, 4), (2, 6)])]
#[case("l.name = r.name and l.post <> r.post", &[(3, 6)])]
#[case("right(l.name, 2) = right(r.name, 2) and r.number is not null", &[(0, 4), (2, 6), (3, 6)])]
#[case("left(l.name, 1) || l.post = left(r.name, 1) || r.post and abs(l.heads - r.heads) <= 1", &[(0, 4), (0, 5), (2, 6)])]
#[case("l.id = r.heads", &[(3, 5)])]
#[case("length(l.name) = length(r.name) and jaro_winkler_similarity(l.name, r.name) > 0.86 and l.post = r.post", &[(0, 4), (0, 5), (2, 6)])]
fn rules_find_the_pairs_that_sql_would(#[case] rule: &str, #[case] expected: &[(u32, u32)]) {
    let blocking = SETTINGS.find("blocking:").unwrap()..SETTINGS.find("comparisons:").unwrap();
    let mut settings = SETTINGS.to_owned();
    settings.replace_range(blocking, &format!("blocking: [\"{rule}\"]\n"));
    let right: Vec<Row<'_>> = RIGHT
        .iter()
        .map(|r| {
            if r.4 == 9 {
                ("2", r.1, r.2, r.3, 9)
            } else {
                *r
            }
        })
        .collect();
    let left: Vec<Row<'_>> = LEFT
        .iter()
        .map(|r| {
            if r.0 == "4" {
                ("9", r.1, r.2, r.3, r.4)
            } else {
                *r
            }
        })
        .collect();
    let linker = linker(&settings, &[&left, &right], 1);
    let parameters = linker.estimate().unwrap();
    let (pairs, _) = link(&linker, &parameters);
    let mut found: Vec<(u32, u32)> = pairs.iter().map(|pair| (pair.left, pair.right)).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[rstest]
#[case("link_type: link_only", "link_type: both", "link_type")]
#[case(
    "when: exact}, {when: one",
    "when: same}, {when: one",
    "unknown variant"
)]
#[case(
    "at_least: 0.8",
    "at_least: 8",
    "comparison name, level 2: needs 'at_least' from 0 to 1"
)]
#[case("probability: 0.01", "probability: 2", "estimate.prior.probability")]
#[case(
    "{probability: 0.01}",
    "{rules: [l.name = r.name]}",
    "rules and recall belong together"
)]
#[case("threshold: 0.0", "threshold: 0.0\nrecords: 1", "unknown field")]
#[case("- name: heads", "- name: name", "the name is used twice")]
fn settings_that_make_no_sense_are_refused(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: &str,
) {
    assert!(SETTINGS.contains(from));
    let error = Settings::from_yaml(&SETTINGS.replace(from, to))
        .and_then(LinkerBuilder::new)
        .unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn records_that_cannot_be_linked_are_refused_by_source() {
    let builder = || LinkerBuilder::new(Settings::from_yaml(SETTINGS).unwrap()).unwrap();
    let mut twice = builder();
    let source = twice.add_source("left");
    twice.push(source, &batch(&[LEFT[0], LEFT[0]])).unwrap();
    let error = twice.finish(1).unwrap_err().to_string();
    assert_eq!(
        error,
        "source left: id is not unique, row 2 has that of an earlier row"
    );
    let mut narrow = builder();
    let source = narrow.add_source("left");
    let error = narrow
        .push(source, &batch(LEFT).project(&[0, 1]).unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "source left has no column number; it has id, name"
    );
    let mut late = builder();
    let first = late.add_source("left");
    late.add_source("right");
    assert!(late.push(first, &batch(LEFT)).is_err());
    let alone = linker(SETTINGS, &[LEFT], 1);
    assert!(alone.estimate().is_err());
}
