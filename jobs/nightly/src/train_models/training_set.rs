//! What a declared model is trained on, and how.

use anyhow::{Result, bail};
use arrow_schema::{DataType, Field};
use chrono::NaiveDate;
use futures::StreamExt;
use goyong_catalog::contract::BilingualText;
use goyong_catalog::{DeclaredModel, LearnerKind, Model};
use goyong_learn::{
    BaselineSpec, Bilingual, Dataset, DatasetBuilder, DatasetSpec, EvaluationOptions, FeatureSpec,
    FitOptions, GateLimits, GroupSpec, PoolingRule, SplitPlan, TrainingPlan,
};

use super::columns_of;
use crate::project::OpenProject;

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
    let others = [
        ("entity", &declared.entity),
        ("entered_on", &declared.entered_on),
    ];
    let groups = declared
        .groups
        .iter()
        .map(|group| ("groups", &group.column));
    let baseline = declared
        .baseline
        .columns
        .iter()
        .map(|name| ("baseline", name));
    for (key, name) in others.into_iter().chain(groups).chain(baseline) {
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

fn feature_spec(field: &Field, model: Option<&Model>, is_code: bool) -> FeatureSpec {
    let name = field.name();
    let header = model.and_then(|model| model.header.columns.get(name));
    let title = header.and_then(|column| column.title.as_ref().or(column.description.as_ref()));
    let korean = title.map_or(name.as_str(), |title| title.in_language("ko"));
    let english = title.map_or(name.as_str(), |title| title.in_language("en"));
    match field.data_type() {
        DataType::Boolean => FeatureSpec::boolean(name, korean, english),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            FeatureSpec::categorical(name, korean, english)
        }
        _ if is_code => FeatureSpec::categorical(name, korean, english),
        _ => FeatureSpec::numeric(name, korean, english),
    }
}

/// Features and labels joined by entity and day of entry, within the declared budget of rows.
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
    let mut builder = DatasetBuilder::new(DatasetSpec {
        entity: declared.entity.clone(),
        entered_on: declared.entered_on.clone(),
        label: declared.label.clone(),
        label_known_on: declared.label_known_on.clone(),
        features: features.to_vec(),
        groups,
        max_rows: Some(declared.learner.row_budget),
        seed: SEED,
    });
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
         join {labels} l on f.{entity} = l.{entity} and f.{entered_on} = l.{entered_on}"
    );
    let mut batches = project.query_latest(&sql).await?;
    while let Some(batch) = batches.next().await {
        builder.push(&batch?)?;
    }
    Ok(builder.finish()?)
}

/// The declared training; its version is the day and what it is a function of.
pub(super) fn plan(
    declared: &DeclaredModel,
    as_of: NaiveDate,
    data_hash: &str,
    threads: usize,
) -> TrainingPlan {
    let evaluation = &declared.evaluation;
    let LearnerKind::Logistic = declared.learner.kind;
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
        fit: FitOptions {
            threads,
            ridge: declared.learner.ridge,
            pooling: PoolingRule {
                minimum_count: declared.learner.minimum_count,
                ..FitOptions::default().pooling
            },
            ..FitOptions::default()
        },
        evaluation: EvaluationOptions::default(),
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

fn bilingual(text: &BilingualText) -> Bilingual {
    Bilingual::new(&text.ko, &text.en)
}
