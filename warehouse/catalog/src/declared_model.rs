//! A probability model as the project declares it: `models/<name>.yml`.
//!
//! A declaration says which label model is learned from which feature model and under which
//! conditions the result may serve. One job trains every declared model.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use goyong_types::{TableName, nearest_name};

use crate::contract::BilingualText;
use crate::files::{ProjectFiles, stem};
use crate::header::parse_yaml;
use crate::model::Model;
use crate::problem::Problem;

/// The folder of the declarations.
const FOLDER: &str = "models";

/// A declared probability model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredModel {
    /// Its name, that of the file.
    pub model: String,
    /// What it predicts.
    pub title: BilingualText,
    /// Who or what is scored.
    pub population: BilingualText,
    /// What it is for, and what not.
    pub intended_use: BilingualText,
    /// What is not known about it.
    #[serde(default)]
    pub limits: Vec<BilingualText>,
    /// The feature model.
    pub features: TableName,
    /// The label model, joined by entity and day of entry.
    pub labels: TableName,
    /// A model with the same features for rows as they could be: columns `alternative`, `title_ko`
    /// and `title_en` say what is different.
    #[serde(default)]
    pub alternatives: Option<TableName>,
    /// The column that names what is scored.
    pub entity: String,
    /// The day from which the outcome is followed.
    pub entered_on: String,
    /// The outcome: true, false, or null while it is not known.
    #[serde(default = "label_column")]
    pub label: String,
    /// The day on which the outcome is or will be known.
    #[serde(default = "label_known_on_column")]
    pub label_known_on: String,
    /// Days after entry before which no outcome can be known.
    pub label_gap_days: i64,
    /// The columns of the feature model that the model sees, each with the basis to use it.
    #[serde(rename = "use")]
    pub uses: Vec<FeatureUse>,
    /// Features without which no score is given: the file of a row where one of them is null is
    /// incomplete, and the model neither learns from it nor speaks of it.
    #[serde(default)]
    pub complete: Vec<String>,
    /// Columns to report by, for fairness; they need not be features.
    #[serde(default)]
    pub groups: Vec<GroupUse>,
    /// The rule to beat.
    pub baseline: Baseline,
    /// How the model is fitted.
    pub learner: Learner,
    /// Learners that compete with it; the one with the least regret out of time is taken.
    #[serde(default)]
    pub rivals: Vec<Learner>,
    /// The calibration maps that compete with none.
    #[serde(default = "all_calibrators")]
    pub calibrators: Vec<CalibratorName>,
    /// How it is judged.
    #[serde(default)]
    pub evaluation: EvaluationDesign,
    /// Limits of promotion where they differ from the usual ones.
    #[serde(default)]
    pub gates: GateSettings,
    /// Features that move by their nature, such as the state of the market: their drift is told,
    /// not judged.
    #[serde(default)]
    pub moving: Vec<String>,
    /// Features by what a counsellor calls their subject; explanations are grouped by them.
    #[serde(default)]
    pub themes: Vec<Theme>,
    /// Whom there is room to act for: the end of the ranking and its share.
    pub capacity: Capacity,
    /// The probability at which a score is acted upon; that of the capacity when absent. It is
    /// part of the trained model: another one needs another training.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Who lets a version that passed its gates serve.
    #[serde(default)]
    pub promotion: Promotion,
    /// Days for which a version that may replace the one in use scores beside it first.
    #[serde(default)]
    pub shadow_days: u16,
    /// Where it was declared.
    #[serde(skip)]
    pub file: String,
    /// The declaration as written.
    #[serde(skip)]
    pub text: String,
}

/// Feature columns with the basis to use them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureUse {
    /// The article of law or the licence that allows the use.
    pub legal_basis: String,
    /// The columns.
    pub columns: Vec<String>,
    /// Columns of numbers that are codes: each number becomes a category.
    #[serde(default)]
    pub codes: Vec<String>,
    /// The column that says when these values became known; none may be later than the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_on: Option<String>,
}

/// A column to report by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupUse {
    /// The column of the feature model.
    pub column: String,
    /// What it is called.
    pub title: BilingualText,
    /// The gates that judge it; figures of the others are told without a verdict.
    #[serde(default = "all_fairness_checks")]
    pub judged_by: Vec<FairnessCheck>,
}

/// A gate on a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FairnessCheck {
    /// Calibration within the group.
    Calibration,
    /// Share acted upon among those with the outcome sought, against everybody else's.
    TruePositiveRatio,
    /// Share acted upon, against everybody else's.
    FlagRatio,
}

