//! The tables of the linkage: pairs, businesses, weights, error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use goyong_linkage::{Parameters, Settings, weight_of_probability};
use goyong_store::{CommitDetails, CommitMode, TableWriter, WriteOptions};

use super::entities::{Entities, Membership, Pass};
use super::measure::MeasuredError;
use super::records::{Workplace, column, core_name, texts, workplaces};
use super::{CLUSTERS, ERRORS, PAIRS, RECORDS, WEIGHTS, for_each_batch};
use crate::project::OpenProject;

/// Writes `linkage.workplace_pair` while pairs are found.
pub(super) struct PairWriter {
    writer: TableWriter,
    schema: SchemaRef,
    comparisons: Vec<String>,
    numbered: PairBuffer,
}

/// Pairs that a rule found, waiting to be written.
#[derive(Default)]
struct PairBuffer {
    columns: [StringBuilder; 4],
    pass: Option<Pass>,
    rows: usize,
}

const PAIR_BATCH: usize = 8_192;

impl PairWriter {
    pub(super) async fn open(project: &OpenProject, settings: &Settings) -> Result<Self> {
        let comparisons: Vec<String> = settings
            .comparisons
            .iter()
            .map(|comparison| format!("level_{}", comparison.name))
            .collect();
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let mut fields = vec![
            text("left_source"),
            text("left_id"),
            text("right_source"),
            text("right_id"),
            text("pass"),
            Field::new("rule", DataType::Int32, true),
            Field::new("match_weight", DataType::Float64, true),
            Field::new("probability", DataType::Float64, false),
        ];
        fields.extend(
            comparisons
                .iter()
                .map(|name| Field::new(name, DataType::Int32, true)),
        );
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let writer = writer(
            project,
            PAIRS,
            &schema,
            "pairs of workplaces of different sources with the pass that found them, their probability and the level at which each comparison agreed (-1 not known, 0 nothing agrees)",
        )
        .await?;
        Ok(Self {
            writer,
            schema,
            comparisons,
            numbered: PairBuffer::default(),
        })
    }

    /// A pair with the same valid business number.
    pub(super) fn by_number(&mut self, left: &Workplace, right: &Workplace) -> Result<()> {
        self.by_rule(Pass::BusinessNumber, left, right)
    }

    fn by_rule(&mut self, pass: Pass, left: &Workplace, right: &Workplace) -> Result<()> {
        if self.numbered.pass != Some(pass) || self.numbered.rows >= PAIR_BATCH {
            self.flush()?;
        }
        self.numbered.pass = Some(pass);
        self.numbered.rows += 1;
        let values = [
            &left.source,
            &left.source_id,
            &right.source,
            &right.source_id,
        ];
        for (column, value) in self.numbered.columns.iter_mut().zip(values) {
            column.append_value(value);
        }
        Ok(())
    }

