//! The error of the linkage, from what clerks found by hand.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use goyong_linkage::evaluate::{Label, Labels, Prediction, error_by_group};

use super::records::record_key;
use super::{CLUSTERS, LABELS, RECORDS};
use crate::project::OpenProject;

/// Error of one group of labelled workplaces.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MeasuredError {
    /// `all`, `source` (the other source), `size` or `region`.
    pub kind: &'static str,
    pub value: String,
    /// Labelled pairs of the group.
    pub labelled: u64,
    pub true_positives: u64,
    pub false_positives: u64,
    pub false_negatives: u64,
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub f1: Option<f64>,
}

/// A question put to a clerk: a workplace, and the source in which to find it.
type Question = (String, String);

/// What clerks and linkage say about the labelled workplaces.
#[derive(Default)]
struct Sample {
    /// Counterparts that a clerk found or ruled out, by question; the answer is a key.
    answers: BTreeMap<Question, BTreeMap<String, bool>>,
    /// Questions whose counterparts the clerk listed in full, perhaps none.
    answered: BTreeSet<Question>,
    /// Counterparts that the linkage found.
    found: BTreeMap<Question, BTreeSet<String>>,
    /// Region and size class by workplace; workplaces that are listed no more are absent.
    traits: BTreeMap<String, (String, String)>,
}

/// Measures the linkage that stands in the warehouse.
pub(super) async fn measure(project: &OpenProject) -> Result<Vec<MeasuredError>> {
    Ok(errors(&read(project).await?))
}

async fn read(project: &OpenProject) -> Result<Sample> {
    let mut sample = Sample::default();
    let sql = format!(
        "select left_source, left_id, right_source, answer_id, is_match from {LABELS} \
         order by left_source, left_id, right_source, answer_id"
    );
    let columns = [
        "left_source",
        "left_id",
        "right_source",
        "answer_id",
        "is_match",
    ];
    for [left_source, left_id, right_source, answer_id, is_match] in
        project.texts(&sql, columns).await?
    {
        let question = (record_key(&left_source, &left_id), right_source.clone());
        let is_match = is_match == "true";
        if answer_id.is_empty() || is_match {
            sample.answered.insert(question.clone());
        }
        let answers = sample.answers.entry(question).or_default();
        if !answer_id.is_empty() {
            answers.insert(record_key(&right_source, &answer_id), is_match);
        }
    }
    let asked = format!("select distinct left_source, left_id, right_source from {LABELS}");
    let sql = format!(
        "select asked.left_source, asked.left_id, asked.right_source, theirs.source_id as right_id \
         from ({asked}) as asked \
         inner join {CLUSTERS} as mine \
         on mine.source = asked.left_source and mine.source_id = asked.left_id \
         inner join {CLUSTERS} as theirs \
         on theirs.entity_id = mine.entity_id and theirs.source = asked.right_source \
         where theirs.source <> mine.source or theirs.source_id <> mine.source_id"
    );
    let columns = ["left_source", "left_id", "right_source", "right_id"];
    for [left_source, left_id, right_source, right_id] in project.texts(&sql, columns).await? {
        sample
            .found
            .entry((record_key(&left_source, &left_id), right_source.clone()))
            .or_default()
            .insert(record_key(&right_source, &right_id));
    }
    let sql = format!(
        "select record.source, record.source_id, substr(record.sigungu, 1, 2) as sido, \
         case when record.headcount < 10 then 'under_10' when record.headcount < 30 then '10_to_29' \
         when record.headcount >= 30 then '30_and_over' else 'unknown' end as size \
         from {RECORDS} as record \
         inner join (select distinct left_source, left_id from {LABELS}) as asked \
         on asked.left_source = record.source and asked.left_id = record.source_id"
    );
    for [source, source_id, sido, size] in project
        .texts(&sql, ["source", "source_id", "sido", "size"])
        .await?
    {
        let sido = if sido.is_empty() {
            "unknown".to_owned()
        } else {
            sido
        };
        sample
            .traits
            .insert(record_key(&source, &source_id), (sido, size));
    }
    Ok(sample)
}

/// A record's key with its side, so that the workplace asked about stays the left one of a pair.
type Sided = (Side, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Asked,
    Answer,
}

