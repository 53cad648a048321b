//! The learned score: which advertisements reviewers would find inadequate, from how they are written.
//!
//! Labels are reviewers' decisions. The procedure is evaluated on months later than those it was
//! trained on, and a score is used only when every gate lets it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use chrono::{Days, NaiveDate};
use goyong_advert::{ATTRIBUTES, attributes};
use goyong_learn::{
    BaselineSpec, Bilingual, Candidate, DatasetBuilder, DatasetSpec, EvaluationOptions,
    FeatureSpec, FitOptions, GateLimits, GroupSpec, LearnError, SplitPlan, TrainingOutcome,
    TrainingPlan, train_with_temporal_evaluation,
};
use goyong_types::TableName;

use super::read::Posting;
use super::tables::{days, texts, write};
use crate::project::OpenProject;

const REVIEWS: &str = "core.ad_review";
const SCORES: &str = "models.ad_adequacy";
const CARDS: &str = "models.ad_adequacy_card";

/// Days after posting by which a decision counts; later ones would be known of some and not of others.
const REVIEW_DAYS: u64 = 60;
/// From this probability an advertisement is suspected.
const SUSPECTED_FROM: f64 = 0.5;

/// Probabilities by position, when the gates let them be used.
#[derive(Default)]
pub(super) struct Adequacy {
    probabilities: Vec<f64>,
    /// What became of the training.
    pub summary: String,
}

impl Adequacy {
    fn not_used(why: impl Into<String>) -> Self {
        Self {
            probabilities: Vec::new(),
            summary: why.into(),
        }
    }

    pub(super) fn is_suspected(&self, at: usize) -> bool {
        let probability = self.probabilities.get(at);
        probability.is_some_and(|probability| *probability >= SUSPECTED_FROM)
    }
}

/// Trains on reviewed advertisements and scores all of them; nothing is scored unless the gates pass.
pub(super) async fn score(
    project: &OpenProject,
    postings: &[Posting],
    as_of: NaiveDate,
    data_hash: &str,
) -> Result<Adequacy> {
    let table: TableName = REVIEWS.parse()?;
    if project.warehouse().snapshot(&table).await?.is_none() {
        return Ok(Adequacy::not_used("no score: nothing was reviewed yet"));
    }
    let reviews = reviews(project).await?;
    let reviewed: Vec<&Posting> = postings
        .iter()
        .filter(|posting| decision(posting, &reviews).is_some())
        .collect();
    let batch = rows(&reviewed, &reviews, as_of)?;
    let threads = project.configuration().worker_threads();
    let plan = plan(as_of, data_hash, threads);
    let trained = tokio::task::block_in_place(|| {
        let mut builder = DatasetBuilder::new(specification());
        builder.push(&batch)?;
        train_with_temporal_evaluation(&builder.finish()?, &plan)
    });
    let outcome = match trained {
        Ok(outcome) => outcome,
        // Too few reviews to judge a model on: a fact, not a failure.
        Err(
            error @ (LearnError::NoRows { .. }
            | LearnError::OneClass { .. }
            | LearnError::NoTemporalSplit { .. }),
        ) => return Ok(Adequacy::not_used(format!("no score: {error}"))),
        Err(error) => return Err(error.into()),
    };
    write_card(project, &outcome).await?;
    let auc = outcome.card.pooled.auc;
    let auc = auc.map_or_else(|| "–".to_owned(), |auc| format!("{:.3}", auc.value));
    if !outcome.card.usable {
        let failed = outcome.card.gates.iter().filter(|gate| !gate.passed);
        let names: Vec<&str> = failed.map(|gate| gate.name.as_str()).collect();
        return Ok(Adequacy::not_used(format!(
            "score not used: AUC {auc} out of time, gates failed: {}",
            names.join(", ")
        )));
    }
    let all: Vec<&Posting> = postings.iter().collect();
    let probabilities = outcome.predict(&rows(&all, &reviews, as_of)?)?;
    write_scores(project, postings, &probabilities, &outcome).await?;
    Ok(Adequacy {
        probabilities,
        summary: format!(
            "score of reviewed advertisements: AUC {auc} out of time on {}",
            outcome.card.pooled.rows
        ),
    })
}

/// Decisions with their day, by source and number.
async fn reviews(project: &OpenProject) -> Result<Reviews> {
    let rows = project
        .texts(
            "select ad_source, ad_no, decision, known_on from core.ad_review",
            ["ad_source", "ad_no", "decision", "known_on"],
        )
        .await?;
    rows.into_iter()
        .map(|[source, number, decision, known_on]| {
            let known_on = known_on
                .parse()
                .with_context(|| format!("{REVIEWS}: `{known_on}` is no day"))?;
            Ok(((source, number), (decision == "inadequate", known_on)))
        })
        .collect()
}

type Reviews = BTreeMap<(String, String), (bool, NaiveDate)>;

/// The day on which the decision on an advertisement counts, whenever it fell.
fn due(posting: &Posting) -> NaiveDate {
    posting.opened_on + Days::new(REVIEW_DAYS)
}

/// The decision on an advertisement, when one was known in time.
fn decision(posting: &Posting, reviews: &Reviews) -> Option<bool> {
    let key = (posting.ad_source.clone(), posting.ad_no.clone());
    let (is_inadequate, known_on) = reviews.get(&key)?;
    (*known_on <= due(posting)).then_some(*is_inadequate)
}