    /// Pairs as the linker gives them: ids are `source/id`.
    pub(super) fn weighed(&mut self, found: &RecordBatch) -> Result<()> {
        let rows = found.num_rows();
        let mut ends = Vec::with_capacity(4);
        for name in ["left_id", "right_id"] {
            let (mut source, mut id) = (StringBuilder::new(), StringBuilder::new());
            for key in texts(found, name)?.iter().flatten() {
                let (of, rest) = key
                    .split_once('/')
                    .with_context(|| format!("record key `{key}` has no source"))?;
                source.append_value(of);
                id.append_value(rest);
            }
            ends.push(Arc::new(source.finish()) as ArrayRef);
            ends.push(Arc::new(id.finish()) as ArrayRef);
        }
        let mut columns = ends;
        columns.push(repeated(Pass::Probabilistic.as_str(), rows));
        columns.push(column(found, "rule", &DataType::Int32)?);
        columns.push(column(found, "match_weight", &DataType::Float64)?);
        columns.push(column(found, "probability", &DataType::Float64)?);
        for name in &self.comparisons {
            columns.push(column(found, name, &DataType::Int32)?);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        self.writer.write(None, &batch)?;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.numbered.rows);
        let Some(pass) = self.numbered.pass.filter(|_| rows > 0) else {
            return Ok(());
        };
        let mut columns: Vec<ArrayRef> = self
            .numbered
            .columns
            .iter_mut()
            .map(|column| Arc::new(column.finish()) as ArrayRef)
            .collect();
        columns.push(repeated(pass.as_str(), rows));
        columns.push(Arc::new(Int32Array::new_null(rows)));
        columns.push(Arc::new(Float64Array::new_null(rows)));
        columns.push(Arc::new(Float64Array::from(vec![1.0; rows])));
        for _ in &self.comparisons {
            columns.push(Arc::new(Int32Array::new_null(rows)));
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        self.writer.write(None, &batch)?;
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        self.flush()?;
        self.writer
            .commit(CommitMode::ReplaceAll, details())
            .await?;
        Ok(())
    }
}

/// How many workplaces became how many businesses.
#[derive(Default)]
pub(super) struct ClusterCounts {
    pub workplaces: u64,
    pub businesses: u64,
    pub by_institution_name: u64,
}

/// The workplaces that carry an institution's name.
#[derive(Default)]
struct Namesakes {
    businesses: BTreeSet<String>,
    first: Option<Workplace>,
}

/// Writes `linkage.workplace_cluster`: every record with its business. An institution, which has a
/// name and nothing else, joins the one business that carries the name; with several it stays alone.
pub(super) async fn write_clusters(
    project: &OpenProject,
    entities: &Entities,
    pairs: &mut PairWriter,
) -> Result<ClusterCounts> {
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8, false),
        Field::new("source_id", DataType::Utf8, false),
        Field::new("entity_id", DataType::Utf8, false),
        Field::new("pass", DataType::Utf8, false),
        Field::new("probability", DataType::Float64, false),
    ]));
    let mut writer = writer(
        project,
        CLUSTERS,
        &schema,
        "the business each workplace of each source belongs to",
    )
    .await?;
    let mut institutions = Vec::new();
    let sql =
        format!("select * from {RECORDS} where source = 'alio_institution' order by source_id");
    for_each_batch(project, &sql, |batch| {
        institutions.extend(workplaces(batch)?);
        Ok(())
    })
    .await?;
    let mut namesakes: BTreeMap<String, Namesakes> = institutions
        .iter()
        .filter_map(|one| Some((core_name(one.name.as_deref()?), Namesakes::default())))
        .collect();
    let mut counts = ClusterCounts::default();
    let mut businesses = BTreeSet::new();
    let sql = format!(
        "select * from {RECORDS} where source <> 'alio_institution' order by source, source_id"
    );
    for_each_batch(project, &sql, |batch| {
        let found = workplaces(batch)?;
        let members: Vec<(&Workplace, Membership)> = found
            .iter()
            .map(|workplace| (workplace, entities.membership(workplace)))
            .collect();
        for (workplace, membership) in &members {
            businesses.insert(digest_of(&membership.entity_id));
            if let Some(name) = &workplace.name
                && let Some(same) = namesakes.get_mut(&core_name(name))
            {
                same.businesses.insert(membership.entity_id.clone());
                same.first.get_or_insert_with(|| (*workplace).clone());
            }
        }
        counts.workplaces += members.len() as u64;
        writer.write(None, &cluster_batch(&schema, &members)?)?;
        Ok(())
    })
    .await?;
    let mut members = Vec::with_capacity(institutions.len());
    for institution in &institutions {
        let same = institution
            .name
            .as_deref()
            .and_then(|name| namesakes.get(&core_name(name)))
            .filter(|same| same.businesses.len() == 1);
        let found = same.and_then(|same| same.businesses.first().zip(same.first.as_ref()));
        members.push(match found {
            Some((entity_id, workplace)) => {
                pairs.by_rule(Pass::InstitutionName, institution, workplace)?;
                counts.by_institution_name += 1;
                (
                    institution,
                    Membership {
                        entity_id: entity_id.clone(),
                        pass: Pass::InstitutionName,
                        probability: 1.0,
                    },
                )
            }
            None => (institution, entities.membership(institution)),
        });
    }
    for (_, membership) in &members {
        businesses.insert(digest_of(&membership.entity_id));
    }
    counts.workplaces += members.len() as u64;
    counts.businesses = businesses.len() as u64;
    writer.write(None, &cluster_batch(&schema, &members)?)?;
    writer.commit(CommitMode::ReplaceAll, details()).await?;
    Ok(counts)
}

