//! What the caller hands in. Plain values; the night fills them from a release.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use goyong_disclosure::CellValue;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::definition::ReportDefinition;
use crate::language::Bilingual;
use crate::models::ModelVersionPage;

/// Everything a site is made from.
#[derive(Debug, Clone)]
pub struct SiteInputs {
    /// The release whose tables were read.
    pub release: ReleasePage,
    /// The day up to which the data were known.
    pub as_of: NaiveDate,
    /// Reports with the rows of their queries.
    pub reports: Vec<ReportInput>,
    /// What is known of the tables, for the catalogue and for the provenance of each figure.
    pub catalog: Catalog,
    /// Cards of the models of this release.
    pub model_cards: Vec<ModelCardPage>,
    /// Versions of models that have a page, those in use first.
    pub model_versions: Vec<ModelVersionPage>,
    /// A notice on top of every page, for example that the country is simulated.
    pub notice: Option<Bilingual>,
    /// Who publishes.
    pub publisher: Bilingual,
    /// Where readers can ask; plain text.
    pub contact: Bilingual,
}

/// The release and those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasePage {
    /// Its id: `2025-12-31.1`.
    pub id: String,
    /// The business date it was made for.
    pub business_date: NaiveDate,
    /// Hash over all its tables' content.
    pub content_hash: String,
    /// Earlier ones, newest first.
    pub earlier: Vec<ReleaseEntry>,
}

/// An earlier release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseEntry {
    /// Its id.
    pub id: String,
    /// The business date it was made for.
    pub business_date: NaiveDate,
    /// Hash over all its tables' content.
    pub content_hash: String,
    /// What the publisher noted.
    pub note: String,
}

/// A report and its rows.
#[derive(Debug, Clone)]
pub struct ReportInput {
    /// What the report asks.
    pub definition: ReportDefinition,
    /// What was answered; a table of the definition that is missing here is left out of the page.
    pub tables: Vec<TableInput>,
}

/// The answer to one query.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInput {
    /// Name of the table in the definition.
    pub name: String,
    /// Column names.
    pub columns: Vec<String>,
    /// Rows, in the order of the query.
    pub rows: Vec<Vec<CellValue>>,
    /// Qualified names of the tables read: `marts.claims_monthly`.
    pub reads: Vec<String>,
    /// The query as it was executed.
    pub compiled_sql: String,
}

/// A model card as the site shows it. Counts in it pass disclosure control like any other table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCardPage {
    /// Name: `employment_success`.
    pub name: String,
    /// Version of the model in this release.
    pub version: String,
    /// What it predicts.
    pub target: Bilingual,
    /// What it may be used for, and what not.
    pub intended_use: Bilingual,
    /// The algorithm in words.
    pub algorithm: Bilingual,
    /// First and last month of the training period, `2024-01`.
    pub trained_on: [String; 2],
    /// First and last month of the evaluation period; later than the training period.
    pub evaluated_on: [String; 2],
    /// Rows trained on.
    pub training_rows: u64,
    /// Rows evaluated on.
    pub evaluation_rows: u64,
    /// Share of positives in the evaluation rows.
    pub base_rate: f64,
    /// Measures, each for the model, the baseline and, in a simulated country, the oracle.
    pub metrics: Vec<MetricRow>,
    /// Predicted against observed.
    pub calibration: Vec<CalibrationBin>,
    /// The largest effects.
    pub features: Vec<FeatureEffect>,
    /// Results by group.
    pub fairness: Vec<FairnessGroup>,
    /// The gates of promotion.
    pub gates: Vec<Gate>,
    /// Whether the model was put to use.
    pub promoted: bool,
    /// Hash of the model's bytes.
    pub content_hash: String,
    /// Tables it was trained from: qualified name to content hash.
    pub trained_from: BTreeMap<String, String>,
    /// Known limits; paragraphs.
    pub limits: Vec<Bilingual>,
}

/// One measure of quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// Its name: `AUC`, `Brier`.
    pub name: String,
    /// The model's.
    pub model: f64,
    /// The baseline's.
    pub baseline: Option<f64>,
    /// The oracle's.
    pub oracle: Option<f64>,
    /// Whether larger is better.
    pub larger_is_better: bool,
}

/// Predictions of similar height and what came of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Mean prediction.
    pub predicted: f64,
    /// Observed share.
    pub observed: f64,
    /// Persons in the bin.
    pub count: u64,
}

/// The effect of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureEffect {
    /// Name of the feature, with the level of a categorical one.
    pub name: String,
    /// What readers call it.
    pub title: Bilingual,
    /// Its weight on the standardised scale.
    pub effect: f64,
}

/// Results for one group of persons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FairnessGroup {
    /// What the groups differ in: `sex`.
    pub attribute: String,
    /// The group.
    pub group: String,
    /// Persons in it.
    pub count: u64,
    /// Mean prediction.
    pub predicted: f64,
    /// Observed share.
    pub observed: f64,
    /// Area under the curve within the group, where it can be computed.
    pub auc: Option<f64>,
}

/// A condition for promotion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Whether it was met.
    pub passed: bool,
    /// The figure and the limit.
    pub detail: String,
}
