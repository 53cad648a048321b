//! The interface all learners stand behind: fit on Arrow batches, predict batches,
//! explain a row, serialise.

use arrow_array::{BooleanArray, RecordBatch};
use sha2::{Digest, Sha256};

use crate::boosting::BoostedModel;
use crate::column;
use crate::error::LearnError;
use crate::feature::FeatureSpec;
use crate::logistic::{Explanation, LogisticModel};
use crate::streaming::StreamedLogistic;

const ENVELOPE: &str = "goyong-model/1";

/// Receives the batches of a part, one after the other.
pub type BatchVisitor<'a> = dyn FnMut(&RecordBatch) -> Result<(), LearnError> + 'a;

/// Batches that can be read from the beginning again and again, such as the row
/// groups of Parquet files. Parts are read side by side; the same parts with the
/// same rows give the same model on any number of threads.
pub trait Batches: Sync {
    /// Number of parts.
    fn parts(&self) -> usize;

    /// Reads a part in order and hands over each batch. An error of the visitor
    /// ends the reading and is returned; the reader's own is
    /// [`LearnError::Source`].
    fn read(&self, part: usize, visit: &mut BatchVisitor<'_>) -> Result<(), LearnError>;
}

impl Batches for &[RecordBatch] {
    fn parts(&self) -> usize {
        self.len()
    }

    fn read(&self, part: usize, visit: &mut BatchVisitor<'_>) -> Result<(), LearnError> {
        visit(&self[part])
    }
}

/// Which columns of the batches are learned from.
#[derive(Debug, Clone)]
pub struct LearningTask {
    /// The features.
    pub features: Vec<FeatureSpec>,
    /// The outcome: true or false. Null is refused: a censored row is not a
    /// negative one and has to be left out, or split into periods, before.
    pub label: String,
    /// How much a row counts, above 0; without it every row counts 1.
    pub weight: Option<String>,
    /// What belongs together, such as a person: sampling and the part held out
    /// take or leave it whole.
    pub group: Option<String>,
    /// The date by which the part held out is the latest one.
    pub entered_on: Option<String>,
}

impl LearningTask {
    /// A task without weights, groups or dates.
    pub fn new(label: &str, features: Vec<FeatureSpec>) -> Self {
        LearningTask {
            features,
            label: label.to_owned(),
            weight: None,
            group: None,
            entered_on: None,
        }
    }
}

/// Something that makes probability models.
pub trait Learner {
    /// Fits on all rows. The same batches, task and options give the same bytes.
    fn fit(
        &self,
        batches: &dyn Batches,
        task: &LearningTask,
    ) -> Result<Box<dyn ProbabilityModel>, LearnError>;
}

/// A fitted model of P(label = true).
pub trait ProbabilityModel: std::fmt::Debug + Send + Sync {
    /// The kind written into the serialised form.
    fn kind(&self) -> &'static str;

    /// Probabilities, one per row of the batch.
    fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError>;

    /// The `top` largest contributions to the log-odds of one row; with all of
    /// them, their sum and the average are the log-odds exactly.
    fn explain(
        &self,
        batch: &RecordBatch,
        row: usize,
        top: usize,
    ) -> Result<Explanation, LearnError>;

    /// The body of the serialised form; equal models give equal text.
    fn to_json(&self) -> Result<String, LearnError>;

    /// The serialised form: a line with format, kind and SHA-256, then the body.
    fn to_bytes(&self) -> Result<Vec<u8>, LearnError> {
        let body = self.to_json()?;
        let head = format!("{ENVELOPE} {} sha256={}\n", self.kind(), digest(&body));
        Ok([head.as_bytes(), body.as_bytes()].concat())
    }
}

impl ProbabilityModel for LogisticModel {
    fn kind(&self) -> &'static str {
        "logistic"
    }

    fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        LogisticModel::predict(self, batch)
    }

    fn explain(
        &self,
        batch: &RecordBatch,
        row: usize,
        top: usize,
    ) -> Result<Explanation, LearnError> {
        LogisticModel::explain(self, batch, row, top)
    }

    fn to_json(&self) -> Result<String, LearnError> {
        LogisticModel::to_json(self)
    }
}

/// Reads a model written by [`ProbabilityModel::to_bytes`]; bytes that were cut
/// or changed are refused.
pub fn read_model(bytes: &[u8]) -> Result<Box<dyn ProbabilityModel>, LearnError> {
    let refused = |reason: &str| LearnError::InvalidInput {
        operation: "read_model",
        reason: reason.to_owned(),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| refused("the bytes are not text"))?;
    let (head, body) = text
        .split_once('\n')
        .ok_or_else(|| refused("the first line is cut"))?;
    let mut words = head.split(' ');
    let format = words.next().unwrap_or_default();
    if format != ENVELOPE {
        return Err(LearnError::UnknownFormat {
            found: format.chars().take(40).collect(),
            expected: ENVELOPE.to_owned(),
        });
    }
    let (kind, sum) = (words.next(), words.next());
    if sum != Some(&format!("sha256={}", digest(body))) {
        return Err(refused(
            "the checksum differs: the bytes were cut or changed, restore them from the store",
        ));
    }
    match kind {
        Some("logistic") => Ok(Box::new(LogisticModel::from_json(body)?)),
        Some("boosting") => Ok(Box::new(BoostedModel::from_json(body)?)),
        Some("streamed_logistic") => Ok(Box::new(StreamedLogistic::from_json(body)?)),
        other => Err(LearnError::UnknownFormat {
            found: other.unwrap_or_default().to_owned(),
            expected: "logistic, boosting or streamed_logistic".to_owned(),
        }),
    }
}

/// A row of a batch as a batch.
pub(crate) fn one_row(batch: &RecordBatch, row: usize) -> Result<RecordBatch, LearnError> {
    if row >= batch.num_rows() {
        return Err(LearnError::InvalidInput {
            operation: "explain",
            reason: format!("row {row} of a batch of {}", batch.num_rows()),
        });
    }
    Ok(batch.slice(row, 1))
}

/// The outcomes of a batch, all of them known.
pub(crate) fn known_labels(
    batch: &RecordBatch,
    task: &LearningTask,
) -> Result<BooleanArray, LearnError> {
    let labels = column::booleans(&task.label, column::find(batch, &task.label, "label")?)?;
    let requirement = "leave rows out whose outcome is not known, they are not negative";
    column::refuse_nulls(&task.label, &labels, requirement)?;
    Ok(labels)
}

fn digest(body: &str) -> String {
    hex_sha256(&[body.as_bytes()])
}

/// SHA-256 over parts that follow each other.
pub(crate) fn hex_sha256(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
