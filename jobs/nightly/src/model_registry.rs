//! The registry of model versions and of the decisions about them.
//!
//! Both tables only grow. A version is one row with everything that makes it and the bytes that
//! predict; which one serves follows from the decisions alone, so going back gives the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use chrono::NaiveDate;
use goyong_catalog::Capacity;
use goyong_learn::{
    Calibrator, CandidateEvaluation, LogisticModel, PromotionReport, ScoringArtefact,
};
use goyong_store::{CommitDetails, CommitMode, WriteOptions};
use goyong_types::{TableName, nearest_name};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::project::OpenProject;

const VERSIONS: &str = "models.registry";
const DECISIONS: &str = "models.decision";
const GATES: &str = "models.gate";
const CANDIDATES: &str = "models.candidate";

/// The bytes that serve: model, calibration and the threshold they were evaluated at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artefact {
    pub(crate) format: String,
    /// The declared model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The column that names what is scored.
    pub entity: String,
    /// The day from which the outcome is followed.
    pub entered_on: String,
    /// The probability at which a score is acted upon.
    pub threshold: f64,
    /// Whom there is room to act for.
    pub capacity: Capacity,
    /// Model, calibration and threshold as the learner writes them; in the first format the model
    /// alone.
    pub fitted: String,
}

impl Artefact {
    pub(crate) const FORMAT: &'static str = "goyong-artefact/2";
    /// A logistic regression without calibration.
    const FIRST_FORMAT: &'static str = "goyong-artefact/1";

    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    pub(crate) fn from_json(json: &str) -> Result<Self> {
        let artefact: Self = serde_json::from_str(json).context("read a model's artefact")?;
        if ![Self::FORMAT, Self::FIRST_FORMAT].contains(&artefact.format.as_str()) {
            bail!(
                "the artefact of {} {} has format {}; this program reads {}",
                artefact.model,
                artefact.version,
                artefact.format,
                Self::FORMAT
            );
        }
        Ok(artefact)
    }

    /// What scores. A threshold beside the bytes that is not the one in them is refused.
    pub(crate) fn scoring(&self) -> Result<ScoringArtefact> {
        if self.format == Self::FIRST_FORMAT {
            return Ok(ScoringArtefact {
                model: Box::new(LogisticModel::from_json(&self.fitted)?),
                calibrator: Calibrator::Identity,
                threshold: self.threshold,
                interval: None,
            });
        }
        let scoring = ScoringArtefact::from_bytes(self.fitted.as_bytes())?;
        if scoring.threshold != self.threshold {
            bail!(
                "the artefact of {} {} was judged at threshold {}, not {}",
                self.model,
                self.version,
                scoring.threshold,
                self.threshold
            );
        }
        Ok(scoring)
    }

    /// The day a version was trained as of stands first in its name.
    pub(crate) fn trained_as_of(&self) -> Option<NaiveDate> {
        self.version.get(..10)?.parse().ok()
    }
}

/// A version as it is registered.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// The declared model.
    pub model: String,
    /// Day and hash of everything it is a function of.
    pub version: String,
    /// Nothing known after this day was used.
    pub as_of: NaiveDate,
    /// Every gate passed.
    pub usable: bool,
    /// Rows of the out-of-time evaluation, and what was measured on them.
    pub evaluated_rows: i64,
    pub auc: Option<f64>,
    pub brier: f64,
    pub calibration_error: f64,
    pub calibration_slope: Option<f64>,
    /// The probability at which a score is acted upon.
    pub threshold: f64,
    /// Program and procedure.
    pub code_version: String,
    /// Release before the training, tables with version and content hash, as JSON.
    pub data: String,
    /// Learner, evaluation, capacity, as JSON.
    pub parameters: String,
    /// Features with kind and legal basis, as JSON.
    pub feature_list: String,
    /// Gates with their figures, as JSON.
    pub gates: String,
    /// The model card, as JSON.
    pub card: String,
    /// The declaration as written.
    pub declaration: String,
    /// The artefact's bytes.
    pub artefact: String,
}

/// What was decided about a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// It serves from now on.
    Promote,
    /// The version that serves leaves; the one before it, named here, serves again.
    Rollback,
    /// It scores beside the version that serves from now on.
    Shadow,
    /// It leaves its shadow period and does not serve.
    Withdraw,
}

