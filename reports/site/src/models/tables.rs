//! The tables of a model's page. They take the way of every other table: raw rows, disclosure control, page.

use std::collections::BTreeMap;

use goyong_disclosure::CellValue;

use super::inputs::{Interval, ModelGate, ModelVersionPage};
use crate::definition::{Members, ReportDefinition, TableDefinition};
use crate::inputs::{ReportInput, TableInput};
use crate::language::Bilingual;
use crate::render::SiteError;

const FILE: &str = "model_tables.yml";
/// What a gate of drift has in its name, whichever gates there are.
const DRIFT: &str = "drift";
/// A gate that is about no feature and no group.
const NOTHING: &str = "–";

/// Rows of a table with what its columns are, in order.
struct Rows {
    name: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<CellValue>>,
    /// Words for codes of a column.
    members: Vec<(&'static str, BTreeMap<String, Bilingual>)>,
}

impl Rows {
    fn new(
        name: &'static str,
        columns: &'static [&'static str],
        rows: Vec<Vec<CellValue>>,
    ) -> Self {
        Self {
            name,
            columns,
            rows,
            members: Vec::new(),
        }
    }

    fn with_members(
        mut self,
        column: &'static str,
        members: impl Iterator<Item = (String, Bilingual)>,
    ) -> Self {
        self.members.push((column, members.collect()));
        self
    }
}

/// The tables of a version as a report that is on no list.
pub(super) fn report_input(page: &ModelVersionPage) -> Result<ReportInput, SiteError> {
    let mut definition: ReportDefinition = serde_yaml_ng::from_str(include_str!(
        "../../templates/model_tables.yml"
    ))
    .map_err(|source| SiteError::Embedded {
        name: FILE,
        reason: source.to_string(),
    })?;
    let mut tables = Vec::new();
    for rows in [
        metrics(page),
        windows(page),
        candidates(page),
        gates("gates", page.gates.iter()),
        gates(
            "drift",
            page.gates.iter().filter(|gate| gate.gate.contains(DRIFT)),
        ),
        calibration(page),
        fairness(page),
        features(page),
        realised(page),
        alarms(page),
    ] {
        let known = definition
            .tables
            .iter_mut()
            .find(|table| table.name == rows.name);
        let Some(table) = known else {
            return Err(SiteError::Embedded {
                name: FILE,
                reason: format!("there is no table {}", rows.name),
            });
        };
        tell(table, rows.members);
        tables.push(TableInput {
            name: rows.name.to_owned(),
            columns: rows.columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: rows.rows,
            reads: vec![source_of(rows.name).to_owned()],
            compiled_sql: String::new(),
        });
    }
    Ok(ReportInput { definition, tables })
}

/// Where the figures of a table stand.
fn source_of(table: &str) -> &'static str {
    match table {
        "realised" | "alarms" => "marts.predicted_realised",
        _ => "models.registry",
    }
}

/// Adds words for codes to those of the definition, which win.
fn tell(table: &mut TableDefinition, members: Vec<(&'static str, BTreeMap<String, Bilingual>)>) {
    for (column, mut words) in members {
        if let Some(Members::List(known)) = table.members.get(column) {
            words.extend(known.clone());
        }
        table
            .members
            .insert(column.to_owned(), Members::List(words));
    }
}

fn text(value: &str) -> CellValue {
    if value.is_empty() {
        CellValue::Null
    } else {
        CellValue::Text(value.to_owned())
    }
}

fn number(value: Option<f64>) -> CellValue {
    value.map_or(CellValue::Null, CellValue::Float)
}

fn count(value: u64) -> CellValue {
    i64::try_from(value).map_or(CellValue::Null, CellValue::Integer)
}

fn flag(is_so: bool) -> CellValue {
    text(if is_so { "yes" } else { "no" })
}

fn ends(interval: Option<Interval>) -> [CellValue; 3] {
    [
        number(interval.map(|interval| interval.value)),
        number(interval.map(|interval| interval.lower)),
        number(interval.map(|interval| interval.upper)),
    ]
}

fn metrics(page: &ModelVersionPage) -> Rows {
    let row = |metric: &super::ModelMetric| {
        let [value, lower, upper] = ends(Some(metric.model));
        vec![
            text(&metric.name),
            value,
            lower,
            upper,
            number(metric.baseline),
            text(&metric.better),
        ]
    };
    let titles = page.metrics.iter();
    Rows::new(
        "metrics",
        &["metric", "model", "lower", "upper", "baseline", "better"],
        page.metrics.iter().map(row).collect(),
    )
    .with_members(
        "metric",
        titles.map(|metric| (metric.name.clone(), metric.title.clone())),
    )
}

fn windows(page: &ModelVersionPage) -> Rows {
    let row = |window: &super::ModelWindow| {
        vec![
            CellValue::Text(window.from.to_string()),
            count(window.rows),
            number(Some(window.predicted)),
            number(Some(window.observed)),
            number(window.auc),
            number(window.baseline_auc),
            number(Some(window.calibration_error)),
        ]
    };
    Rows::new(
        "windows",
        &[
            "from",
            "entries",
            "predicted",
            "observed",
            "auc",
            "baseline_auc",
            "calibration_error",
        ],
        page.windows.iter().map(row).collect(),
    )
}

fn candidates(page: &ModelVersionPage) -> Rows {
    let row = |candidate: &super::ModelCandidate| {
        vec![
            text(&candidate.learner),
            text(&candidate.window),
            number(Some(candidate.log_loss)),
            number(Some(candidate.regret)),
            number(candidate.auc),
            text(&candidate.calibrator),
            flag(candidate.is_chosen),
        ]
    };
    Rows::new(
        "candidates",
        &[
            "learner",
            "window",
            "log_loss",
            "regret",
            "auc",
            "calibrator",
            "chosen",
        ],
        page.candidates.iter().map(row).collect(),
    )
}

fn gates<'a>(name: &'static str, gates: impl Iterator<Item = &'a ModelGate>) -> Rows {
    let listed: Vec<&ModelGate> = gates.collect();
    let row = |gate: &&ModelGate| {
        vec![
            text(&gate.gate),
            text(match gate.subject.as_str() {
                "" => NOTHING,
                subject => subject,
            }),
            number(gate.figure),
            number(gate.lower),
            number(gate.upper),
            number(gate.minimum),
            number(gate.maximum),
            text(&gate.verdict),
            // The sentence stands for itself in the downloads; pages have it in their language.
            text(&gate.text.en),
        ]
    };
    let sentences = listed.iter();
    Rows::new(
        name,
        &[
            "gate", "subject", "figure", "lower", "upper", "minimum", "maximum", "verdict", "text",
        ],
        listed.iter().map(row).collect(),
    )
    .with_members(
        "text",
        sentences.map(|gate| (gate.text.en.clone(), gate.text.clone())),
    )
}

