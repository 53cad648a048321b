//! Temporal splits: train on what was known at a cut-off, evaluate on who came after.

use chrono::{Datelike, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, date_of_day, day_of_date};
use crate::error::LearnError;

/// How cut-offs are chosen.
#[derive(Debug, Clone)]
pub struct SplitPlan {
    /// Nothing known after this day is used.
    pub as_of: NaiveDate,
    /// Length of the follow-up: no label may be known earlier than this many days
    /// after entry (180 for six months).
    pub horizon_days: i64,
    /// Months of entry evaluated per cut-off; cut-offs stand this far apart.
    pub evaluation_months: u32,
    /// Where months are too small for `minimum_evaluation_rows`, windows are
    /// widened month by month up to this length.
    pub maximum_evaluation_months: u32,
    /// At most this many cut-offs, the latest ones.
    pub maximum_cutoffs: usize,
    /// Labelled rows needed before a cut-off.
    pub minimum_training_rows: usize,
    /// Labelled rows needed after a cut-off.
    pub minimum_evaluation_rows: usize,
}

impl SplitPlan {
    /// Six months of follow-up, one month evaluated per cut-off (up to three in a
    /// small population), six cut-offs.
    pub fn six_months(as_of: NaiveDate) -> Self {
        SplitPlan {
            as_of,
            horizon_days: 180,
            evaluation_months: 1,
            maximum_evaluation_months: 3,
            maximum_cutoffs: 6,
            minimum_training_rows: 500,
            minimum_evaluation_rows: 200,
        }
    }
}

/// One cut-off with the entries it is evaluated on. Training is expanding: all
/// rows whose label was known on or before the cut-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemporalSplit {
    /// The day on which the model could have been trained.
    pub cutoff: NaiveDate,
    /// First entry date evaluated: the day after the cut-off.
    pub evaluation_from: NaiveDate,
    /// End of the entries evaluated, exclusive.
    pub evaluation_until: NaiveDate,
}

/// Rows of a [`Dataset`] on both sides of a cut-off.
#[derive(Debug, Clone)]
pub struct SplitRows {
    /// Rows to train on.
    pub training: Vec<u32>,
    /// Rows to evaluate on.
    pub evaluation: Vec<u32>,
}

/// Refuses labels that could not be known: after `as_of`, or before the follow-up
/// of the row is over.
///
/// The second matters as much as the first. If a success is dated when it happens
/// and a failure when the period ends, the rows known at a cut-off are mostly
/// successes, and the model learns the reporting, not the outcome.
pub fn check_label_dates(dataset: &Dataset, plan: &SplitPlan) -> Result<(), LearnError> {
    let as_of = day_of_date(plan.as_of);
    let mut future = 0;
    let mut early = 0;
    for row in 0..dataset.len() {
        if dataset.labels[row].is_none() {
            continue;
        }
        let known_on = i64::from(dataset.label_known_on[row]);
        future += usize::from(known_on > i64::from(as_of));
        early += usize::from(known_on < i64::from(dataset.entered_on[row]) + plan.horizon_days);
    }
    if future > 0 {
        return Err(LearnError::LabelFromTheFuture {
            rows: future,
            as_of: plan.as_of,
        });
    }
    if early > 0 {
        return Err(LearnError::LabelKnownTooEarly {
            rows: early,
            horizon_days: plan.horizon_days,
        });
    }
    Ok(())
}

/// The latest possible cut-offs: each is the last day of a month, the months after
/// it have all their labels by `as_of`, and both sides have enough rows of both
/// outcomes.
pub fn temporal_splits(
    dataset: &Dataset,
    plan: &SplitPlan,
) -> Result<Vec<TemporalSplit>, LearnError> {
    check_label_dates(dataset, plan)?;
    let no_split = |reason: String| LearnError::NoTemporalSplit { reason };
    let (Some(first), Some(last)) = (dataset.first_entry(), dataset.last_entry()) else {
        return Err(no_split("the data set is empty".to_owned()));
    };
    let shortest = plan.evaluation_months.max(1);
    for months in shortest..=plan.maximum_evaluation_months.max(shortest) {
        let splits = windows_of(dataset, plan, months, first, last);
        if !splits.is_empty() {
            return Ok(splits);
        }
    }
    Err(no_split(format!(
        "entries run from {first} to {last}; a cut-off needs {} labelled rows known before it \
         and {} after it whose follow-up of {} days and reporting lag ended by {}",
        plan.minimum_training_rows, plan.minimum_evaluation_rows, plan.horizon_days, plan.as_of
    )))
}

