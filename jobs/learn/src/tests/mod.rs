//! Tests of the crate as a whole, on invented rows with a known truth and on the
//! real labelled data of the shared folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod competition;
mod model;
mod real_data;
mod sabotage;
mod temporal;

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::newton::logistic;
use crate::{DatasetSpec, FeatureSpec, GroupSpec};

/// 2024-01-01 as days since 1970-01-01.
const START: i32 = 19_723;
/// Follow-up of 180 days and a reporting lag of 45.
const KNOWN_AFTER: i32 = 225;

/// Invented registrations over `days` days with the probability that made each
/// outcome.
struct Invented {
    batch: RecordBatch,
    oracle: Vec<f64>,
}

fn invented(rows: usize, days: i32, seed: u64) -> Invented {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut entered = Vec::new();
    let mut age: Vec<Option<f64>> = Vec::new();
    let mut months = Vec::new();
    let mut occupation = Vec::new();
    let mut sex = Vec::new();
    let mut licence: Vec<Option<bool>> = Vec::new();
    let mut label = Vec::new();
    let mut oracle = Vec::new();
    for row in 0..rows {
        entered.push(START + (row as i64 * i64::from(days) / rows as i64) as i32);
        let years = 20.0 + 45.0 * random.random::<f64>();
        let known = random.random::<f64>() > 0.1;
        age.push(known.then_some(years));
        let experience = (random.random::<f64>() * 240.0).floor();
        months.push(experience);
        let code = (random.random::<f64>().powi(2) * 12.0) as usize;
        occupation.push(format!("{:03}", 11 + code));
        sex.push(if random.random::<f64>() < 0.5 {
            "f"
        } else {
            "m"
        });
        let has_licence = random.random::<f64>() < 0.3;
        licence.push((random.random::<f64>() > 0.05).then_some(has_licence));
        let log_odds = 0.4 - 0.05 * (years - 42.0)
            + 0.006 * (experience - 120.0)
            + 0.25 * (code as f64 % 4.0 - 1.5)
            + if has_licence { 0.7 } else { 0.0 };
        let probability = logistic(log_odds);
        oracle.push(probability);
        label.push(random.random::<f64>() < probability);
    }
    let known: Vec<i32> = entered.iter().map(|day| day + KNOWN_AFTER).collect();
    let age_band: Vec<Option<String>> = age
        .iter()
        .map(|age| age.map(|age| format!("{}", (age / 10.0).floor() * 10.0)))
        .collect();
    let batch = RecordBatch::try_from_iter(vec![
        (
            "person_key",
            Arc::new(Int64Array::from_iter_values(
                (0..rows as i64).map(|row| row * 7_919 % 1_000_003),
            )) as ArrayRef,
        ),
        ("registered_on", Arc::new(Date32Array::from(entered))),
        ("acquired", Arc::new(BooleanArray::from(label))),
        ("known_on", Arc::new(Date32Array::from(known))),
        ("age", Arc::new(Float64Array::from(age))),
        ("career_months", Arc::new(Float64Array::from(months))),
        ("occupation", Arc::new(StringArray::from(occupation))),
        ("sex", Arc::new(StringArray::from(sex))),
        ("licence", Arc::new(BooleanArray::from(licence))),
        ("age_band", Arc::new(StringArray::from(age_band))),
    ])
    .unwrap();
    Invented { batch, oracle }
}

fn spec() -> DatasetSpec {
    DatasetSpec {
        entity: "person_key".to_owned(),
        entered_on: "registered_on".to_owned(),
        label: "acquired".to_owned(),
        label_known_on: "known_on".to_owned(),
        features: vec![
            FeatureSpec::numeric("age", "나이", "age"),
            FeatureSpec::numeric("career_months", "경력개월", "months of experience"),
            FeatureSpec::categorical("occupation", "희망직종", "occupation wished"),
            FeatureSpec::boolean("licence", "자격증", "licence"),
        ],
        groups: vec![
            GroupSpec::new("sex", "성별", "sex"),
            GroupSpec::new("age_band", "연령대", "age band"),
            GroupSpec::new("occupation", "희망직종", "occupation wished"),
        ],
        max_rows: None,
        seed: 1,
    }
}

/// The batch with one column replaced or added.
fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| field.name() != name)
        .map(|(field, column)| (field.name().clone(), column.clone()))
        .collect();
    columns.push((name.to_owned(), column));
    RecordBatch::try_from_iter(columns).unwrap()
}
