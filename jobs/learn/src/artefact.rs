//! What is served: a model, its calibration, its threshold and its interval as one thing. A model
//! judged at one threshold and used at another is another model.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::calibrator::Calibrator;
use crate::error::LearnError;
use crate::interval::ProbabilityInterval;
use crate::learner::{ProbabilityModel, hex_sha256, read_model};

const FORMAT: &str = "goyong-artefact/1";

/// Model, calibration and threshold.
#[derive(Debug)]
pub struct ScoringArtefact {
    /// The model.
    pub model: Box<dyn ProbabilityModel>,
    /// The map of its probabilities, chosen out of time.
    pub calibrator: Calibrator,
    /// The calibrated probability from which a row is flagged.
    pub threshold: f64,
    /// How well its probabilities are known; artefacts written before it was measured have none.
    pub interval: Option<ProbabilityInterval>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    calibrator: Calibrator,
    threshold: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval: Option<ProbabilityInterval>,
    /// Over calibration, threshold, interval and the model's bytes.
    sha256: String,
}

impl ScoringArtefact {
    /// Calibrated probabilities.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        let predicted = self.model.predict(batch)?;
        Ok(predicted
            .into_iter()
            .map(|value| self.calibrator.apply(value))
            .collect())
    }

    /// Whether each row is flagged at the threshold the caller believes in, which
    /// has to be the artefact's own.
    pub fn flag(&self, batch: &RecordBatch, threshold: f64) -> Result<Vec<bool>, LearnError> {
        if threshold != self.threshold {
            return Err(LearnError::InvalidInput {
                operation: "flag",
                reason: format!(
                    "the artefact was judged at threshold {}, not {threshold}; serve it there or \
                     train and judge an artefact at {threshold}",
                    self.threshold
                ),
            });
        }
        Ok(self
            .predict(batch)?
            .into_iter()
            .map(|value| value >= threshold)
            .collect())
    }

    /// A line of calibration, threshold and interval, then the model's own bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LearnError> {
        let model = self.model.to_bytes()?;
        let mut bytes = serde_json::to_vec(&Head {
            format: FORMAT.to_owned(),
            calibrator: self.calibrator.clone(),
            threshold: self.threshold,
            interval: self.interval.clone(),
            sha256: digest(&self.calibrator, self.threshold, &self.interval, &model)?,
        })?;
        bytes.push(b'\n');
        bytes.extend(model);
        Ok(bytes)
    }

    /// Reads what [`ScoringArtefact::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LearnError> {
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(bytes.len());
        let head: Head = serde_json::from_slice(&bytes[..end])?;
        if head.format != FORMAT {
            return Err(LearnError::UnknownFormat {
                found: head.format,
                expected: FORMAT.to_owned(),
            });
        }
        let model = bytes.get(end + 1..).unwrap_or_default();
        if head.sha256 != digest(&head.calibrator, head.threshold, &head.interval, model)? {
            return Err(LearnError::InvalidInput {
                operation: "from_bytes",
                reason: "the checksum differs: model, calibration, threshold or interval was \
                         changed after it was judged"
                    .to_owned(),
            });
        }
        Ok(ScoringArtefact {
            model: read_model(model)?,
            calibrator: head.calibrator,
            threshold: head.threshold,
            interval: head.interval,
        })
    }
}

fn digest(
    calibrator: &Calibrator,
    threshold: f64,
    interval: &Option<ProbabilityInterval>,
    model: &[u8],
) -> Result<String, LearnError> {
    let head = match interval {
        Some(interval) => serde_json::to_vec(&(calibrator, threshold, interval))?,
        None => serde_json::to_vec(&(calibrator, threshold))?,
    };
    Ok(hex_sha256(&[&head, model]))
}
