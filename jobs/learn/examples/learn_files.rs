//! Fits and scores straight from Parquet files, for comparison with other learners.
//!
//! usage: learn_files boost TRAIN MODEL [trees] · score MODEL ROWS OUT · logistic TRAIN OUT
//!
//! `label` is the outcome, every other column a feature: text a category, the rest
//! numbers. Seconds by phase are printed as JSON; scores are written as little-endian
//! doubles.

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use goyong_learn::{
    BatchVisitor, Batches, BoostOptions, BoostedModel, FeatureSpec, LearnError, LearningTask,
    ProbabilityModel, StreamedLogistic, StreamedOptions, read_model,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The row groups of a file.
struct RowGroups {
    file: PathBuf,
    count: usize,
}

impl RowGroups {
    fn open(file: &str) -> Result<(Self, LearningTask), Box<dyn Error>> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
        let features = builder
            .schema()
            .fields()
            .iter()
            .filter(|field| field.name() != "label");
        let features = features.map(|field| match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                FeatureSpec::categorical(field.name(), field.name(), field.name())
            }
            _ => FeatureSpec::numeric(field.name(), field.name(), field.name()),
        });
        let task = LearningTask::new("label", features.collect());
        let count = builder.metadata().num_row_groups();
        Ok((
            RowGroups {
                file: file.into(),
                count,
            },
            task,
        ))
    }
}

impl Batches for RowGroups {
    fn parts(&self) -> usize {
        self.count
    }

    fn read(&self, part: usize, visit: &mut BatchVisitor<'_>) -> Result<(), LearnError> {
        let failed = |error: &dyn std::fmt::Display| {
            LearnError::Source(format!("{}: {error}", self.file.display()))
        };
        let file = File::open(&self.file).map_err(|error| failed(&error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| {
                builder
                    .with_row_groups(vec![part])
                    .with_batch_size(8192)
                    .build()
            })
            .map_err(|error| failed(&error))?;
        for batch in reader {
            visit(&batch.map_err(|error| failed(&error))?)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let started = Instant::now();
    match words.as_slice() {
        ["boost", train, model, rest @ ..] => {
            let (batches, task) = RowGroups::open(train)?;
            let trees = rest.first().map_or(Ok(200), |trees| trees.parse())?;
            let options = BoostOptions {
                trees,
                ..BoostOptions::default()
            };
            let fitted = BoostedModel::fit_batches(&batches, &task, &options)?;
            fs::write(model, fitted.to_bytes()?)?;
            println!("{{\"train_s\": {:.3}}}", started.elapsed().as_secs_f64());
        }
        ["score", model, rows, out] => {
            let model = read_model(&fs::read(model)?)?;
            let (batches, _) = RowGroups::open(rows)?;
            let mut held: Vec<RecordBatch> = Vec::new();
            for part in 0..batches.parts() {
                batches.read(part, &mut |batch| {
                    held.push(batch.clone());
                    Ok(())
                })?;
            }
            let load = started.elapsed().as_secs_f64();
            let whole = arrow_select::concat::concat_batches(&held[0].schema(), &held)?;
            drop(held);
            let scoring = Instant::now();
            let predicted = model.predict(&whole)?;
            let seconds = scoring.elapsed().as_secs_f64();
            let bytes: Vec<u8> = predicted
                .iter()
                .flat_map(|score| score.to_le_bytes())
                .collect();
            fs::write(out, bytes)?;
            println!("{{\"load_s\": {load:.3}, \"score_s\": {seconds:.3}}}");
        }
        ["logistic", train, out] => {
            let (batches, task) = RowGroups::open(train)?;
            let fitted = StreamedLogistic::fit(&batches, &task, &StreamedOptions::default())?;
            fs::write(out, ProbabilityModel::to_json(&fitted)?)?;
            println!("{{\"train_s\": {:.3}}}", started.elapsed().as_secs_f64());
        }
        _ => return Err("usage: learn_files boost|score|logistic …".into()),
    }
    Ok(())
}
