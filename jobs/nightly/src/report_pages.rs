//! Turns what the warehouse knows into the plain values the site is made from.

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use chrono::{Days, NaiveDate};
use goyong_catalog::DeclaredModel;
use goyong_learn::{Estimate, ModelCard, PromotionGate, Verdict};
use goyong_site::{
    Bilingual, CalibrationBin, CellValue, FairnessGroup, FeatureEffect, Gate, MetricRow,
    ModelCardPage,
};
use goyong_store::Release;

/// Column names and rows of a query's answer.
pub fn cell_rows(batches: &[RecordBatch]) -> Result<(Vec<String>, Vec<Vec<CellValue>>)> {
    let columns = batches.first().map_or_else(Vec::new, |batch| {
        batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    });
    let mut rows = Vec::new();
    for batch in batches {
        let cells = batch
            .columns()
            .iter()
            .map(|column| cells(column.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            rows.push(cells.iter().map(|column| column[row].clone()).collect());
        }
    }
    Ok((columns, rows))
}

fn cells(column: &dyn Array) -> Result<Vec<CellValue>> {
    let present = |row: usize, value: CellValue| {
        if column.is_null(row) {
            CellValue::Null
        } else {
            value
        }
    };
    let rows = 0..column.len();
    Ok(match column.data_type() {
        kind if kind.is_integer() => {
            let values = cast(column, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            rows.map(|row| present(row, CellValue::Integer(values.value(row))))
                .collect()
        }
        DataType::Decimal128(_, scale) => {
            let scale = u8::try_from(*scale).context("a decimal with negative scale")?;
            let values = column.as_primitive::<Decimal128Type>();
            rows.map(|row| {
                present(
                    row,
                    CellValue::Decimal {
                        unscaled: values.value(row),
                        scale,
                    },
                )
            })
            .collect()
        }
        DataType::Float32 | DataType::Float64 => {
            let values = cast(column, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            rows.map(|row| present(row, CellValue::Float(values.value(row))))
                .collect()
        }
        DataType::Date32 => {
            let values = column.as_primitive::<Date32Type>();
            rows.map(|row| present(row, CellValue::Date(day(values.value(row)))))
                .collect()
        }
        _ => {
            let values = cast(column, &DataType::Utf8)?;
            let values = values.as_string::<i32>();
            rows.map(|row| present(row, CellValue::Text(values.value(row).to_owned())))
                .collect()
        }
    })
}

fn day(days_since_1970: i32) -> NaiveDate {
    let epoch = NaiveDate::default();
    let distance = Days::new(u64::from(days_since_1970.unsigned_abs()));
    let moved = if days_since_1970 < 0 {
        epoch.checked_sub_days(distance)
    } else {
        epoch.checked_add_days(distance)
    };
    moved.unwrap_or(epoch)
}

/// The model card as the site shows it.
pub fn model_card_page(
    release: &Release,
    declared: &DeclaredModel,
    card: &ModelCard,
) -> Result<ModelCardPage> {
    let month = |day: Option<NaiveDate>| {
        day.map_or_else(|| "–".to_owned(), |day| day.format("%Y-%m").to_string())
    };
    let baseline = card
        .baselines
        .iter()
        .find(|baseline| baseline.name == "one_variable_rule");
    let metric =
        |name: &str, model: Estimate, baseline: Option<Estimate>, larger: bool| MetricRow {
            name: name.to_owned(),
            model: model.value,
            baseline: baseline.map(|estimate| estimate.value),
            oracle: None,
            larger_is_better: larger,
        };
    let mut metrics = Vec::new();
    if let Some(auc) = card.pooled.auc {
        metrics.push(metric("AUC", auc, baseline.and_then(|rule| rule.auc), true));
    }
    metrics.push(metric(
        "Brier",
        card.pooled.brier,
        baseline.map(|rule| rule.brier),
        false,
    ));
    metrics.push(metric(
        "log loss",
        card.pooled.log_loss,
        baseline.map(|rule| rule.log_loss),
        false,
    ));
    metrics.push(metric(
        "ECE",
        card.pooled.expected_calibration_error,
        baseline.map(|rule| rule.expected_calibration_error),
        false,
    ));
    let content_hash = |name: &str| -> Result<Option<String>> {
        Ok(release
            .tables
            .get(&name.parse()?)
            .map(|table| table.content_hash.clone()))
    };
    let mut trained_from = std::collections::BTreeMap::new();
    for table in [&declared.features, &declared.labels] {
        if let Some(hash) = content_hash(&table.to_string())? {
            trained_from.insert(table.to_string(), hash);
        }
    }
    let text = |value: &goyong_learn::Bilingual| Bilingual::new(&value.ko, &value.en);
    Ok(ModelCardPage {
        name: declared.model.clone(),
        version: card.version.clone(),
        target: text(&card.target_title),
        intended_use: text(&card.intended_use),
        algorithm: algorithm(card),
        trained_on: [
            month(card.training.entered_from),
            month(card.training.entered_until),
        ],
        evaluated_on: [
            month(Some(card.evaluated_from)),
            month(card.evaluated_until.pred_opt()),
        ],
        training_rows: card.training.rows_used as u64,
        evaluation_rows: card.pooled.rows as u64,
        base_rate: card.pooled.observed_rate.value,
        metrics,
        calibration: card
            .pooled
            .calibration_table
            .iter()
            .map(|bin| CalibrationBin {
                predicted: bin.mean_predicted,
                observed: bin.observed.value,
                count: bin.rows as u64,
            })
            .collect(),
        features: effects(card),
        fairness: card
            .subgroups
            .iter()
            .map(|group| FairnessGroup {
                attribute: group.column.clone(),
                group: group.value.clone().unwrap_or_else(|| "–".to_owned()),
                count: group.rows as u64,
                predicted: group.mean_predicted,
                observed: group.observed_rate.value,
                auc: group.auc.map(|auc| auc.value),
            })
            .collect(),
        gates: card
            .gates
            .iter()
            .map(|gate| Gate {
                name: gate.name.clone(),
                passed: gate.passed,
                detail: gate_detail(gate),
            })
            .chain(
                card.promotion
                    .iter()
                    .flat_map(|report| &report.gates)
                    .map(promotion_gate),
            )
            .collect(),
        promoted: card.usable,
        content_hash: content_hash("models.registry")?.unwrap_or_default(),
        trained_from,
        limits: card.limits.iter().map(text).collect(),
    })
}

/// The learner, the map of its probabilities, and whom it won against.
fn algorithm(card: &ModelCard) -> Bilingual {
    let (mut korean, mut english) = match card.learner.starts_with("boosting") {
        true => (
            "히스토그램 기울기 부스팅 나무".to_owned(),
            "Gradient boosting of trees on histograms".to_owned(),
        ),
        false => (
            "표준화·원핫 부호화한 변수의 릿지 로지스틱 회귀".to_owned(),
            "Ridge logistic regression on standardised and one-hot features".to_owned(),
        ),
    };
    let map = card.calibration.as_ref().map(|choice| choice.chosen.name());
    if let Some(map) = map.filter(|map| *map != "identity") {
        korean.push_str(&format!(", 확률 보정 {map}"));
        english.push_str(&format!(", calibrated by {map}"));
    }
    if card.candidates.len() > 1 {
        korean.push_str(&format!(
            " (학습기 {}개 중 평가 달들의 평균 손실이 가장 작음)",
            card.candidates.len()
        ));
        english.push_str(&format!(
            " (of {} learners the one with the least regret over the months evaluated)",
            card.candidates.len()
        ));
    }
    Bilingual::new(korean, english)
}

/// Coefficients of a regression; of trees, how much of the model rests on each feature.
fn effects(card: &ModelCard) -> Vec<FeatureEffect> {
    let importance = card
        .importance
        .iter()
        .take(20)
        .map(|feature| FeatureEffect {
            name: feature.feature.clone(),
            title: Bilingual::new(
                format!("{} (기여 비중)", feature.label_ko),
                format!("{} (share of the model)", feature.label_en),
            ),
            effect: feature.share,
        });
    let coefficients = card.coefficients.iter().map(|row| match &row.level {
        Some(level) => FeatureEffect {
            name: format!("{} = {level}", row.feature),
            title: Bilingual::new(
                format!("{} = {level}", row.label_ko),
                format!("{} = {level}", row.label_en),
            ),
            effect: row.coefficient,
        },
        None => FeatureEffect {
            name: row.feature.clone(),
            title: Bilingual::new(&row.label_ko, &row.label_en),
            effect: row.coefficient,
        },
    });
    coefficients.chain(importance).collect()
}

fn promotion_gate(gate: &PromotionGate) -> Gate {
    let name = match &gate.subject {
        Some(subject) => format!("{}/{subject}", gate.check.name()),
        None => gate.check.name().to_owned(),
    };
    let figure = gate
        .figure
        .map_or_else(|| "–".to_owned(), |figure| format!("{:.4}", figure.value));
    let limits = match (gate.minimum, gate.maximum) {
        (Some(low), Some(high)) => format!(" ({low} – {high})"),
        (Some(low), None) => format!(" (≥ {low})"),
        (None, Some(high)) => format!(" (≤ {high})"),
        (None, None) => String::new(),
    };
    let untold = match gate.verdict {
        Verdict::CannotTest => "; 검정할 수 없음 · cannot test",
        Verdict::Passed | Verdict::Refused => "",
    };
    Gate {
        name,
        passed: gate.verdict != Verdict::Refused,
        detail: format!("{figure}{limits}{untold}"),
    }
}

fn gate_detail(gate: &goyong_learn::Gate) -> String {
    let figure =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    match (gate.minimum, gate.maximum) {
        (Some(low), Some(high)) => format!("{} ({low} – {high})", figure(gate.value)),
        (Some(low), None) => format!("{} (≥ {low})", figure(gate.value)),
        (None, Some(high)) => format!("{} (≤ {high})", figure(gate.value)),
        (None, None) => figure(gate.value),
    }
}
