use std::path::PathBuf;

use goyong_types::Month;

use crate::identity::MAX_BLOCKS;

/// Persons of one block, the unit of work.
pub const BLOCK_PERSONS: u64 = 10_000;

/// What to simulate and where to write it.
#[derive(Debug, Clone)]
pub struct SimulationConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// Residents of the simulated country.
    pub persons: u64,
    /// First month delivered.
    pub start: Month,
    /// Number of months delivered.
    pub months: u32,
    /// Folder that receives `<source>/<file>` and its manifest.
    pub landing: PathBuf,
    /// Folder that receives the truth. No job may read it.
    pub truth: PathBuf,
    /// Worker threads; the output does not depend on it.
    pub threads: usize,
    /// Frauds per fraud of the nation: 1 is realistic, more gives an evaluation of a small
    /// country enough of each kind.
    pub fraud_rate: f64,
    /// One household in this many answers the labour-force survey. The nation's survey asks about
    /// 35,000 households; a small country needs a larger share of its own for the same error.
    pub survey_one_in: u32,
}

impl SimulationConfig {
    pub(crate) fn blocks(&self) -> u64 {
        self.persons.div_ceil(BLOCK_PERSONS)
    }

    pub(crate) fn check(&self) -> Result<(), SimulationError> {
        let refuse = |reason: &str| {
            Err(SimulationError::Config {
                reason: reason.to_owned(),
            })
        };
        if self.persons < 500 {
            return refuse("a country needs at least 500 persons");
        }
        if self.blocks() > MAX_BLOCKS {
            return refuse("no more than 62,500,000 persons can have distinct resident numbers");
        }
        if !(1..=240).contains(&self.months) {
            return refuse("months must be between 1 and 240");
        }
        if !(0.0..=15.0).contains(&self.fraud_rate) {
            return refuse("the fraud rate must lie between 0 and 15");
        }
        if !(1..=1_000).contains(&self.survey_one_in) {
            return refuse("the survey must ask one household in 1 to 1000");
        }
        if !(2005..=2060).contains(&self.start.year()) {
            return refuse("the start must lie between 2005-01 and 2060-12");
        }
        Ok(())
    }
}

/// How far the simulation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Persons whose whole history has been written.
    pub persons_done: u64,
    /// Persons to simulate.
    pub persons_total: u64,
    /// Rows written so far.
    pub rows: u64,
    /// Bytes written so far.
    pub bytes: u64,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimulationSummary {
    /// Persons simulated.
    pub persons: u64,
    /// Deliveries written, each a data file with its manifest.
    pub deliveries: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Rows by source, in the order of the source names.
    pub rows_by_source: Vec<(String, u64)>,
    /// Fraudulent claims in the truth.
    pub frauds: u64,
}

/// Why a simulation stopped.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// A parameter is out of range.
    #[error("cannot simulate: {reason}")]
    Config {
        /// What to change.
        reason: String,
    },
    /// A seed of `sql/seeds` lacks a column or holds a value of the wrong kind.
    #[error("seed table `{table}` is not in the expected shape, see sql/seeds/{table}.yml")]
    Reference {
        /// Seed name.
        table: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The workbook could not be written.
    #[error("cannot write the workbook {path}")]
    Workbook {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rust_xlsxwriter::XlsxError,
    },
    /// A worker thread ended without a result.
    #[error("a simulation worker stopped before its block was finished")]
    Worker,
}