/// Counts by group. A counterpart that the linkage found and the clerk, who listed them all, did
/// not is an error.
fn errors(sample: &Sample) -> Vec<MeasuredError> {
    let mut labels = Vec::new();
    let mut predictions = Vec::new();
    for (question, answers) in &sample.answers {
        let (left, _) = question;
        if !sample.traits.contains_key(left) {
            continue;
        }
        let pair = |right: &String| -> (Sided, Sided) {
            ((Side::Asked, left.clone()), (Side::Answer, right.clone()))
        };
        for (right, is_match) in answers {
            let (left, right) = pair(right);
            labels.push(Label {
                left,
                right,
                is_match: *is_match,
            });
        }
        for right in sample.found.get(question).into_iter().flatten() {
            if sample.answered.contains(question) && !answers.contains_key(right) {
                let (left, right) = pair(right);
                labels.push(Label {
                    left,
                    right,
                    is_match: false,
                });
            }
            let (left, right) = pair(right);
            predictions.push(Prediction {
                left,
                right,
                probability: 1.0,
            });
        }
    }
    let labels = Labels::Sample(labels);
    let source_of = |(_, key): &Sided| key.split('/').next().unwrap_or_default().to_owned();
    let trait_of = |(_, key): &Sided| sample.traits.get(key).cloned().unwrap_or_default();
    let mut rows = Vec::new();
    type Group<'a> = &'a dyn Fn(&Sided, &Sided) -> String;
    let groups: [(&'static str, Group<'_>); 4] = [
        ("all", &|_, _| "all".to_owned()),
        ("source", &|_, right| source_of(right)),
        ("size", &|left, _| trait_of(left).1),
        ("region", &|left, _| trait_of(left).0),
    ];
    for (kind, group) in groups {
        for found in error_by_group(&predictions, &labels, 0.5, group) {
            let Labels::Sample(all) = &labels else {
                continue;
            };
            let labelled = all
                .iter()
                .filter(|label| group(&label.left, &label.right) == found.group)
                .count();
            rows.push(MeasuredError {
                kind,
                labelled: labelled as u64,
                true_positives: found.error.true_positives,
                false_positives: found.error.false_positives,
                false_negatives: found.error.false_negatives,
                precision: found.error.precision(),
                recall: found.error.recall(),
                f1: found.error.f1(),
                value: found.group,
            });
        }
    }
    rows
}

/// The overall error as the night says it.
pub(super) fn in_words(errors: &[MeasuredError]) -> String {
    let share =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    match errors.iter().find(|error| error.kind == "all") {
        Some(all) => format!(
            "of {} labelled pairs: precision {}, recall {}",
            all.labelled,
            share(all.precision),
            share(all.recall)
        ),
        None => "no labels to measure the error with".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn question(left: &str) -> Question {
        (left.to_owned(), "ei_workplace".to_owned())
    }

    #[test]
    fn a_counterpart_that_the_clerk_did_not_list_is_an_error() {
        let mut sample = Sample::default();
        for (left, answer) in [
            ("nps/a", Some("ei/1")),
            ("nps/b", None),
            ("nps/c", Some("ei/3")),
        ] {
            let answers = answer
                .map(|key| (key.to_owned(), true))
                .into_iter()
                .collect();
            sample.answers.insert(question(left), answers);
            sample.answered.insert(question(left));
            sample
                .traits
                .insert(left.to_owned(), ("11".to_owned(), "under_10".to_owned()));
        }
        for (left, right) in [("nps/a", "ei/1"), ("nps/b", "ei/2")] {
            sample
                .found
                .insert(question(left), [right.to_owned()].into());
        }
        let errors = errors(&sample);
        let all = errors.iter().find(|error| error.kind == "all").unwrap();
        assert_eq!(
            (all.true_positives, all.false_positives, all.false_negatives),
            (1, 1, 1)
        );
        assert_eq!(
            (all.labelled, all.precision, all.recall),
            (3, Some(0.5), Some(0.5))
        );
        let regions: Vec<_> = errors
            .iter()
            .filter(|error| error.kind == "region")
            .collect();
        assert_eq!(regions.len(), 1);
        assert_eq!(regions[0].value, "11");
    }

    #[test]
    fn a_workplace_that_is_listed_no_more_is_left_out() {
        let mut sample = Sample::default();
        sample
            .answers
            .insert(question("nps/gone"), [("ei/1".to_owned(), true)].into());
        sample.answered.insert(question("nps/gone"));
        assert!(errors(&sample).iter().all(|error| error.labelled == 0));
        assert_eq!(in_words(&[]), "no labels to measure the error with");
    }
}