/// One row for each advertisement; the label is null where it is not yet known.
fn rows(postings: &[&Posting], reviews: &Reviews, as_of: NaiveDate) -> Result<RecordBatch> {
    let label = |posting: &&Posting| decision(posting, reviews).filter(|_| due(posting) <= as_of);
    let values: Vec<_> = postings
        .iter()
        .map(|posting| attributes(&posting.title, &posting.text))
        .collect();
    let keys: Vec<String> = postings
        .iter()
        .map(|posting| format!("{}/{}", posting.ad_source, posting.ad_no))
        .collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("ad", texts(keys.iter().map(String::as_str))),
        ("opened_on", days(postings.iter().map(|one| one.opened_on))),
        (
            "label",
            Arc::new(postings.iter().map(label).collect::<BooleanArray>()),
        ),
        ("label_known_on", days(postings.iter().map(|one| due(one)))),
        (
            "agency",
            texts(postings.iter().map(|one| one.agency.as_str())),
        ),
        (
            "contract_kind",
            texts(postings.iter().map(|one| one.contract_kind.as_str())),
        ),
    ];
    for (at, (name, _, _)) in ATTRIBUTES.iter().enumerate() {
        let column: Float64Array = values.iter().map(|row| Some(row[at])).collect();
        columns.push((*name, Arc::new(column)));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn specification() -> DatasetSpec {
    let mut features: Vec<FeatureSpec> = ATTRIBUTES
        .iter()
        .map(|(name, korean, english)| FeatureSpec::numeric(name, korean, english))
        .collect();
    features.push(FeatureSpec::categorical(
        "contract_kind",
        "고용형태",
        "kind of contract",
    ));
    DatasetSpec {
        entity: "ad".to_owned(),
        entered_on: "opened_on".to_owned(),
        label: "label".to_owned(),
        label_known_on: "label_known_on".to_owned(),
        features,
        groups: vec![GroupSpec::new("agency", "연계기관", "agency")],
        max_rows: Some(1_000_000),
        seed: 20_240_101,
    }
}

fn plan(as_of: NaiveDate, data_hash: &str, threads: usize) -> TrainingPlan {
    TrainingPlan {
        target_title: Bilingual::new(
            "담당자가 부실하다고 볼 구인공고일 확률",
            "Probability that a reviewer finds the advertisement inadequate",
        ),
        population: Bilingual::new("검토한 구인공고", "Reviewed advertisements"),
        intended_use: Bilingual::new(
            "검토할 공고의 순서에만 쓰며, 공고를 내리거나 제재하지 않습니다.",
            "For the order in which advertisements are reviewed only; it takes none down.",
        ),
        limits: vec![Bilingual::new(
            "담당자의 판정을 배우며, 판정의 치우침도 배웁니다.",
            "It learns what reviewers decide, and their leanings with it.",
        )],
        version: format!("{as_of}-{}", data_hash.get(..8).unwrap_or(data_hash)),
        data_hash: data_hash.to_owned(),
        splits: SplitPlan {
            horizon_days: REVIEW_DAYS as i64,
            ..SplitPlan::six_months(as_of)
        },
        candidates: vec![Candidate::Logistic(FitOptions {
            threads,
            ..FitOptions::default()
        })],
        calibrators: Vec::new(),
        evaluation: EvaluationOptions::default(),
        baseline: BaselineSpec {
            columns: vec!["agency".to_owned()],
            title: Bilingual::new("연계기관별 과거 비율", "Past rate of the agency"),
        },
        subgroups: vec!["agency".to_owned()],
        gates: GateLimits::default(),
        top_coefficients: 20,
    }
}

async fn write_scores(
    project: &OpenProject,
    postings: &[Posting],
    probabilities: &[f64],
    outcome: &TrainingOutcome,
) -> Result<()> {
    let version = outcome.card.version.as_str();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "ad_source",
            texts(postings.iter().map(|one| one.ad_source.as_str())),
        ),
        (
            "ad_no",
            texts(postings.iter().map(|one| one.ad_no.as_str())),
        ),
        (
            "probability",
            Arc::new(Float64Array::from(probabilities.to_vec())),
        ),
        ("model_version", texts(postings.iter().map(|_| version))),
    ];
    write(
        project,
        SCORES,
        "probability that a reviewer finds the advertisement inadequate; for the order of review only",
        columns,
    )
    .await
}

async fn write_card(project: &OpenProject, outcome: &TrainingOutcome) -> Result<()> {
    let card = &outcome.card;
    let json = card.to_json()?;
    let model = outcome.model.to_json()?;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("target", texts(["ad_adequacy"].into_iter())),
        ("version", texts([card.version.as_str()].into_iter())),
        ("as_of", days([card.as_of].into_iter())),
        ("usable", Arc::new(BooleanArray::from(vec![card.usable]))),
        (
            "auc",
            Arc::new(Float64Array::from(vec![
                card.pooled.auc.map(|auc| auc.value),
            ])),
        ),
        ("card_json", texts([json.as_str()].into_iter())),
        ("model_json", texts([model.as_str()].into_iter())),
    ];
    write(
        project,
        CARDS,
        "the model of inadequate advertisements and its card",
        columns,
    )
    .await
}
