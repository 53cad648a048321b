//! What a declared model is trained on, and how.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use arrow_schema::{DataType, Field};
use chrono::NaiveDate;
use futures::StreamExt;
use goyong_catalog::contract::BilingualText;
use goyong_catalog::{
    CalibratorName, DeclaredModel, Direction, End, FairnessCheck, GroupUse, Learner, LearnerKind,
    Model,
};
use goyong_learn::{
    BaselineSpec, Bilingual, BoostOptions, CalibratorKind, Candidate, Dataset, DatasetBuilder,
    DatasetSpec, EvaluationOptions, FeatureKind, FeatureSpec, FitOptions, GateLimits, GroupSpec,
    Monotone, PoolingRule, PromotionCheck, PromotionLimits, RankingEnd, SplitPlan, TrainingPlan,
};

use super::columns_of;
use super::completeness::{self, titles_of};
use crate::project::OpenProject;

/// Rows trained on at most; a regression of more moves no figure, and trees take their time.
const TRAINED_ROWS: usize = 500_000;
/// The column of a feature model whose rows are not independent where it is equal.
const PERSON: &str = "person_key";
/// Seed of every draw.
const SEED: u64 = 20_240_101;

/// The declared features; their names for people stand in the header of the feature model. A column
/// that is not there is an error at its line of the declaration.
pub(super) async fn feature_specs(
    project: &OpenProject,
    declared: &DeclaredModel,
) -> Result<Vec<FeatureSpec>> {
    let schema = columns_of(project, &declared.features).await?;
    let model = project.project().models().get(&declared.features);
    let known = || schema.fields().iter().map(|field| field.name().as_str());
    let mut specs = Vec::new();
    for allowed in &declared.uses {
        for name in &allowed.columns {
            let Ok(field) = schema.field_with_name(name) else {
                bail!(declared.unknown_column("use", name, &declared.features, known()));
            };
            specs.push(feature_spec(field, model, allowed.codes.contains(name)));
        }
    }
    refuse_directions_of_codes(declared, &specs)?;
    let others = [
        ("entity", &declared.entity),
        ("entered_on", &declared.entered_on),
    ];
    let groups = declared
        .groups
        .iter()
        .map(|group| ("groups", &group.column));
    let known_on = declared.uses.iter().flat_map(|allowed| &allowed.known_on);
    let known_on = known_on.map(|name| ("known_on", name));
    let baseline = declared
        .baseline
        .columns
        .iter()
        .map(|name| ("baseline", name));
    for (key, name) in others
        .into_iter()
        .chain(groups)
        .chain(known_on)
        .chain(baseline)
    {
        if schema.field_with_name(name).is_err() {
            bail!(declared.unknown_column(key, name, &declared.features, known()));
        }
    }
    let labels = columns_of(project, &declared.labels).await?;
    for (key, name) in [
        ("label", &declared.label),
        ("label_known_on", &declared.label_known_on),
        others[0],
        others[1],
    ] {
        if labels.field_with_name(name).is_err() {
            let known = labels.fields().iter().map(|field| field.name().as_str());
            bail!(declared.unknown_column(key, name, &declared.labels, known));
        }
    }
    Ok(specs)
}

/// Only a number has more or less of it.
fn refuse_directions_of_codes(declared: &DeclaredModel, specs: &[FeatureSpec]) -> Result<()> {
    for column in declared
        .learners()
        .flat_map(|learner| learner.monotone.keys())
    {
        let spec = specs.iter().find(|spec| spec.name == *column);
        if spec.is_some_and(|spec| spec.kind == FeatureKind::Categorical) {
            let message = format!("`monotone`: `{column}` is a code and has no direction");
            bail!(declared.problem(column, message));
        }
    }
    Ok(())
}

fn feature_spec(field: &Field, model: Option<&Model>, is_code: bool) -> FeatureSpec {
    let name = field.name();
    let (korean, english) = titles_of(model, name);
    match field.data_type() {
        DataType::Boolean => FeatureSpec::boolean(name, korean, english),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            FeatureSpec::categorical(name, korean, english)
        }
        _ if is_code => FeatureSpec::categorical(name, korean, english),
        _ => FeatureSpec::numeric(name, korean, english),
    }
}