/// Eight bytes that stand for an entity, to count many in little memory.
fn digest_of(entity_id: &str) -> u64 {
    // FNV-1a, 64 bits (Fowler, Noll, Vo).
    entity_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn cluster_batch(schema: &SchemaRef, members: &[(&Workplace, Membership)]) -> Result<RecordBatch> {
    let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    Ok(RecordBatch::try_new(
        schema.clone(),
        vec![
            text(members.iter().map(|(one, _)| one.source.as_str()).collect()),
            text(
                members
                    .iter()
                    .map(|(one, _)| one.source_id.as_str())
                    .collect(),
            ),
            text(
                members
                    .iter()
                    .map(|(_, to)| to.entity_id.as_str())
                    .collect(),
            ),
            text(members.iter().map(|(_, to)| to.pass.as_str()).collect()),
            Arc::new(Float64Array::from(
                members
                    .iter()
                    .map(|(_, to)| to.probability)
                    .collect::<Vec<f64>>(),
            )),
        ],
    )?)
}

/// Writes `linkage.workplace_error`.
pub(super) async fn write_errors(project: &OpenProject, errors: &[MeasuredError]) -> Result<()> {
    let text = |of: fn(&MeasuredError) -> &str| {
        Arc::new(StringArray::from(errors.iter().map(of).collect::<Vec<_>>())) as ArrayRef
    };
    let count = |of: fn(&MeasuredError) -> u64| {
        Arc::new(Int64Array::from(
            errors.iter().map(|one| of(one) as i64).collect::<Vec<_>>(),
        )) as ArrayRef
    };
    let share = |of: fn(&MeasuredError) -> Option<f64>| {
        Arc::new(Float64Array::from(
            errors.iter().map(of).collect::<Vec<_>>(),
        )) as ArrayRef
    };
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("group_kind", DataType::Utf8, false),
        Field::new("group_value", DataType::Utf8, false),
        Field::new("labelled", DataType::Int64, false),
        Field::new("true_positives", DataType::Int64, false),
        Field::new("false_positives", DataType::Int64, false),
        Field::new("false_negatives", DataType::Int64, false),
        Field::new("precision", DataType::Float64, true),
        Field::new("recall", DataType::Float64, true),
        Field::new("f1", DataType::Float64, true),
    ]));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            text(|one| one.kind),
            text(|one| &one.value),
            count(|one| one.labelled),
            count(|one| one.true_positives),
            count(|one| one.false_positives),
            count(|one| one.false_negatives),
            share(|one| one.precision),
            share(|one| one.recall),
            share(|one| one.f1),
        ],
    )?;
    let mut writer = writer(
        project,
        ERRORS,
        &schema,
        "error of the linkage by group, measured from the workplaces that clerks looked up",
    )
    .await?;
    writer.write(None, &batch)?;
    writer.commit(CommitMode::ReplaceAll, details()).await?;
    Ok(())
}

/// Writes `linkage.workplace_weight`: what each level of each comparison adds to a pair's weight.
/// Nothing was learned: an empty table.
pub(super) async fn write_weights(
    project: &OpenProject,
    parameters: Option<&Parameters>,
) -> Result<()> {
    let mut rows = Vec::new();
    if let Some(parameters) = parameters {
        rows.push(WeightRow {
            position: 0,
            comparison: "prior",
            level: 0,
            label: "two records drawn at random",
            probabilities: None,
            weight: weight_of_probability(parameters.prior),
        });
        for (position, comparison) in parameters.comparisons.iter().enumerate() {
            for (level, found) in comparison.levels.iter().enumerate() {
                rows.push(WeightRow {
                    position: position as i32 + 1,
                    comparison: &comparison.name,
                    level: (comparison.levels.len() - 1 - level) as i32,
                    label: &found.label,
                    probabilities: Some((found.m, found.u)),
                    weight: found.weight(),
                });
            }
        }
    }
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("position", DataType::Int32, false),
        Field::new("comparison", DataType::Utf8, false),
        Field::new("level", DataType::Int32, false),
        Field::new("level_label", DataType::Utf8, false),
        Field::new("m", DataType::Float64, true),
        Field::new("u", DataType::Float64, true),
        Field::new("weight", DataType::Float64, false),
    ]));
    let text = |of: fn(&WeightRow<'_>) -> String| {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of))) as ArrayRef
    };
    let number = |of: fn(&WeightRow<'_>) -> i32| {
        Arc::new(Int32Array::from_iter_values(rows.iter().map(of))) as ArrayRef
    };
    let share = |of: fn(&WeightRow<'_>) -> Option<f64>| {
        Arc::new(rows.iter().map(of).collect::<Float64Array>()) as ArrayRef
    };
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            number(|row| row.position),
            text(|row| row.comparison.to_owned()),
            number(|row| row.level),
            text(|row| row.label.to_owned()),
            share(|row| row.probabilities.map(|(m, _)| m)),
            share(|row| row.probabilities.map(|(_, u)| u)),
            share(|row| Some(row.weight)),
        ],
    )?;
    let mut writer = writer(
        project,
        WEIGHTS,
        &schema,
        "weight of each level of each comparison, log2(m / u); a pair's weight is the prior's plus those of its levels, and a rare name adds to an exact one",
    )
    .await?;
    writer.write(None, &batch)?;
    writer.commit(CommitMode::ReplaceAll, details()).await?;
    Ok(())
}

/// One line of `linkage.workplace_weight`.
struct WeightRow<'p> {
    position: i32,
    comparison: &'p str,
    level: i32,
    label: &'p str,
    /// m and u; the prior has none.
    probabilities: Option<(f64, f64)>,
    weight: f64,
}

async fn writer(
    project: &OpenProject,
    table: &str,
    schema: &SchemaRef,
    description: &str,
) -> Result<TableWriter> {
    let options = WriteOptions {
        description: Some(description.to_owned()),
        ..WriteOptions::default()
    };
    Ok(project
        .warehouse()
        .writer(&table.parse()?, schema.clone(), options)
        .await?)
}

fn details() -> CommitDetails {
    CommitDetails {
        operation: "link workplaces".to_owned(),
        application: Some(("link_workplaces".to_owned(), 1)),
        ..CommitDetails::default()
    }
}

fn repeated(value: &str, count: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec![value; count]))
}
