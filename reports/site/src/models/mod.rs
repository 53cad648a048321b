//! A page for each version of a model that is or was in use, and for the newest: what it predicts, on which data it was
//! trained, how it was judged, what it must not be used for.
//!
//! The gates are those the registry lists, whichever they are. A page's address names model and version and stays.

mod inputs;
mod tables;

use chrono::NaiveDate;
use serde_json::{Value, json};

pub use inputs::{
    CalibrationGroup, Interval, ModelCandidate, ModelDecisionLine, ModelFeature, ModelGate,
    ModelGroup, ModelMetric, ModelStanding, ModelVersionPage, ModelWindow, RealisedMonth,
    TrainedTable,
};

use crate::analyse::Report;
use crate::catalog::CatalogGraph;
use crate::context::{TableView, table_view};
use crate::language::Language;
use crate::number::{fixed, grouped};
use crate::render::{SiteError, TableNotice};

/// A version whose tables have passed disclosure control.
#[derive(Debug)]
pub(crate) struct ModelPage<'a> {
    pub page: &'a ModelVersionPage,
    pub report: Report,
}

impl<'a> ModelPage<'a> {
    pub(crate) fn new(
        page: &'a ModelVersionPage,
        as_of: NaiveDate,
        notices: &mut Vec<TableNotice>,
    ) -> Result<Self, SiteError> {
        let input = tables::report_input(page)?;
        let report = Report::from_input(input, as_of, notices);
        Ok(Self { page, report })
    }

    /// Address of the page below its language.
    pub(crate) fn path(&self) -> String {
        path(&self.page.model, &self.page.version)
    }

    /// Folder of the downloads.
    pub(crate) fn data(&self) -> String {
        format!("data/models/{}/{}", self.page.model, self.page.version)
    }

    /// The page's own part.
    pub(crate) fn view(&self, graph: &CatalogGraph<'_>, language: Language) -> Value {
        let page = self.page;
        let tables: Vec<TableView> = self
            .report
            .tables
            .iter()
            .map(|table| {
                let data = format!("{}/{}", self.data(), table.definition.name);
                table_view(&self.report, table, &data, graph, language)
            })
            .collect();
        let trained: Vec<Value> = page
            .tables
            .iter()
            .map(|table| {
                json!({
                    "name": table.name,
                    "version": table.version,
                    "content_hash": table.content_hash,
                    "rows": grouped(i128::from(table.rows)),
                    "address": graph.get(&table.name).map(|known| format!(
                        "{}/catalog/{}/{}/index.html", language.code(), known.schema, known.name
                    )),
                })
            })
            .collect();
        let decisions: Vec<Value> = page
            .decisions
            .iter()
            .map(|decision| {
                json!({
                    "act": decision.act,
                    "account": decision.account,
                    "reason": decision.reason,
                    "on": decision.decided_on,
                })
            })
            .collect();
        let limits: Vec<&str> = page.limits.iter().map(|text| text.get(language)).collect();
        let has_drift = self.report.table("drift").is_some();
        let has_realised = self.report.table("realised").is_some();
        json!({
            "model": page.model,
            "model_version": page.version,
            "standing": page.standing.code(),
            "target": page.target.get(language),
            "population": page.population.get(language),
            "intended_use": page.intended_use.get(language),
            "limits": limits,
            "decisions": decisions,
            "trained_as_of": page.as_of.to_string(),
            "release_before": page.release_before,
            "trained": trained,
            "learner": page.learner,
            "training_rows": grouped(i128::from(page.training_rows)),
            "trained_on": page.trained_on.map(|days| days.map(|day| day.to_string())),
            "evaluation_rows": grouped(i128::from(page.evaluation_rows)),
            "evaluated_on": page.evaluated_on.map(|day| day.to_string()),
            "threshold": fixed(page.threshold, 4),
            "capacity": page.capacity.get(language),
            "artefact_sha256": page.artefact_sha256,
            "code_version": page.code_version,
            "unused_features": page.unused_features.join(", "),
            "coverage_of": page.coverage_of,
            "tables": tables,
            "has_drift": has_drift,
            "has_realised": has_realised,
        })
    }

    /// The version's line in the list.
    pub(crate) fn line(&self, language: Language) -> Value {
        let page = self.page;
        let of = |name: &str| page.metrics.iter().find(|metric| metric.name == name);
        let figure = |name: &str| {
            of(name).map(|metric| {
                let Interval {
                    value,
                    lower,
                    upper,
                } = metric.model;
                format!(
                    "{} [{}, {}]",
                    fixed(value, 3),
                    fixed(lower, 3),
                    fixed(upper, 3)
                )
            })
        };
        json!({
            "model": page.model,
            "version": page.version,
            "path": self.path(),
            "target": page.target.get(language),
            "standing": page.standing.code(),
            "as_of": page.as_of.to_string(),
            "rows": grouped(i128::from(page.evaluation_rows)),
            "auc": figure("auc"),
            "calibration_error": figure("calibration_error"),
            "approved_by": page.approved_by(),
        })
    }
}

/// Address of a version's page below its language.
pub(crate) fn path(model: &str, version: &str) -> String {
    format!("models/{model}/{version}/index.html")
}