fn calibration(page: &ModelVersionPage) -> Rows {
    let row = |(index, group): (usize, &super::CalibrationGroup)| {
        let [observed, lower, upper] = ends(Some(group.observed));
        vec![
            CellValue::Text((index + 1).to_string()),
            count(group.rows),
            number(Some(group.predicted)),
            observed,
            lower,
            upper,
        ]
    };
    Rows::new(
        "calibration",
        &["bin", "entries", "predicted", "observed", "lower", "upper"],
        page.calibration.iter().enumerate().map(row).collect(),
    )
}

fn fairness(page: &ModelVersionPage) -> Rows {
    let row = |group: &super::ModelGroup| {
        let [observed, lower, upper] = ends(Some(group.observed));
        let [difference, difference_low, difference_high] = ends(group.difference);
        vec![
            text(&group.attribute),
            text(&group.group),
            count(group.rows),
            number(Some(group.predicted)),
            observed,
            lower,
            upper,
            number(group.auc),
            number(group.slope),
            difference,
            difference_low,
            difference_high,
            text(&group.verdict),
        ]
    };
    let titles = page.groups.iter();
    Rows::new(
        "fairness",
        &[
            "attribute",
            "group",
            "entries",
            "predicted",
            "observed",
            "lower",
            "upper",
            "auc",
            "slope",
            "difference",
            "difference_low",
            "difference_high",
            "verdict",
        ],
        page.groups.iter().map(row).collect(),
    )
    .with_members(
        "attribute",
        titles.map(|group| (group.attribute.clone(), group.title.clone())),
    )
}

fn features(page: &ModelVersionPage) -> Rows {
    let row = |feature: &super::ModelFeature| {
        vec![
            text(&feature.name),
            text(&feature.kind),
            number(feature.coverage),
            number(feature.influence),
            text(&feature.legal_basis),
        ]
    };
    let titles = page.features.iter();
    Rows::new(
        "features",
        &["feature", "kind", "coverage", "influence", "legal_basis"],
        page.features.iter().map(row).collect(),
    )
    .with_members(
        "feature",
        titles.map(|feature| (feature.name.clone(), feature.title.clone())),
    )
}

fn realised(page: &ModelVersionPage) -> Rows {
    let whole = page.realised.iter().filter(|month| month.cut == "all");
    Rows::new(
        "realised",
        &[
            "basis",
            "month",
            "entries",
            "predicted",
            "strict",
            "loose",
            "ratio",
            "alarm",
        ],
        whole
            .map(|month| {
                vec![
                    text(&month.basis),
                    CellValue::Date(month.month),
                    count(month.rows),
                    number(Some(month.predicted)),
                    number(Some(month.strict)),
                    number(Some(month.loose)),
                    number(month.ratio),
                    flag(month.is_alarm),
                ]
            })
            .collect(),
    )
}

/// Deciles and groups that raise an alarm.
fn alarms(page: &ModelVersionPage) -> Rows {
    let raised = page
        .realised
        .iter()
        .filter(|month| month.cut != "all" && month.is_alarm);
    Rows::new(
        "alarms",
        &[
            "basis",
            "month",
            "cut",
            "value",
            "entries",
            "predicted",
            "strict",
            "ratio",
        ],
        raised
            .map(|month| {
                vec![
                    text(&month.basis),
                    CellValue::Date(month.month),
                    text(&month.cut),
                    text(&month.value),
                    count(month.rows),
                    number(Some(month.predicted)),
                    number(Some(month.strict)),
                    number(month.ratio),
                ]
            })
            .collect(),
    )
}