impl Act {
    fn as_str(self) -> &'static str {
        match self {
            Act::Promote => "promote",
            Act::Rollback => "rollback",
            Act::Shadow => "shadow",
            Act::Withdraw => "withdraw",
        }
    }
}

/// A decision with who took it and why.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// The declared model.
    pub model: String,
    /// The version that serves after it.
    pub version: String,
    /// What was decided.
    pub act: Act,
    /// The account; `gates` where a night decided.
    pub account: String,
    /// Why.
    pub reason: String,
    /// When.
    pub decided_on: NaiveDate,
}

/// Columns of a version's line, without card and artefact.
pub(crate) const LINE: [&str; 12] = [
    "model",
    "version",
    "as_of",
    "usable",
    "evaluated_rows",
    "auc",
    "brier",
    "calibration_error",
    "calibration_slope",
    "threshold",
    "artefact_sha256",
    "code_version",
];

/// The registry as it stands.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// Lines in the order they were registered.
    pub(crate) lines: Vec<[String; 12]>,
    decisions: Vec<[String; 6]>,
}

impl Registry {
    /// Reads both tables, without the bytes.
    pub(crate) async fn open(project: &OpenProject) -> Result<Self> {
        let mut registry = Self::default();
        if exists(project, VERSIONS).await? {
            let sql = format!(
                "select {} from {VERSIONS} order by sequence",
                LINE.join(", ")
            );
            registry.lines = project.texts(&sql, LINE).await?;
        }
        if exists(project, DECISIONS).await? {
            let columns = ["model", "version", "act", "account", "reason", "decided_on"];
            let sql = format!("select * from {DECISIONS} order by sequence");
            registry.decisions = project.texts(&sql, columns).await?;
        }
        Ok(registry)
    }

    /// The versions that serve or served and may again, the newest last.
    fn standing(&self, model: &str) -> Vec<&str> {
        let mut standing: Vec<&str> = Vec::new();
        for [_, version, act, ..] in self.decisions.iter().filter(|row| row[0] == model) {
            if act == Act::Rollback.as_str() {
                standing.pop();
            } else if act == Act::Promote.as_str() && standing.last() != Some(&version.as_str()) {
                standing.push(version);
            }
        }
        standing
    }

    /// The version that serves.
    pub(crate) fn champion(&self, model: &str) -> Option<&str> {
        self.standing(model).last().copied()
    }

    /// The version that a rollback brings back.
    pub(crate) fn before_champion(&self, model: &str) -> Option<&str> {
        let standing = self.standing(model);
        standing.len().checked_sub(2).map(|place| standing[place])
    }

    /// The version that scores beside the one that serves, and since when. Any later decision about the
    /// model ends it.
    pub(crate) fn shadow(&self, model: &str) -> Option<(&str, NaiveDate)> {
        let mut newest_first = self.decisions.iter().rev();
        let [_, version, act, .., since] = newest_first.find(|row| row[0] == model)?;
        let since = since.parse().ok()?;
        (act == Act::Shadow.as_str()).then_some((version.as_str(), since))
    }

    /// How often a version was decided about.
    pub(crate) fn decisions_on(&self, model: &str, version: &str) -> usize {
        let about = |row: &&[String; 6]| row[0] == model && row[1] == version;
        self.decisions.iter().filter(about).count()
    }

    /// The last decision that named a version: act, account, reason and day.
    pub(crate) fn last_decision(&self, model: &str, version: &str) -> Option<&[String; 6]> {
        let mut newest_first = self.decisions.iter().rev();
        newest_first.find(|row| row[0] == model && row[1] == version)
    }

    /// Every decision that named a version, in order.
    pub(crate) fn decisions_about<'a>(
        &'a self,
        model: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a [String; 6]> {
        let rows = self.decisions.iter();
        rows.filter(move |row| row[0] == model && row[1] == version)
    }

    /// The version that serves, others that were decided about, and the newest, each once.
    pub(crate) fn versions_to_show(&self, model: &str) -> Vec<&str> {
        let mut shown: Vec<&str> = self.champion(model).into_iter().collect();
        let served = self.decisions.iter().rev().filter(|row| row[0] == model);
        let newest = self.lines.iter().rev().find(|line| line[0] == model);
        for version in served
            .map(|row| row[1].as_str())
            .chain(newest.map(|line| line[1].as_str()))
        {
            if !shown.contains(&version) {
                shown.push(version);
            }
        }
        shown
    }