/// Features and labels joined by entity and day of entry, within the declared budget of rows. What is learned from and
/// judged on is what gets a score: rows with incomplete files are left out.
pub(super) async fn read(
    project: &OpenProject,
    declared: &DeclaredModel,
    features: &[FeatureSpec],
) -> Result<Dataset> {
    let mut groups: Vec<GroupSpec> = declared
        .groups
        .iter()
        .map(|group| GroupSpec::new(&group.column, &group.title.ko, &group.title.en))
        .collect();
    for column in &declared.baseline.columns {
        if !groups.iter().any(|group| group.column == *column) {
            groups.push(GroupSpec::new(column, column, column));
        }
    }
    let stored = columns_of(project, &declared.features).await?;
    let builder = DatasetBuilder::new(DatasetSpec {
        entity: declared.entity.clone(),
        entered_on: declared.entered_on.clone(),
        label: declared.label.clone(),
        label_known_on: declared.label_known_on.clone(),
        features: features.to_vec(),
        groups,
        max_rows: Some(declared.learner.row_budget),
        seed: SEED,
    });
    let mut builder = match stored.field_with_name(PERSON) {
        Ok(_) => builder.clustered_by(PERSON),
        Err(_) => builder,
    };
    let DeclaredModel {
        features: table,
        labels,
        entity,
        entered_on,
        label,
        label_known_on,
        ..
    } = declared;
    let sql = format!(
        "select f.*, l.{label}, l.{label_known_on} from {table} f \
         join {labels} l on f.{entity} = l.{entity} and f.{entered_on} = l.{entered_on}{}",
        completeness::condition(declared, "f")
    );
    let mut batches = project.query_latest(&sql).await?;
    while let Some(batch) = batches.next().await {
        builder.push(&batch?)?;
    }
    Ok(builder.finish()?)
}

/// Who waits for an outcome, and what of the features was known too late.
pub(super) struct Facts {
    /// Rows whose outcome is open, with features or not.
    pub eligible: usize,
    /// Those of them with features and complete files.
    pub scored: usize,
    /// Rows by feature that became known only after the entry, where a column tells.
    pub known_after_entry: Vec<(String, usize)>,
}

/// Counts what the gates on coverage and on leaks ask for.
pub(super) async fn facts(
    project: &OpenProject,
    declared: &DeclaredModel,
    as_of: NaiveDate,
) -> Result<Facts> {
    let DeclaredModel {
        features,
        labels,
        entity,
        entered_on,
        label_known_on,
        ..
    } = declared;
    let late: Vec<(&String, &String)> = declared
        .uses
        .iter()
        .filter_map(|allowed| {
            allowed
                .known_on
                .as_ref()
                .map(|known_on| (allowed, known_on))
        })
        .flat_map(|(allowed, known_on)| allowed.columns.iter().map(move |name| (name, known_on)))
        .collect();
    let waiting = format!(
        "select count(*) as eligible, count(f.{entity}) as scored from {labels} l left join {features} f \
         on f.{entity} = l.{entity} and f.{entered_on} = l.{entered_on}{} \
         where l.{label_known_on} > date '{as_of}'",
        completeness::condition(declared, "f")
    );
    let rows = project.texts(&waiting, ["eligible", "scored"]).await?;
    let [eligible, scored] = match rows.first() {
        Some([eligible, scored]) => [eligible.parse()?, scored.parse()?],
        None => [0, 0],
    };
    let mut known_after_entry = Vec::new();
    for (name, known_on) in late {
        let sql =
            format!("select count(*) as late from {features} where {known_on} > {entered_on}");
        let rows = project.texts(&sql, ["late"]).await?;
        let count = rows.first().map_or(Ok(0), |[count]| count.parse())?;
        known_after_entry.push((name.clone(), count));
    }
    Ok(Facts {
        eligible,
        scored,
        known_after_entry,
    })
}

/// The declared training; its version is the day and what it is a function of.
pub(super) fn plan(
    declared: &DeclaredModel,
    as_of: NaiveDate,
    data_hash: &str,
    threads: usize,
) -> TrainingPlan {
    let evaluation = &declared.evaluation;
    TrainingPlan {
        target_title: bilingual(&declared.title),
        population: bilingual(&declared.population),
        intended_use: bilingual(&declared.intended_use),
        limits: declared.limits.iter().map(bilingual).collect(),
        version: format!("{as_of}-{}", data_hash.get(..8).unwrap_or(data_hash)),
        data_hash: data_hash.to_owned(),
        splits: SplitPlan {
            as_of,
            horizon_days: declared.label_gap_days,
            evaluation_months: evaluation.months,
            maximum_evaluation_months: evaluation.maximum_months,
            maximum_cutoffs: evaluation.cutoffs,
            minimum_training_rows: evaluation.minimum_training_rows,
            minimum_evaluation_rows: evaluation.minimum_evaluation_rows,
        },
        candidates: declared
            .learners()
            .map(|learner| candidate(learner, threads))
            .collect(),
        calibrators: declared.calibrators.iter().map(calibrator).collect(),
        evaluation: EvaluationOptions {
            threads,
            ..EvaluationOptions::default()
        },
        baseline: BaselineSpec {
            columns: declared.baseline.columns.clone(),
            title: bilingual(&declared.baseline.title),
        },
        subgroups: declared
            .groups
            .iter()
            .map(|group| group.column.clone())
            .collect(),
        gates: GateLimits::default(),
        top_coefficients: 20,
    }
}