/// The usable cut-offs with windows of a given length, earliest first.
fn windows_of(
    dataset: &Dataset,
    plan: &SplitPlan,
    months: u32,
    first: NaiveDate,
    last: NaiveDate,
) -> Vec<TemporalSplit> {
    let mut splits = Vec::new();
    let mut evaluation_until = month_start(last) + Months::new(1);
    while splits.len() < plan.maximum_cutoffs {
        let evaluation_from = evaluation_until - Months::new(months);
        if evaluation_from <= first {
            break;
        }
        let split = TemporalSplit {
            cutoff: evaluation_from.pred_opt().unwrap_or(evaluation_from),
            evaluation_from,
            evaluation_until,
        };
        // Windows that are not yet mature are passed over month by month; once
        // one is usable the windows behind it follow without overlap.
        if is_mature(dataset, &split, plan.as_of) && has_enough_rows(dataset, &split, plan) {
            splits.push(split);
            evaluation_until = evaluation_from;
        } else if splits.is_empty() {
            evaluation_until = evaluation_until - Months::new(1);
        } else {
            break;
        }
    }
    splits.reverse();
    splits
}

impl TemporalSplit {
    /// The rows on both sides, checked for leakage.
    pub fn rows(&self, dataset: &Dataset) -> Result<SplitRows, LearnError> {
        let rows = SplitRows {
            training: dataset.rows_known_by(self.cutoff),
            evaluation: labelled_in_window(dataset, self),
        };
        verify_split(dataset, self.cutoff, &rows)?;
        Ok(rows)
    }
}

/// Refuses rows on the wrong side of a cut-off: training labels not yet known,
/// evaluation rows that had entered or whose outcome was known.
pub fn verify_split(
    dataset: &Dataset,
    cutoff: NaiveDate,
    rows: &SplitRows,
) -> Result<(), LearnError> {
    let day = day_of_date(cutoff);
    let unknown = rows
        .training
        .iter()
        .map(|row| *row as usize)
        .filter(|row| dataset.labels[*row].is_none() || dataset.label_known_on[*row] > day)
        .count();
    if unknown > 0 {
        return Err(LearnError::TrainingLabelUnknown {
            rows: unknown,
            cutoff,
        });
    }
    let known = rows
        .evaluation
        .iter()
        .map(|row| *row as usize)
        .filter(|row| dataset.label_known_on[*row] <= day || dataset.entered_on[*row] <= day)
        .count();
    if known > 0 {
        return Err(LearnError::EvaluationRowKnown {
            rows: known,
            cutoff,
        });
    }
    Ok(())
}

fn labelled_in_window(dataset: &Dataset, split: &TemporalSplit) -> Vec<u32> {
    window(dataset, split)
        .filter(|row| dataset.labels[*row as usize].is_some())
        .collect()
}

fn window(dataset: &Dataset, split: &TemporalSplit) -> impl Iterator<Item = u32> {
    let from = day_of_date(split.evaluation_from);
    let until = day_of_date(split.evaluation_until);
    let start = dataset.entered_on.partition_point(|day| *day < from);
    let end = dataset.entered_on.partition_point(|day| *day < until);
    start as u32..end as u32
}

/// All labels of the window are known: the newest entries of a window must not be
/// missing from it, or it would hold a different season than it says.
fn is_mature(dataset: &Dataset, split: &TemporalSplit, as_of: NaiveDate) -> bool {
    let as_of = day_of_date(as_of);
    window(dataset, split).all(|row| dataset.label_known_on[row as usize] <= as_of)
}

fn has_enough_rows(dataset: &Dataset, split: &TemporalSplit, plan: &SplitPlan) -> bool {
    let has_both = |rows: &[u32], minimum: usize| {
        let positives = dataset
            .labels_of(rows)
            .iter()
            .filter(|label| **label)
            .count();
        rows.len() >= minimum.max(2) && positives > 0 && positives < rows.len()
    };
    has_both(
        &labelled_in_window(dataset, split),
        plan.minimum_evaluation_rows,
    ) && has_both(
        &dataset.rows_known_by(split.cutoff),
        plan.minimum_training_rows,
    )
}

fn month_start(date: NaiveDate) -> NaiveDate {
    date.with_day(1).unwrap_or(date)
}

/// First and last entry date of some rows.
pub(crate) fn entry_window(dataset: &Dataset, rows: &[u32]) -> Option<(NaiveDate, NaiveDate)> {
    let first = rows.first()?;
    let last = rows.last()?;
    Some((
        date_of_day(dataset.entered_on[*first as usize]),
        date_of_day(dataset.entered_on[*last as usize]),
    ))
}
