//! Which rows have the facts without which no score is given.

use anyhow::{Context, Result};
use arrow_array::{Array, RecordBatch};
use goyong_catalog::{DeclaredModel, Model};

/// Why a row has no score: a fact the declaration calls for is not known of it.
pub(crate) const INCOMPLETE: &str = "incomplete_file";

/// Which features each row of a batch lacks.
#[derive(Debug)]
pub(crate) struct Gaps<'a> {
    /// Places in `complete`, by row.
    rows: Vec<Vec<usize>>,
    titles: Vec<(&'a str, &'a str)>,
}

/// That a row of features has everything `complete` names, as a condition that begins with `and`; empty where it
/// names nothing.
pub(super) fn condition(declared: &DeclaredModel, features: &str) -> String {
    let columns = declared.complete.iter();
    columns
        .map(|column| format!(" and {features}.{column} is not null"))
        .collect()
}

impl<'a> Gaps<'a> {
    /// What is missing in rows of features, called by the titles in the header of their model.
    pub(crate) fn of(
        declared: &'a DeclaredModel,
        features: Option<&'a Model>,
        batch: &RecordBatch,
    ) -> Result<Self> {
        let mut rows = vec![Vec::new(); batch.num_rows()];
        for (place, name) in declared.complete.iter().enumerate() {
            let column = batch
                .column_by_name(name)
                .with_context(|| format!("{} has no column {name}", declared.features))?;
            let nulls = rows.iter_mut().enumerate();
            nulls
                .filter(|(row, _)| column.is_null(*row))
                .for_each(|(_, missing)| missing.push(place));
        }
        let titles = declared.complete.iter();
        Ok(Self {
            rows,
            titles: titles.map(|name| titles_of(features, name)).collect(),
        })
    }

    /// Whether nothing is missing in a row.
    pub(crate) fn is_complete(&self, row: usize) -> bool {
        self.rows[row].is_empty()
    }

    /// Rows with nothing missing.
    pub(super) fn complete_rows(&self) -> usize {
        self.rows
            .iter()
            .filter(|missing| missing.is_empty())
            .count()
    }

    /// The reason a row has no score; none where it has one.
    pub(super) fn reason(&self, row: usize) -> Option<&'static str> {
        (!self.is_complete(row)).then_some(INCOMPLETE)
    }

    /// The titles of what is missing in a row, none where nothing is.
    pub(crate) fn missing(&self, row: usize, language: &str) -> Option<String> {
        let titles = self.rows[row].iter().map(|place| self.titles[*place]);
        let titles: Vec<&str> = titles
            .map(|(korean, english)| match language {
                "ko" => korean,
                _ => english,
            })
            .collect();
        (!titles.is_empty()).then(|| titles.join(", "))
    }
}

/// What a feature is called in Korean and in English: as the header of its model says, else by its name.
pub(crate) fn titles_of<'a>(features: Option<&'a Model>, name: &'a str) -> (&'a str, &'a str) {
    let header = features.and_then(|model| model.header.columns.get(name));
    let title = header.and_then(|column| column.title.as_ref().or(column.description.as_ref()));
    let in_language = |language: &str| title.map_or(name, |title| title.in_language(language));
    (in_language("ko"), in_language("en"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, StringArray};

    use super::*;

    fn declared(complete: &[&str]) -> DeclaredModel {
        serde_json::from_value(serde_json::json!({
            "model": "outcome", "title": "t", "population": "p", "intended_use": "i",
            "features": "features.outcome", "labels": "features.outcome_label",
            "entity": "person_no", "entered_on": "entered_on", "label_gap_days": 30,
            "use": [{"legal_basis": "a law", "columns": ["age", "trade", "pay"]}],
            "complete": complete,
            "baseline": {"columns": [], "title": "t"},
            "learner": {"kind": "logistic"},
            "capacity": {"share": 0.2, "end": "lowest"},
        }))
        .unwrap()
    }

    fn rows() -> RecordBatch {
        let ages: ArrayRef = Arc::new(Int32Array::from(vec![Some(30), None, None]));
        let trades: ArrayRef = Arc::new(StringArray::from(vec![Some("cook"), Some("cook"), None]));
        let pay: ArrayRef = Arc::new(Int32Array::from(vec![None::<i32>; 3]));
        RecordBatch::try_from_iter([("age", ages), ("trade", trades), ("pay", pay)]).unwrap()
    }

    #[test]
    fn a_row_without_a_fact_that_is_called_for_says_which() {
        let declared = declared(&["trade", "age"]);
        let gaps = Gaps::of(&declared, None, &rows()).unwrap();
        let reasons: Vec<_> = (0..3).map(|row| gaps.reason(row)).collect();
        assert_eq!(reasons, [None, Some(INCOMPLETE), Some(INCOMPLETE)]);
        assert_eq!(gaps.missing(0, "ko"), None);
        assert_eq!(gaps.missing(1, "en").as_deref(), Some("age"));
        assert_eq!(gaps.missing(2, "en").as_deref(), Some("trade, age"));
        assert_eq!(gaps.complete_rows(), 1);
        assert_eq!(
            condition(&declared, "f"),
            " and f.trade is not null and f.age is not null"
        );
    }

    #[test]
    fn every_row_is_complete_where_nothing_is_called_for() {
        let declared = declared(&[]);
        let gaps = Gaps::of(&declared, None, &rows()).unwrap();
        assert_eq!(gaps.complete_rows(), 3);
        assert_eq!(condition(&declared, "f"), "");
    }

    #[test]
    fn a_column_that_is_not_there_is_an_error_and_not_a_gap() {
        let declared = declared(&["wage"]);
        let error = Gaps::of(&declared, None, &rows()).unwrap_err();
        assert_eq!(error.to_string(), "features.outcome has no column wage");
    }
}