    /// The line of a version; the error names the nearest.
    pub(crate) fn line(&self, model: &str, version: &str) -> Result<&[String; 12]> {
        let of_model = || self.lines.iter().filter(|line| line[0] == model);
        if let Some(line) = of_model().find(|line| line[1] == version) {
            return Ok(line);
        }
        let advice = match nearest_name(version, of_model().map(|line| line[1].as_str())) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`goyong models ls` lists them".to_owned(),
        };
        bail!("{model} has no version `{version}`; {advice}")
    }

    /// Adds a version; one that is there stays as it is.
    pub(crate) async fn register(
        &mut self,
        project: &OpenProject,
        version: &Version,
    ) -> Result<()> {
        let mut known = self.lines.iter();
        if known.any(|line| line[0] == version.model && line[1] == version.version) {
            return Ok(());
        }
        let digest = sha256(&version.artefact);
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let number = |value: Option<f64>| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let whole = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("sequence", whole(self.lines.len() as i64 + 1)),
            ("model", text(&version.model)),
            ("version", text(&version.version)),
            ("as_of", date(version.as_of)),
            ("usable", Arc::new(BooleanArray::from(vec![version.usable]))),
            ("evaluated_rows", whole(version.evaluated_rows)),
            ("auc", number(version.auc)),
            ("brier", number(Some(version.brier))),
            ("calibration_error", number(Some(version.calibration_error))),
            ("calibration_slope", number(version.calibration_slope)),
            ("threshold", number(Some(version.threshold))),
            ("artefact_sha256", text(&digest)),
            ("code_version", text(&version.code_version)),
            ("data_json", text(&version.data)),
            ("parameters_json", text(&version.parameters)),
            ("features_json", text(&version.feature_list)),
            ("gates_json", text(&version.gates)),
            ("card_json", text(&version.card)),
            ("declaration_yaml", text(&version.declaration)),
            ("artefact_json", text(&version.artefact)),
        ];
        append(
            project,
            VERSIONS,
            columns,
            "every version that was trained: data, features, parameters, metrics, gates, card and the bytes that predict",
            &format!("register {} {}", version.model, version.version),
        )
        .await?;
        *self = Self::open(project).await?;
        Ok(())
    }

    /// Adds the gates and candidates of a version, one row each; once.
    pub(crate) async fn register_judgement(
        &self,
        project: &OpenProject,
        version: &Version,
        report: &PromotionReport,
        candidates: &[CandidateEvaluation],
    ) -> Result<()> {
        let of = (version.model.as_str(), version.version.as_str());
        if !has_rows(project, GATES, of).await? {
            let operation = format!("judge {} {}", version.model, version.version);
            append(
                project,
                GATES,
                gate_columns(of, report),
                GATES_SAY,
                &operation,
            )
            .await?;
        }
        if !has_rows(project, CANDIDATES, of).await? {
            let columns = candidate_columns(of, candidates);
            let operation = format!("compare learners of {} {}", version.model, version.version);
            append(project, CANDIDATES, columns, CANDIDATES_SAY, &operation).await?;
        }
        Ok(())
    }

    /// Adds a decision.
    pub(crate) async fn decide(&mut self, project: &OpenProject, decision: Decision) -> Result<()> {
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let sequence = self.decisions.len() as i64 + 1;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("sequence", Arc::new(Int64Array::from(vec![sequence]))),
            ("model", text(&decision.model)),
            ("version", text(&decision.version)),
            ("act", text(decision.act.as_str())),
            ("account", text(&decision.account)),
            ("reason", text(&decision.reason)),
            ("decided_on", date(decision.decided_on)),
        ];
        append(
            project,
            DECISIONS,
            columns,
            "who let which version serve, and why; the last one counts",
            &format!("{} {}", decision.act.as_str(), decision.model),
        )
        .await?;
        *self = Self::open(project).await?;
        Ok(())
    }

    /// A version's artefact, whose bytes have to be those that were registered.
    pub(crate) async fn artefact(
        &self,
        project: &OpenProject,
        model: &str,
        version: &str,
    ) -> Result<Artefact> {
        let registered = &self.line(model, version)?[10];
        let json = json_of(project, model, version, "artefact_json").await?;
        if sha256(&json) != *registered {
            bail!(
                "the artefact of {model} {version} is not the one that was registered; run `goyong verify`"
            );
        }
        Artefact::from_json(&json)
    }
}