fn candidate(learner: &Learner, threads: usize) -> Candidate {
    let monotone: BTreeMap<String, Monotone> = learner
        .monotone
        .iter()
        .map(|(column, direction)| (column.clone(), monotone(*direction)))
        .collect();
    match learner.kind {
        LearnerKind::Logistic => Candidate::Logistic(FitOptions {
            threads,
            ridge: learner.ridge,
            pooling: PoolingRule {
                minimum_count: learner.minimum_count,
                ..FitOptions::default().pooling
            },
            max_rows: Some(learner.row_budget.min(TRAINED_ROWS)),
            monotone,
            ..FitOptions::default()
        }),
        LearnerKind::Boosting => Candidate::Boosting {
            options: BoostOptions {
                threads,
                trees: learner.trees.unwrap_or(100),
                leaves: learner.leaves.unwrap_or(8),
                learning_rate: learner.learning_rate.unwrap_or(0.05),
                minimum_child_rows: learner.minimum_leaf_rows.unwrap_or(50),
                column_share: learner.column_share.unwrap_or(1.0),
                l2: learner.ridge,
                minimum_category_rows: learner.minimum_count,
                monotone,
                ..BoostOptions::default()
            },
            max_rows: Some(learner.row_budget.min(TRAINED_ROWS)),
        },
    }
}

fn monotone(direction: Direction) -> Monotone {
    match direction {
        Direction::Rising => Monotone::Rising,
        Direction::Falling => Monotone::Falling,
    }
}

fn calibrator(name: &CalibratorName) -> CalibratorKind {
    match name {
        CalibratorName::Platt => CalibratorKind::Platt,
        CalibratorName::Beta => CalibratorKind::Beta,
        CalibratorName::Isotonic => CalibratorKind::Isotonic,
    }
}

/// The declared limits of promotion, the usual ones where nothing is declared.
pub(super) fn promotion_limits(declared: &DeclaredModel) -> PromotionLimits {
    let usual = PromotionLimits::default();
    let gates = &declared.gates;
    let range = |declared: Option<[f64; 2]>, usual: (f64, f64)| {
        declared.map_or(usual, |[least, most]| (least, most))
    };
    PromotionLimits {
        class_rows: gates.class_rows.unwrap_or(usual.class_rows),
        slope: range(gates.slope, usual.slope),
        calibration_error: gates.calibration_error.unwrap_or(usual.calibration_error),
        plausible_auc: gates.plausible_auc.unwrap_or(usual.plausible_auc),
        single_feature_auc: gates.single_feature_auc.unwrap_or(usual.single_feature_auc),
        psi: gates.psi.unwrap_or(usual.psi),
        ks: gates.ks.unwrap_or(usual.ks),
        group_slope: range(gates.group_slope, usual.group_slope),
        group_ratio: range(gates.group_ratio, usual.group_ratio),
        coverage: gates.coverage.unwrap_or(usual.coverage),
        rank_correlation: gates.rank_correlation.unwrap_or(usual.rank_correlation),
        score_movement: gates.score_movement.unwrap_or(usual.score_movement),
    }
}

/// The gates on a group whose figures are told without a verdict.
pub(super) fn told_only(group: &GroupUse) -> Vec<PromotionCheck> {
    FairnessCheck::ALL
        .into_iter()
        .filter(|check| !group.judged_by.contains(check))
        .map(|check| match check {
            FairnessCheck::Calibration => PromotionCheck::GroupCalibration,
            FairnessCheck::TruePositiveRatio => PromotionCheck::TruePositiveRatio,
            FairnessCheck::FlagRatio => PromotionCheck::FlagRatio,
        })
        .collect()
}

/// The end of the ranking that is acted upon.
pub(super) fn ranking_end(declared: &DeclaredModel) -> RankingEnd {
    match declared.capacity.end {
        End::Lowest => RankingEnd::Lowest,
        End::Highest => RankingEnd::Highest,
    }
}

fn bilingual(text: &BilingualText) -> Bilingual {
    Bilingual::new(&text.ko, &text.en)
}