impl FairnessCheck {
    /// All of them.
    pub const ALL: [FairnessCheck; 3] = [
        FairnessCheck::Calibration,
        FairnessCheck::TruePositiveRatio,
        FairnessCheck::FlagRatio,
    ];
}

/// Features with a subject in common.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// What a counsellor calls it.
    pub title: BilingualText,
    /// Columns of `use`.
    pub columns: Vec<String>,
}

/// The rate of each group in the past: a rule in one or a few variables.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The columns whose combinations are the groups.
    pub columns: Vec<String>,
    /// What the rule is called.
    pub title: BilingualText,
}

/// How a model is fitted. Settings that are not given have the defaults of the learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learner {
    /// Which learner.
    pub kind: LearnerKind,
    /// L2 penalty: of `logistic` on the standardised scale, of `boosting` on the values of leaves.
    #[serde(default = "one")]
    pub ridge: f64,
    /// A category with fewer training rows is pooled (`logistic`) or counts as missing (`boosting`).
    #[serde(default = "minimum_count")]
    pub minimum_count: usize,
    /// At most this many rows are held in memory and trained on; of a rival, trained on.
    #[serde(default = "row_budget")]
    pub row_budget: usize,
    /// Of `boosting`: trees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trees: Option<usize>,
    /// Of `boosting`: leaves of a tree at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<usize>,
    /// Of `boosting`: share of its answer that each tree adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Of `boosting`: rows a leaf needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_leaf_rows: Option<usize>,
    /// Of `boosting`: share of the features each tree sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_share: Option<f64>,
    /// The direction in which the probability may move with a number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub monotone: BTreeMap<String, Direction>,
}

/// The learners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Regularised logistic regression.
    Logistic,
    /// Boosted trees.
    Boosting,
}

/// The direction in which a probability may move with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More of it never lowers the probability.
    Rising,
    /// More of it never raises the probability.
    Falling,
}

/// The calibration maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibratorName {
    /// A line on the log-odds.
    Platt,
    /// Three parameters, for probabilities pressed towards one end.
    Beta,
    /// A rising step function.
    Isotonic,
}

/// Limits of promotion; one that is not given has its usual value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateSettings {
    /// Rows of the rarer outcome at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_rows: Option<usize>,
    /// Calibration slope, least and most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slope: Option<[f64; 2]>,
    /// Expected calibration error at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_error: Option<f64>,
    /// AUC at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plausible_auc: Option<f64>,
    /// AUC of a single feature at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_feature_auc: Option<f64>,
    /// Population stability index of inputs and scores at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<f64>,
    /// KS distance of inputs and scores at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ks: Option<f64>,
    /// Calibration slope within a group, least and most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_slope: Option<[f64; 2]>,
    /// Ratios between groups, least and most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_ratio: Option<[f64; 2]>,
    /// Share of those eligible that get a score at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Rank correlation of two consecutive models at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_correlation: Option<f64>,
    /// Mean change of a score from the model in use at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_movement: Option<f64>,
}

/// How a model is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationDesign {
    /// Folds drawn by entity instead of months, for data that has no time.
    pub folds: Option<usize>,
    /// Months of entry judged per cut-off.
    pub months: u32,
    /// Months a window may be widened to where it has too few rows.
    pub maximum_months: u32,
    /// At most this many cut-offs.
    pub cutoffs: usize,
    /// Labelled rows needed before a cut-off.
    pub minimum_training_rows: usize,
    /// Labelled rows needed after a cut-off.
    pub minimum_evaluation_rows: usize,
}

impl Default for EvaluationDesign {
    fn default() -> Self {
        Self {
            folds: None,
            months: 1,
            maximum_months: 3,
            cutoffs: 6,
            minimum_training_rows: 500,
            minimum_evaluation_rows: 200,
        }
    }
}

/// Whom there is room to act for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Share of the rows.
    pub share: f64,
    /// Which end of the ranking.
    pub end: End,
}

/// An end of the ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Those with the lowest probability.
    Lowest,
    /// Those with the highest probability.
    Highest,
}

/// Who lets a version serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promotion {
    /// The gates: a version that passes all of them serves.
    #[default]
    Gates,
    /// A person, with `goyong models promote`; the gates have to have passed as well.
    Person,
}

fn label_column() -> String {
    "label".to_owned()
}