/// One of the JSON columns of a version.
pub(crate) async fn json_of(
    project: &OpenProject,
    model: &str,
    version: &str,
    column: &str,
) -> Result<String> {
    // Model and version come from the registry or the project, never from outside.
    let sql = format!(
        "select {column} from {VERSIONS} where model = '{model}' and version = '{version}'"
    );
    let mut rows: Vec<[String; 1]> = project.texts(&sql, [column]).await?;
    let [json] = rows
        .pop()
        .with_context(|| format!("{model} {version} is not in the registry"))?;
    Ok(json)
}

/// The card of the newest version of each model, by model.
pub(crate) async fn newest_cards(project: &OpenProject) -> Result<BTreeMap<String, String>> {
    let registry = Registry::open(project).await?;
    let newest: BTreeMap<&str, &str> = registry
        .lines
        .iter()
        .map(|line| (line[0].as_str(), line[1].as_str()))
        .collect();
    let mut cards = BTreeMap::new();
    for (model, version) in newest {
        let card = json_of(project, model, version, "card_json").await?;
        cards.insert(model.to_owned(), card);
    }
    Ok(cards)
}

const GATES_SAY: &str = "the gates of promotion of every version: figure with interval, limits, verdict and a sentence in both languages";
const CANDIDATES_SAY: &str = "how each learner that competed did, window by window: log loss of its calibrated probabilities, above that of the best (regret), AUC, calibration map; and which was taken";

/// One row per gate.
fn gate_columns(
    (model, version): (&str, &str),
    report: &PromotionReport,
) -> Vec<(&'static str, ArrayRef)> {
    let gates = &report.gates;
    let texts = |value: &dyn Fn(&goyong_learn::PromotionGate) -> Option<String>| {
        Arc::new(gates.iter().map(value).collect::<StringArray>()) as ArrayRef
    };
    let numbers = |value: &dyn Fn(&goyong_learn::PromotionGate) -> Option<f64>| {
        Arc::new(gates.iter().map(value).collect::<Float64Array>()) as ArrayRef
    };
    let places = 1..=gates.len() as i64;
    vec![
        ("model", texts(&|_| Some(model.to_owned()))),
        ("version", texts(&|_| Some(version.to_owned()))),
        ("place", Arc::new(Int64Array::from_iter_values(places))),
        ("gate", texts(&|gate| Some(gate.check.name().to_owned()))),
        ("subject", texts(&|gate| gate.subject.clone())),
        ("figure", numbers(&|gate| Some(gate.figure?.value))),
        ("lower", numbers(&|gate| Some(gate.figure?.lower))),
        ("upper", numbers(&|gate| Some(gate.figure?.upper))),
        ("minimum", numbers(&|gate| gate.minimum)),
        ("maximum", numbers(&|gate| gate.maximum)),
        (
            "verdict",
            texts(&|gate| Some(gate.verdict.name().to_owned())),
        ),
        ("reason_ko", texts(&|gate| Some(gate.reason.ko.clone()))),
        ("reason_en", texts(&|gate| Some(gate.reason.en.clone()))),
    ]
}

