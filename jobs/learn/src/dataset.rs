//! Labelled rows in compact form: one row per entity and entry date.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::column::{self, ColumnData, EntityKeys, MISSING, select};
use crate::error::LearnError;
use crate::feature::{FeatureKind, FeatureSpec};
use crate::sampling;

/// A column kept beside the features, for subgroups and one-variable baselines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// The column; read as a category.
    pub column: String,
    /// Its name in Korean.
    pub label_ko: String,
    /// Its name in English.
    pub label_en: String,
}

impl GroupSpec {
    /// A group column with its names.
    pub fn new(column: &str, label_ko: &str, label_en: &str) -> Self {
        GroupSpec {
            column: column.to_owned(),
            label_ko: label_ko.to_owned(),
            label_en: label_en.to_owned(),
        }
    }
}

/// Which columns of a feature table play which part.
#[derive(Debug, Clone)]
pub struct DatasetSpec {
    /// The key of the entity (a whole number or text); (entity, entry date) is unique.
    pub entity: String,
    /// The day the follow-up begins, for example the day of registration.
    pub entered_on: String,
    /// The outcome: true, false, or null while it is not known.
    pub label: String,
    /// The day the outcome is or will be known: entry + follow-up + reporting
    /// lag, the same for success and failure, never null.
    pub label_known_on: String,
    /// The features.
    pub features: Vec<FeatureSpec>,
    /// Columns for subgroups and baselines; they may repeat features.
    pub groups: Vec<GroupSpec>,
    /// At most this many rows are held; `None` holds all.
    pub max_rows: Option<usize>,
    /// Seed of the draw when there are more rows.
    pub seed: u64,
}

/// Labelled rows, sorted by entry date and a hash of the entity key, so that the
/// order and the cutting of the batches they came in leave no trace.
#[derive(Debug)]
pub struct Dataset {
    pub(crate) spec: DatasetSpec,
    pub(crate) entities: EntityKeys,
    pub(crate) identities: Vec<u128>,
    /// Equal numbers belong together: rows of one person, else of one entity.
    pub(crate) clusters: Vec<u64>,
    pub(crate) entered_on: Vec<i32>,
    pub(crate) labels: Vec<Option<bool>>,
    pub(crate) label_known_on: Vec<i32>,
    pub(crate) features: Vec<ColumnData>,
    pub(crate) groups: Vec<ColumnData>,
    /// Rows delivered by month of entry, before any row budget.
    pub(crate) month_totals: BTreeMap<i32, u64>,
}

/// Builds a [`Dataset`] from batches as they arrive; with a row budget memory is
/// bounded by the budget, not by the table.
#[derive(Debug)]
pub struct DatasetBuilder {
    dataset: Dataset,
    cluster: Option<String>,
    seen: u64,
}

impl DatasetBuilder {
    /// An empty data set.
    pub fn new(spec: DatasetSpec) -> Self {
        let features = spec
            .features
            .iter()
            .map(|feature| ColumnData::new(feature.kind))
            .collect();
        let groups = spec
            .groups
            .iter()
            .map(|_| ColumnData::new(FeatureKind::Categorical))
            .collect();
        DatasetBuilder {
            dataset: Dataset {
                spec,
                entities: EntityKeys::Numbers(Vec::new()),
                identities: Vec::new(),
                clusters: Vec::new(),
                entered_on: Vec::new(),
                labels: Vec::new(),
                label_known_on: Vec::new(),
                features,
                groups,
                month_totals: BTreeMap::new(),
            },
            cluster: None,
            seen: 0,
        }
    }

    /// Rows that share this column, such as a person's key, are not independent; without
    /// it rows of one entity are not. A row without a value stands by its entity.
    pub fn clustered_by(mut self, column: &str) -> Self {
        self.cluster = Some(column.to_owned());
        self
    }

    /// Adds the rows of a batch. Columns are found by name; others are ignored.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), LearnError> {
        let dataset = &mut self.dataset;
        let spec = &dataset.spec;
        let entity = column::find(batch, &spec.entity, "entity key")?;
        if dataset.identities.is_empty() {
            dataset.entities = EntityKeys::new(entity.data_type());
        }
        let first = dataset.identities.len();
        dataset.entities.append(&spec.entity, entity)?;

        let entered_on = column::find(batch, &spec.entered_on, "entry date")?;
        let entered_on = column::dates(&spec.entered_on, entered_on)?;
        column::refuse_nulls(
            &spec.entered_on,
            &entered_on,
            "every row needs its entry date",
        )?;
        dataset.entered_on.extend(entered_on.values());

        let labels = column::find(batch, &spec.label, "label")?;
        let labels = column::booleans(&spec.label, labels)?;
        let known = column::find(batch, &spec.label_known_on, "label knowledge date")?;
        let known = column::dates(&spec.label_known_on, known)?;
        column::refuse_nulls(
            &spec.label_known_on,
            &known,
            "every row needs the date on which its label is or will be known",
        )?;
        dataset.labels.extend(labels.iter());
        dataset.label_known_on.extend(known.values());