fn label_known_on_column() -> String {
    "label_known_on".to_owned()
}

fn one() -> f64 {
    1.0
}

fn minimum_count() -> usize {
    50
}

fn row_budget() -> usize {
    1_500_000
}

fn all_calibrators() -> Vec<CalibratorName> {
    vec![
        CalibratorName::Platt,
        CalibratorName::Beta,
        CalibratorName::Isotonic,
    ]
}

fn all_fairness_checks() -> Vec<FairnessCheck> {
    FairnessCheck::ALL.to_vec()
}

impl DeclaredModel {
    /// Every feature column in the order declared.
    pub fn feature_columns(&self) -> impl Iterator<Item = &str> {
        let columns = self.uses.iter().flat_map(|allowed| &allowed.columns);
        columns.map(String::as_str)
    }

    /// The learner and its rivals, in the order declared.
    pub fn learners(&self) -> impl Iterator<Item = &Learner> {
        std::iter::once(&self.learner).chain(&self.rivals)
    }

    /// The theme of a feature, if it has one.
    pub fn theme_of(&self, column: &str) -> Option<&Theme> {
        let mut themes = self.themes.iter();
        themes.find(|theme| theme.columns.iter().any(|named| named == column))
    }

    /// The problem of a key that names no column of a table.
    pub fn unknown_column<'a>(
        &self,
        key: &str,
        name: &str,
        table: &TableName,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Problem {
        self.problem(name, format!("`{key}`: {table} has no column `{name}`"))
            .with_nearest(name, columns)
    }

    /// A problem where the file first holds a word.
    pub fn problem(&self, word: &str, message: String) -> Problem {
        Problem::new(&format!("sql/{}", self.file), message).at_word(&self.text, word)
    }
}