/// One row per candidate and window.
fn candidate_columns(
    (model, version): (&str, &str),
    candidates: &[CandidateEvaluation],
) -> Vec<(&'static str, ArrayRef)> {
    let rows: Vec<_> = candidates
        .iter()
        .flat_map(|candidate| {
            candidate
                .windows
                .iter()
                .map(move |window| (candidate, window))
        })
        .collect();
    let count = rows.len();
    let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let number = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    vec![
        ("model", text(vec![model; count])),
        ("version", text(vec![version; count])),
        (
            "learner",
            text(
                rows.iter()
                    .map(|(candidate, _)| candidate.name.as_str())
                    .collect(),
            ),
        ),
        (
            "cutoff_or_fold",
            text(
                rows.iter()
                    .map(|(_, window)| window.window.as_str())
                    .collect(),
            ),
        ),
        (
            "evaluated_rows",
            Arc::new(Int64Array::from_iter_values(
                rows.iter().map(|(_, window)| window.rows as i64),
            )),
        ),
        (
            "calibrator",
            text(
                rows.iter()
                    .map(|(_, window)| window.calibrator.as_str())
                    .collect(),
            ),
        ),
        (
            "log_loss",
            number(rows.iter().map(|(_, window)| window.log_loss).collect()),
        ),
        (
            "regret",
            number(rows.iter().map(|(_, window)| window.regret).collect()),
        ),
        (
            "auc",
            Arc::new(
                rows.iter()
                    .map(|(_, window)| window.auc)
                    .collect::<Float64Array>(),
            ),
        ),
        (
            "mean_regret",
            number(
                rows.iter()
                    .map(|(candidate, _)| candidate.mean_regret)
                    .collect(),
            ),
        ),
        (
            "chosen",
            Arc::new(BooleanArray::from(
                rows.iter()
                    .map(|(candidate, _)| candidate.chosen)
                    .collect::<Vec<_>>(),
            )),
        ),
    ]
}

/// Whether a table has rows of a version; both names come from the project.
async fn has_rows(
    project: &OpenProject,
    table: &str,
    (model, version): (&str, &str),
) -> Result<bool> {
    if !exists(project, table).await? {
        return Ok(false);
    }
    let sql = format!(
        "select count(*) as registered from {table} where model = '{model}' and version = '{version}'"
    );
    let rows: Vec<[String; 1]> = project.texts(&sql, ["registered"]).await?;
    Ok(rows.first().is_some_and(|[count]| count != "0"))
}

pub(crate) async fn exists(project: &OpenProject, table: &str) -> Result<bool> {
    let table: TableName = table.parse()?;
    Ok(project.warehouse().snapshot(&table).await?.is_some())
}

/// Appends one batch to a table that only grows.
pub(crate) async fn append(
    project: &OpenProject,
    table: &str,
    columns: Vec<(&str, ArrayRef)>,
    description: &str,
    operation: &str,
) -> Result<()> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )?;
    let options = WriteOptions {
        description: Some(description.to_owned()),
        ..WriteOptions::default()
    };
    let table: TableName = table.parse()?;
    let warehouse = project.warehouse();
    let mut writer = warehouse.writer(&table, batch.schema(), options).await?;
    writer.write(None, &batch)?;
    let details = CommitDetails {
        operation: operation.to_owned(),
        // Under one name a second promotion of a model would count as the first one repeated.
        application: None,
        ..CommitDetails::default()
    };
    writer.commit(CommitMode::Append, details).await?;
    Ok(())
}

