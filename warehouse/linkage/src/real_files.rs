//! Published data sets that nobody here made, linked and compared with their truth.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use crate::evaluate::{Labels, Prediction, best_threshold, error_by_threshold};
use crate::testing::shared;
use crate::{Linker, LinkerBuilder, ScoredPair, Settings};

/// Reads delimited text, every column as text, names trimmed.
fn read(path: &Path, delimiter: u8) -> RecordBatch {
    let header = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let header = header.lines().next().unwrap().to_owned();
    let fields: Vec<Field> = header
        .split(delimiter as char)
        .map(|name| Field::new(name.trim(), DataType::Utf8, true))
        .collect();
    let mut reader = arrow_csv::ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_header(true)
        .with_delimiter(delimiter)
        .with_batch_size(100_000)
        .build(std::fs::File::open(path).unwrap())
        .unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none());
    let trimmed = batch.columns().iter().map(|column| {
        use arrow_array::cast::AsArray;
        let values = column.as_string::<i32>().iter();
        Arc::new(
            values
                .map(|value| value.map(str::trim))
                .collect::<StringArray>(),
        ) as ArrayRef
    });
    RecordBatch::try_new(batch.schema(), trimmed.collect()).unwrap()
}

fn linker(settings: &str, sources: &[(&str, &RecordBatch)], threads: usize) -> Linker {
    let mut builder = LinkerBuilder::new(Settings::from_yaml(settings).unwrap()).unwrap();
    for (name, batch) in sources {
        let source = builder.add_source(name);
        builder.push(source, batch).unwrap();
    }
    builder.finish(threads).unwrap()
}

fn pairs(linker: &Linker) -> Vec<ScoredPair> {
    let parameters = linker.estimate().unwrap();
    let mut pairs = Vec::new();
    linker
        .link(&parameters, |batch| {
            pairs.extend(batch.scored());
            Ok::<(), crate::LinkageError>(())
        })
        .unwrap();
    pairs
}

fn predictions(pairs: &[ScoredPair]) -> Vec<Prediction<u32>> {
    let predictions = pairs.iter().map(|pair| Prediction {
        left: pair.left,
        right: pair.right,
        probability: pair.probability,
    });
    predictions.collect()
}

const FEBRL4: &str = include_str!("../../../tests/bench/linkage/febrl4.yml");
const FAKE_1000: &str = include_str!("../../../tests/bench/linkage/fake_1000.yml");
const DBLP_ACM: &str = include_str!("../../../tests/bench/linkage/dblp_acm.yml");

fn febrl4() -> Option<(RecordBatch, RecordBatch)> {
    let a = shared("linkage/febrl_4a.csv")?;
    let b = shared("linkage/febrl_4b.csv")?;
    Some((read(&a, b','), read(&b, b',')))
}

#[test]
fn febrl_4a_and_4b_are_linked_with_f1_of_99_percent_and_alike_on_two_threads() {
    let Some((a, b)) = febrl4() else { return };
    let one = linker(FEBRL4, &[("a", &a), ("b", &b)], 1);
    let found = pairs(&one);
    let two = linker(FEBRL4, &[("a", &a), ("b", &b)], 2);
    assert_eq!(one.estimate().unwrap(), two.estimate().unwrap());
    assert_eq!(found, pairs(&two));
    let truth: Vec<(u32, u32)> = (0..5000)
        .map(|number| {
            let row = |source, id: String| one.row(source, &id).unwrap();
            (
                row(0, format!("rec-{number}-org")),
                row(1, format!("rec-{number}-dup-0")),
            )
        })
        .collect();
    let truth = Labels::Complete(truth);
    let at_half = error_by_threshold(&predictions(&found), &truth, &[0.5])[0].error;
    assert!(at_half.f1().unwrap() >= 0.99, "{at_half:?}");
    let clusters = one.cluster(&found).unwrap();
    let mut sizes: BTreeMap<u32, u32> = BTreeMap::new();
    for root in clusters.cluster_of {
        *sizes.entry(root).or_default() += 1;
    }
    assert!(sizes.values().all(|size| *size <= 2), "one of each source");
}

#[test]
fn fake_1000_is_deduplicated_with_a_best_f1_of_86_percent() {
    let Some(path) = shared("linkage/fake_1000.csv") else {
        return;
    };
    let people = read(&path, b',');
    let linker = linker(FAKE_1000, &[("fake_1000", &people)], 2);
    let found = pairs(&linker);
    let cluster_of = |row: u32| value_of(&people, "cluster", row);
    let mut truth = Vec::new();
    for a in 0..1000 {
        let same = (a + 1..1000).filter(|&b| cluster_of(a) == cluster_of(b));
        truth.extend(same.map(|b| (a, b)));
    }
    let best = best_threshold(&predictions(&found), &Labels::Complete(truth)).unwrap();
    assert!(best.error.f1().unwrap() >= 0.855, "{best:?}");
}

#[test]
fn dblp_and_acm_are_linked_with_a_best_f1_of_96_percent() {
    let Some(dblp) = shared("linkage/D4_dblp.csv") else {
        return;
    };
    let (Some(acm), Some(truth)) = (shared("linkage/D4_acm.csv"), shared("linkage/D4_gt.csv"))
    else {
        return;
    };
    let (dblp, acm) = (settled(&read(&dblp, b'%')), settled(&read(&acm, b'%')));
    let truth = read(&truth, b'%');
    let linker = linker(DBLP_ACM, &[("dblp", &dblp), ("acm", &acm)], 2);
    let found = pairs(&linker);
    let row = |source, column, at| linker.row(source, &value_of(&truth, column, at)).unwrap();
    let truth: Vec<(u32, u32)> = (0..truth.num_rows() as u32)
        .map(|at| (row(0, "D1", at), row(1, "D2", at)))
        .collect();
    let best = best_threshold(&predictions(&found), &Labels::Complete(truth)).unwrap();
    assert!(best.error.f1().unwrap() >= 0.965, "{best:?}");
}

/// Titles in lower case, authors in lower case and sorted, as the settings say.
fn settled(batch: &RecordBatch) -> RecordBatch {
    use arrow_array::cast::AsArray;
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let values = column.as_string::<i32>().iter();
            let settled: StringArray = match field.name().as_str() {
                "title" => values.map(|value| value.map(str::to_lowercase)).collect(),
                "authors" => values.map(|value| value.map(sorted)).collect(),
                _ => return column.clone(),
            };
            Arc::new(settled) as ArrayRef
        });
    RecordBatch::try_new(batch.schema(), columns.collect()).unwrap()
}

fn sorted(authors: &str) -> String {
    let authors = authors.to_lowercase();
    let mut authors: Vec<&str> = authors.split(", ").collect();
    authors.sort_unstable();
    authors.join(", ")
}

fn value_of(batch: &RecordBatch, column: &str, row: u32) -> String {
    use arrow_array::cast::AsArray;
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.value(row as usize).to_owned()
}