        for (feature, data) in spec.features.iter().zip(&mut dataset.features) {
            let array = column::find(batch, &feature.name, "feature")?;
            data.append(feature.kind, &feature.name, array)?;
        }
        for (group, data) in spec.groups.iter().zip(&mut dataset.groups) {
            let array = column::find(batch, &group.column, "group")?;
            data.append(FeatureKind::Categorical, &group.column, array)?;
        }
        let named = match &self.cluster {
            Some(column) => {
                let keys = column::find(batch, column, "cluster")?;
                column::hashes(column, keys)?
            }
            None => vec![None; batch.num_rows()],
        };
        let clusters = named.into_iter().enumerate();
        dataset.clusters.extend(
            clusters
                .map(|(row, named)| named.unwrap_or_else(|| dataset.entities.hash(first + row))),
        );
        for row in first..dataset.entered_on.len() {
            let day = dataset.entered_on[row];
            *dataset.month_totals.entry(month_of_day(day)).or_default() += 1;
            let identity = identity(&dataset.entities, row, day);
            dataset.identities.push(identity);
        }
        self.seen += batch.num_rows() as u64;
        if let Some(budget) = self.dataset.spec.max_rows
            && self.dataset.len() > budget.saturating_mul(2).max(1)
        {
            self.drop_above_threshold(budget);
        }
        Ok(())
    }

    /// Sorts the rows, applies the row budget and checks the grain.
    pub fn finish(mut self) -> Result<Dataset, LearnError> {
        if let Some(budget) = self.dataset.spec.max_rows
            && self.seen > budget as u64
        {
            self.drop_above_threshold(budget);
        }
        let mut dataset = self.dataset;
        let columns = dataset.features.iter_mut().chain(&mut dataset.groups);
        columns.for_each(ColumnData::order_categories);
        let mut order: Vec<u32> = (0..dataset.len() as u32).collect();
        order.sort_unstable_by_key(|row| {
            let row = *row as usize;
            (dataset.entered_on[row], dataset.identities[row])
        });
        let duplicates = order
            .windows(2)
            .filter(|pair| {
                dataset.identities[pair[0] as usize] == dataset.identities[pair[1] as usize]
            })
            .count();
        if duplicates > 0 {
            return Err(LearnError::DuplicateRows { rows: duplicates });
        }
        dataset.select(&order);
        if let Some(budget) = dataset.spec.max_rows {
            let rows: Vec<u32> = (0..dataset.len() as u32).collect();
            let kept = sampling::stratified_by_month(
                &rows,
                budget,
                |row| dataset.month(row),
                |row| dataset.draw(row, dataset.spec.seed),
                &dataset.month_totals,
            );
            if kept.len() < dataset.len() {
                dataset.select(&kept);
            }
        }
        Ok(dataset)
    }

    fn drop_above_threshold(&mut self, budget: usize) {
        let threshold = sampling::streaming_threshold(self.seen, budget);
        let dataset = &mut self.dataset;
        let kept: Vec<u32> = (0..dataset.len() as u32)
            .filter(|row| dataset.draw(*row, dataset.spec.seed) <= threshold)
            .collect();
        if kept.len() < dataset.len() {
            dataset.select(&kept);
        }
    }
}

impl Dataset {
    /// A data set from batches that are all in memory.
    pub fn from_batches(batches: &[RecordBatch], spec: &DatasetSpec) -> Result<Self, LearnError> {
        let mut builder = DatasetBuilder::new(spec.clone());
        for batch in batches {
            builder.push(batch)?;
        }
        builder.finish()
    }

    /// Rows held.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// Whether no row is held.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// Rows delivered, before any row budget.
    pub fn rows_delivered(&self) -> u64 {
        self.month_totals.values().sum()
    }

    /// The specification it was built with.
    pub fn spec(&self) -> &DatasetSpec {
        &self.spec
    }

    /// The earliest entry date held.
    pub fn first_entry(&self) -> Option<NaiveDate> {
        self.entered_on.first().map(|day| date_of_day(*day))
    }

    /// The latest entry date held.
    pub fn last_entry(&self) -> Option<NaiveDate> {
        self.entered_on.last().map(|day| date_of_day(*day))
    }

    /// The rows with a label, in order.
    pub fn labelled_rows(&self) -> Vec<u32> {
        (0..self.len() as u32)
            .filter(|row| self.labels[*row as usize].is_some())
            .collect()
    }

    /// The rows with a label known on or before `as_of`, in order.
    pub fn rows_known_by(&self, as_of: NaiveDate) -> Vec<u32> {
        let as_of = day_of_date(as_of);
        (0..self.len() as u32)
            .filter(|row| {
                let row = *row as usize;
                self.labels[row].is_some() && self.label_known_on[row] <= as_of
            })
            .collect()
    }