fn date(day: NaiveDate) -> ArrayRef {
    let days = (day - NaiveDate::default()).num_days() as i32;
    Arc::new(Date32Array::from(vec![days]))
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn registry(decisions: &[(&str, &str)]) -> Registry {
        Registry {
            lines: Vec::new(),
            decisions: decisions
                .iter()
                .map(|(act, version)| {
                    ["m", version, act, "someone", "a reason", "2024-01-01"].map(str::to_owned)
                })
                .collect(),
        }
    }

    #[test]
    fn the_last_promotion_serves_and_a_rollback_takes_one_step_back() {
        let promoted = [("promote", "1"), ("promote", "2"), ("promote", "3")];
        let mut decisions = promoted.to_vec();
        assert_eq!(registry(&decisions).champion("m"), Some("3"));
        assert_eq!(registry(&decisions).before_champion("m"), Some("2"));
        decisions.push(("rollback", "2"));
        assert_eq!(registry(&decisions).champion("m"), Some("2"));
        decisions.push(("rollback", "1"));
        let after = registry(&decisions);
        assert_eq!(after.champion("m"), Some("1"));
        assert_eq!(after.before_champion("m"), None);
        assert_eq!(after.champion("another"), None);
    }

    #[test]
    fn a_shadow_serves_nothing_and_ends_with_the_next_decision() {
        let mut decisions = vec![("promote", "1"), ("shadow", "2")];
        let day = "2024-01-01".parse().unwrap();
        assert_eq!(registry(&decisions).shadow("m"), Some(("2", day)));
        assert_eq!(registry(&decisions).champion("m"), Some("1"));
        assert_eq!(registry(&decisions).shadow("another"), None);
        let mut withdrawn = decisions.clone();
        withdrawn.push(("withdraw", "2"));
        assert_eq!(registry(&withdrawn).shadow("m"), None);
        assert_eq!(registry(&withdrawn).champion("m"), Some("1"));
        decisions.push(("promote", "2"));
        assert_eq!(registry(&decisions).shadow("m"), None);
        assert_eq!(registry(&decisions).champion("m"), Some("2"));
        assert_eq!(registry(&decisions).before_champion("m"), Some("1"));
    }

    /// An artefact whose bytes were judged at .4.
    fn artefact() -> Artefact {
        use goyong_learn::{
            Dataset, DatasetSpec, FeatureSpec, FitOptions, LogisticModel, ScoringArtefact,
        };
        let keys = 0..200_i64;
        let days: ArrayRef = Arc::new(Date32Array::from(vec![1; 200]));
        let labels: BooleanArray = keys.clone().map(|key| Some(key % 3 == 0)).collect();
        let values = keys.clone().map(|key| (key % 7) as f64);
        let batch = RecordBatch::try_from_iter(vec![
            (
                "key",
                Arc::new(Int64Array::from_iter_values(keys)) as ArrayRef,
            ),
            ("entered", days.clone()),
            ("known", days),
            ("label", Arc::new(labels)),
            ("value", Arc::new(Float64Array::from_iter_values(values))),
        ]);
        let spec = DatasetSpec {
            entity: "key".into(),
            entered_on: "entered".into(),
            label: "label".into(),
            label_known_on: "known".into(),
            features: vec![FeatureSpec::numeric("value", "값", "value")],
            groups: vec![],
            max_rows: None,
            seed: 1,
        };
        let dataset = Dataset::from_batches(&[batch.unwrap()], &spec).unwrap();
        let model = LogisticModel::fit(&dataset, &FitOptions::default()).unwrap();
        let scoring = ScoringArtefact {
            model: Box::new(model),
            calibrator: Calibrator::Identity,
            threshold: 0.4,
            interval: None,
        };
        Artefact {
            format: Artefact::FORMAT.to_owned(),
            model: "m".to_owned(),
            version: "2024-01-01-aabbccdd".to_owned(),
            entity: "key".to_owned(),
            entered_on: "entered".to_owned(),
            threshold: 0.4,
            capacity: Capacity {
                share: 0.2,
                end: goyong_catalog::End::Lowest,
            },
            fitted: String::from_utf8(scoring.to_bytes().unwrap()).unwrap(),
        }
    }

    #[test]
    fn a_threshold_beside_the_bytes_that_is_not_theirs_is_refused() {
        let json = artefact().to_json().unwrap();
        let same = Artefact::from_json(&json).unwrap();
        assert_eq!(same.scoring().unwrap().threshold, 0.4);
        let mut moved = artefact();
        moved.threshold = 0.3;
        let error = moved.scoring().unwrap_err().to_string();
        assert!(
            error.contains("judged at threshold 0.4, not 0.3"),
            "{error}"
        );
        // Moved in the bytes as well, the checksum tells.
        moved.fitted = moved
            .fitted
            .replacen("\"threshold\":0.4", "\"threshold\":0.3", 1);
        let error = moved.scoring().unwrap_err().to_string();
        assert!(error.contains("changed after it was judged"), "{error}");
    }

    #[test]
    fn versions_that_served_and_the_newest_are_shown_once_each() {
        let mut registry = registry(&[("promote", "1"), ("promote", "2"), ("rollback", "1")]);
        for version in ["1", "2", "3"] {
            let mut line: [String; 12] = Default::default();
            line[0] = "m".to_owned();
            line[1] = version.to_owned();
            registry.lines.push(line);
        }
        assert_eq!(registry.versions_to_show("m"), ["1", "2", "3"]);
        assert_eq!(registry.decisions_about("m", "1").count(), 2);
        assert!(registry.versions_to_show("another").is_empty());
    }

    #[test]
    fn an_unknown_version_is_told_with_the_nearest() {
        let mut registry = registry(&[]);
        let mut line: [String; 12] = Default::default();
        line[0] = "m".to_owned();
        line[1] = "2024-01-01-aabbccdd".to_owned();
        registry.lines.push(line);
        let error = registry.line("m", "2024-01-01-aabbccde").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("did you mean `2024-01-01-aabbccdd`?")
        );
    }
}