/// Reads every declaration; what is wrong is added to `problems`.
pub(crate) fn read_all(
    files: &ProjectFiles,
    models: &BTreeMap<TableName, Model>,
    broken: &BTreeSet<TableName>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, DeclaredModel> {
    let mut declared = BTreeMap::new();
    for (path, text) in files.below(FOLDER, "yml") {
        match parse_yaml::<DeclaredModel>(path, "", text) {
            Ok(mut model) => {
                model.file = path.to_owned();
                model.text = text.to_owned();
                check(&model, models, broken, problems);
                declared.insert(model.model.clone(), model);
            }
            Err(problem) => problems.push(problem),
        }
    }
    declared
}

fn check(
    declared: &DeclaredModel,
    models: &BTreeMap<TableName, Model>,
    broken: &BTreeSet<TableName>,
    problems: &mut Vec<Problem>,
) {
    let name = stem(&declared.file);
    if declared.model != name {
        let message = format!(
            "`model`: calls the model `{}`, its file `{name}`",
            declared.model
        );
        problems.push(declared.problem("model", message));
    }
    let alternatives = declared.alternatives.iter();
    for (key, table) in [
        ("features", &declared.features),
        ("labels", &declared.labels),
    ]
    .into_iter()
    .chain(alternatives.map(|table| ("alternatives", table)))
    {
        if broken.contains(table) {
            continue;
        }
        let Some(model) = models.get(table) else {
            let known: Vec<String> = models.keys().map(TableName::to_string).collect();
            let message = format!("`{key}`: no model makes {table}");
            problems.push(
                declared
                    .problem(key, message)
                    .with_nearest(&table.to_string(), known.iter().map(String::as_str)),
            );
            continue;
        };
        if model.header.label != (key == "labels") {
            let message = match key {
                "labels" => {
                    format!("`labels`: {table} is no label model, its header lacks `label: true`")
                }
                _ => {
                    format!(
                        "`{key}`: {table} is a label model, which looks past the day it is asked on"
                    )
                }
            };
            problems.push(declared.problem(key, message));
        }
    }
    let mut seen = BTreeSet::new();
    for column in declared.feature_columns() {
        if !seen.insert(column) {
            problems.push(declared.problem(column, format!("`use`: names `{column}` twice")));
        }
        let reserved = [
            &declared.label,
            &declared.label_known_on,
            &declared.entity,
            &declared.entered_on,
        ];
        if reserved.iter().any(|reserved| *reserved == column) {
            let message =
                format!("`use`: `{column}` names the row or its outcome and is no feature");
            problems.push(declared.problem(column, message));
        }
    }
    if seen.is_empty() {
        problems.push(declared.problem("use", "`use`: names no column".to_owned()));
    }
    for allowed in &declared.uses {
        if allowed.legal_basis.trim().is_empty() {
            let message = "`legal_basis`: says nothing".to_owned();
            problems.push(declared.problem("legal_basis", message));
        }
        for code in &allowed.codes {
            if !allowed.columns.contains(code) {
                let known = allowed.columns.iter().map(String::as_str);
                let message = format!("`codes`: `{code}` is not among the columns beside it");
                problems.push(declared.problem("codes", message).with_nearest(code, known));
            }
        }
    }
    check_numbers(declared, problems);
    check_themes(declared, &seen, problems);
    for learner in declared.learners() {
        check_learner(declared, learner, &seen, problems);
    }
    let groups: Vec<&str> = declared.groups.iter().map(|g| g.column.as_str()).collect();
    for column in &declared.baseline.columns {
        if !groups.contains(&column.as_str()) && !seen.contains(column.as_str()) {
            let known = groups.iter().chain(&seen).copied();
            let advice = nearest_name(column, known)
                .map(|nearest| format!("did you mean `{nearest}`?"))
                .unwrap_or_else(|| "name a column of `groups` or `use`".to_owned());
            let message =
                format!("`baseline`: `{column}` is neither among `groups` nor among `use`");
            problems.push(declared.problem("baseline", message).with_help(advice));
        }
    }
}

fn check_themes(declared: &DeclaredModel, used: &BTreeSet<&str>, problems: &mut Vec<Problem>) {
    for (key, columns) in [
        ("moving", &declared.moving),
        ("complete", &declared.complete),
    ] {
        for column in columns {
            if !used.contains(column.as_str()) {
                let message = format!("`{key}`: `{column}` is not among `use`");
                let problem = declared.problem(key, message);
                problems.push(problem.with_nearest(column, used.iter().copied()));
            }
        }
    }
    let mut placed = BTreeSet::new();
    for column in declared.themes.iter().flat_map(|theme| &theme.columns) {
        if !used.contains(column.as_str()) {
            let message = format!("`themes`: `{column}` is not among `use`");
            let problem = declared.problem("themes", message);
            problems.push(problem.with_nearest(column, used.iter().copied()));
        } else if !placed.insert(column) {
            let message = format!("`themes`: `{column}` has two themes");
            problems.push(declared.problem("themes", message));
        }
    }
}

fn check_learner(
    declared: &DeclaredModel,
    learner: &Learner,
    used: &BTreeSet<&str>,
    problems: &mut Vec<Problem>,
) {
    let mut wrong = |key: &str, message: String| {
        problems.push(declared.problem(key, format!("`{key}`: {message}")))
    };
    if !(learner.ridge >= 0.0 && learner.ridge.is_finite()) {
        wrong("ridge", "is no penalty of zero or more".to_owned());
    }
    if learner.row_budget == 0 {
        wrong("row_budget", "no row to train on".to_owned());
    }
    let of_trees = [
        ("trees", learner.trees.is_some()),
        ("leaves", learner.leaves.is_some()),
        ("learning_rate", learner.learning_rate.is_some()),
        ("minimum_leaf_rows", learner.minimum_leaf_rows.is_some()),
        ("column_share", learner.column_share.is_some()),
    ];
    for (key, given) in of_trees {
        if given && learner.kind == LearnerKind::Logistic {
            let message = "a setting of `boosting`, and this learner is `logistic`";
            wrong(key, message.to_owned());
        }
    }
    if learner.trees == Some(0) {
        wrong("trees", "at least one is needed".to_owned());
    }
    if learner
        .leaves
        .is_some_and(|leaves| !(2..=255).contains(&leaves))
    {
        wrong("leaves", "lies between 2 and 255".to_owned());
    }
    let share = |value: f64| value > 0.0 && value <= 1.0;
    for (key, value) in [
        ("learning_rate", learner.learning_rate),
        ("column_share", learner.column_share),
    ] {
        if let Some(value) = value.filter(|value| !share(*value)) {
            wrong(
                key,
                format!("{value} does not lie above 0 and at most at 1"),
            );
        }
    }
    for column in learner.monotone.keys() {
        if !used.contains(column.as_str()) {
            let message = format!("`monotone`: `{column}` is not among `use`");
            let problem = declared.problem(column, message);
            problems.push(problem.with_nearest(column, used.iter().copied()));
        }
    }
}

fn check_gates(declared: &DeclaredModel, problems: &mut Vec<Problem>) {
    let gates = &declared.gates;
    let mut wrong = |key: &str, message: String| {
        problems.push(declared.problem(key, format!("`{key}`: {message}")))
    };
    for (key, range) in [
        ("slope", gates.slope),
        ("group_slope", gates.group_slope),
        ("group_ratio", gates.group_ratio),
    ] {
        if let Some([least, most]) = range
            && !(least > 0.0 && least <= 1.0 && most >= 1.0 && most.is_finite())
        {
            let message = format!("[{least}, {most}] is no range around 1");
            wrong(key, message);
        }
    }
    for (key, value) in [
        ("calibration_error", gates.calibration_error),
        ("plausible_auc", gates.plausible_auc),
        ("single_feature_auc", gates.single_feature_auc),
        ("ks", gates.ks),
        ("coverage", gates.coverage),
        ("rank_correlation", gates.rank_correlation),
        ("score_movement", gates.score_movement),
    ] {
        if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
            wrong(key, format!("{value} does not lie between 0 and 1"));
        }
    }
    if let Some(psi) = gates.psi.filter(|psi| !(*psi > 0.0 && psi.is_finite())) {
        wrong("psi", format!("{psi} is no limit above 0"));
    }
}