    /// The rows whose outcome is open on a day: neither known by then nor given up.
    pub fn rows_open_on(&self, day: NaiveDate) -> Vec<u32> {
        let day = day_of_date(day);
        (0..self.len() as u32)
            .filter(|row| self.label_known_on[*row as usize] > day)
            .collect()
    }

    /// The labelled rows whose outcome became known only after a day.
    pub fn rows_known_after(&self, day: NaiveDate) -> Vec<u32> {
        let day = day_of_date(day);
        (0..self.len() as u32)
            .filter(|row| {
                let row = *row as usize;
                self.labels[row].is_some() && self.label_known_on[row] > day
            })
            .collect()
    }

    /// The features of some rows as Arrow columns, for a model that was made elsewhere.
    pub fn features_of(&self, rows: &[u32]) -> Result<RecordBatch, LearnError> {
        let columns = self.spec.features.iter().zip(&self.features);
        let columns = columns.map(|(spec, data)| {
            let array: ArrayRef = match data {
                ColumnData::Numbers(values) => {
                    let known = rows
                        .iter()
                        .map(|row| values[*row as usize])
                        .map(|value| (!value.is_nan()).then_some(value));
                    if spec.kind == FeatureKind::Boolean {
                        let flags = known.map(|value| value.map(|value| value != 0.0));
                        Arc::new(flags.collect::<BooleanArray>())
                    } else {
                        Arc::new(known.collect::<Float64Array>())
                    }
                }
                ColumnData::Categories { codes, names, .. } => {
                    let texts = rows.iter().map(|row| match codes[*row as usize] {
                        MISSING => None,
                        code => names.get(code as usize).map(String::as_str),
                    });
                    Arc::new(texts.collect::<StringArray>())
                }
            };
            (spec.name.as_str(), array, true)
        });
        RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| {
            LearnError::InvalidInput {
                operation: "features_of",
                reason: error.to_string(),
            }
        })
    }

    /// The outcome of each of `rows`; rows without one are an error of the caller
    /// and count as negative.
    pub(crate) fn labels_of(&self, rows: &[u32]) -> Vec<bool> {
        rows.iter()
            .map(|row| self.labels[*row as usize] == Some(true))
            .collect()
    }

    /// What each of `rows` belongs to.
    pub(crate) fn clusters_of(&self, rows: &[u32]) -> Vec<u64> {
        rows.iter()
            .map(|row| self.clusters[*row as usize])
            .collect()
    }

    /// The month of entry, counted from year 0.
    pub(crate) fn month(&self, row: u32) -> i32 {
        month_of_day(self.entered_on[row as usize])
    }

    pub(crate) fn draw(&self, row: u32, seed: u64) -> u64 {
        sampling::draw(self.identities[row as usize], seed)
    }

    /// The group column of that name.
    pub(crate) fn group(&self, column: &str) -> Result<(&GroupSpec, &ColumnData), LearnError> {
        self.spec
            .groups
            .iter()
            .zip(&self.groups)
            .find(|(group, _)| group.column == column)
            .ok_or_else(|| LearnError::UnknownGroup {
                column: column.to_owned(),
            })
    }

    fn select(&mut self, order: &[u32]) {
        self.entities.select(order);
        select(&mut self.identities, order);
        select(&mut self.clusters, order);
        select(&mut self.entered_on, order);
        select(&mut self.labels, order);
        select(&mut self.label_known_on, order);
        for data in self.features.iter_mut().chain(&mut self.groups) {
            data.select(order);
        }
    }
}

/// 128 bits of SHA-256 over the key and the entry date: unique for practical
/// purposes, and nothing of the key is left in it.
fn identity(entities: &EntityKeys, row: usize, day: i32) -> u128 {
    let mut hasher = Sha256::new();
    match entities {
        EntityKeys::Numbers(keys) => hasher.update(keys[row].to_le_bytes()),
        EntityKeys::Texts(keys) => hasher.update(keys[row].as_bytes()),
    }
    hasher.update([0xff]);
    hasher.update(day.to_le_bytes());
    let digest = hasher.finalize();
    digest[..16]
        .iter()
        .fold(0, |value, byte| (value << 8) | u128::from(*byte))
}

/// Days since 1970-01-01.
pub(crate) fn day_of_date(date: NaiveDate) -> i32 {
    date.signed_duration_since(NaiveDate::default())
        .num_days()
        .try_into()
        .unwrap_or(i32::MAX)
}

/// The date of a day number; days beyond the calendar become its last day.
pub(crate) fn date_of_day(day: i32) -> NaiveDate {
    NaiveDate::default()
        .checked_add_signed(chrono::TimeDelta::days(i64::from(day)))
        .unwrap_or(NaiveDate::MAX)
}

fn month_of_day(day: i32) -> i32 {
    let date = date_of_day(day);
    date.year() * 12 + date.month0() as i32
}