fn check_numbers(declared: &DeclaredModel, problems: &mut Vec<Problem>) {
    let share = declared.capacity.share;
    let mut wrong = |key: &str, message: String| {
        problems.push(declared.problem(key, format!("`{key}`: {message}")))
    };
    if !(share > 0.0 && share < 1.0) {
        wrong("share", format!("{share} is no share between 0 and 1"));
    }
    if let Some(threshold) = declared.threshold
        && !(threshold > 0.0 && threshold < 1.0)
    {
        let message = format!("{threshold} is no probability between 0 and 1");
        wrong("threshold", message);
    }
    if declared.label_gap_days < 0 {
        wrong("label_gap_days", "is negative".to_owned());
    }
    if declared.evaluation.folds.is_some_and(|folds| folds < 2) {
        wrong("folds", "at least two are needed".to_owned());
    }
    if declared.evaluation.months == 0 || declared.evaluation.cutoffs == 0 {
        wrong("evaluation", "months and cutoffs begin at 1".to_owned());
    }
    check_gates(declared, problems);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::project::Project;

    const DECLARATION: &str = "model: outcome
title: outcome
population: persons
intended_use: tests
features: features.outcome
labels: features.outcome_label
entity: person_no
entered_on: entered_on
label_gap_days: 30
use:
  - {legal_basis: a law, columns: [age, trade]}
groups:
  - {column: sex, title: sex}
baseline: {columns: [sex], title: rate by sex}
learner: {kind: logistic}
capacity: {share: 0.2, end: lowest}
";

    fn project(declaration: &str) -> Result<Project, String> {
        Project::from_files(ProjectFiles::from_texts([
            (
                "features/outcome.sql",
                "/*---\ndescription: d\ngrain: [person_no]\nmaterialized: table\n---*/\nselect 1 as person_no",
            ),
            (
                "features/outcome_label.sql",
                "/*---\ndescription: d\ngrain: [person_no]\nmaterialized: table\nlabel: true\n---*/\nselect 1 as person_no",
            ),
            ("models/outcome.yml", declaration),
        ]))
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_declaration_is_read_with_its_defaults() {
        let project = project(DECLARATION).unwrap();
        let declared = &project.declared_models()["outcome"];
        assert_eq!(
            declared.feature_columns().collect::<Vec<_>>(),
            ["age", "trade"]
        );
        assert_eq!(declared.label, "label");
        assert_eq!(declared.promotion, Promotion::Gates);
        assert_eq!((declared.shadow_days, &declared.alternatives), (0, &None));
        assert_eq!(declared.evaluation.cutoffs, 6);
        assert_eq!(declared.file, "models/outcome.yml");
        assert_eq!(declared.learners().count(), 1);
        assert_eq!(declared.calibrators.len(), 3);
        assert_eq!(declared.gates, GateSettings::default());
        assert_eq!(declared.groups[0].judged_by, FairnessCheck::ALL);
        assert!(declared.theme_of("age").is_none());
        assert!(declared.complete.is_empty());
    }

    #[test]
    fn rivals_gates_and_themes_are_read() {
        let project = project(&format!(
            "{DECLARATION}rivals: [{{kind: boosting, trees: 50, monotone: {{age: falling}}}}]
calibrators: [platt]
gates: {{slope: [0.8, 1.25], psi: 0.5}}
themes: [{{title: {{ko: 사람, en: person}}, columns: [age]}}]
"
        ))
        .unwrap();
        let declared = &project.declared_models()["outcome"];
        assert_eq!(declared.rivals[0].kind, LearnerKind::Boosting);
        assert_eq!(declared.rivals[0].monotone["age"], Direction::Falling);
        assert_eq!(declared.calibrators, [CalibratorName::Platt]);
        assert_eq!(declared.gates.slope, Some([0.8, 1.25]));
        assert_eq!(declared.theme_of("age").unwrap().title.en, "person");
    }

    #[test]
    fn what_is_wrong_is_told_at_file_line_and_key_with_the_nearest_name() {
        for (right, wrong, told) in [
            (
                "capacity:",
                "capacitiy:",
                "models/outcome.yml:16:1: unknown field `capacitiy`",
            ),
            (
                "kind: logistic",
                "kind: logistik",
                "did you mean `logistic`?",
            ),
            (
                "features: features.outcome\n",
                "features: features.outcom\n",
                "sql/models/outcome.yml:5:1: `features`: no model makes features.outcom; did you mean `features.outcome`?",
            ),
            (
                "labels: features.outcome_label",
                "labels: features.outcome",
                "lacks `label: true`",
            ),
            (
                "features: features.outcome\n",
                "features: features.outcome_label\n",
                "looks past the day",
            ),
            (
                "capacity:",
                "alternatives: features.outcom\ncapacity:",
                "sql/models/outcome.yml:16:1: `alternatives`: no model makes features.outcom; did you mean `features.outcome`?",
            ),
            (
                "[age, trade]",
                "[age, label]",
                "sql/models/outcome.yml:11:41: `use`: `label` names the row or its outcome",
            ),
            ("[age, trade]", "[age, age]", "twice"),
            ("share: 0.2", "share: 20", "`share`: 20 is no share"),
            (
                "columns: [sex], title: rate",
                "columns: [sec], title: rate",
                "did you mean `sex`?",
            ),
            ("model: outcome", "model: outcomes", "its file `outcome`"),
            ("a law", "''", "`legal_basis`: says nothing"),
            (
                "{kind: logistic}",
                "{kind: logistic, trees: 5}",
                "`trees`: a setting of `boosting`",
            ),
            (
                "{kind: logistic}",
                "{kind: boosting, monotone: {aga: rising}}",
                "sql/models/outcome.yml:15:38: `monotone`: `aga` is not among `use`; did you mean `age`?",
            ),
            (
                "{kind: logistic}",
                "{kind: boosting, monotone: {age: risng}}",
                "did you mean `rising`?",
            ),
            (
                "capacity:",
                "gates: {slope: [1.2, 1.3]}\ncapacity:",
                "sql/models/outcome.yml:16:9: `slope`: [1.2, 1.3] is no range around 1",
            ),
            (
                "capacity:",
                "gates: {sloope: [0.9, 1.1]}\ncapacity:",
                "did you mean `slope`?",
            ),
            (
                "capacity:",
                "calibrators: [plat]\ncapacity:",
                "did you mean `platt`?",
            ),
            (
                "capacity:",
                "themes: [{title: t, columns: [trad]}]\ncapacity:",
                "`themes`: `trad` is not among `use`; did you mean `trade`?",
            ),
            (
                "capacity:",
                "moving: [tradee]\ncapacity:",
                "`moving`: `tradee` is not among `use`; did you mean `trade`?",
            ),
            (
                "capacity:",
                "complete: [agee]\ncapacity:",
                "sql/models/outcome.yml:16:1: `complete`: `agee` is not among `use`; did you mean `age`?",
            ),
            (
                "title: sex}",
                "title: sex, judged_by: [flag_rate]}",
                "did you mean `flag_ratio`?",
            ),
        ] {
            assert!(DECLARATION.contains(right), "{right}");
            let error = project(&DECLARATION.replacen(right, wrong, 1)).unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_column_that_is_not_there_is_told_with_its_line() {
        let project = project(DECLARATION).unwrap();
        let declared = &project.declared_models()["outcome"];
        let problem =
            declared.unknown_column("use", "trade", &declared.features, ["age", "trades"]);
        assert_eq!(
            problem.to_string(),
            "sql/models/outcome.yml:11:41: `use`: features.outcome has no column `trade`; did you mean `trades`?"
        );
    }
}
