use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::shown::{shown_line, shown_path};

/// Why a delivery was not taken. The live table is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The rule.
    pub rule: RefusalRule,
    /// One line for people: file, row and rule; never a personal value.
    pub message: String,
}

impl Refusal {
    /// A refusal by rule with its explanation; what stands in it from outside is made harmless.
    pub fn new(rule: RefusalRule, message: impl Into<String>) -> Self {
        Self {
            rule,
            message: shown_line(&message.into()),
        }
    }
}

/// Rules by which a whole delivery is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalRule {
    /// The manifest is missing, unreadable or contradicts the contract or the file's name.
    Manifest,
    /// No contract has the source's name.
    UnknownSource,
    /// What lies there is a link, pipe, device or folder, or its name cannot be written.
    NotAFile,
    /// The bytes are not those the manifest describes.
    Checksum,
    /// The provider answered with an error.
    ErrorAnswer,
    /// The file ends before its content does.
    Truncated,
    /// The file is not in the format of the contract.
    Malformed,
    /// The file is not in the encoding of the contract.
    Encoding,
    /// Columns are missing or named twice.
    Header,
    /// The number of records differs from the manifest's.
    RowCount,
    /// A sum differs from the manifest's.
    ControlTotal,
    /// The columns are not those of the contract, and it refuses that.
    Drift,
    /// Too many days lie outside the period.
    WrongPeriod,
    /// More rows break rules than the contract allows.
    Threshold,
    /// The file or a record expands beyond the limits.
    TooLarge,
    /// Two persons would share a key.
    KeyCollision,
    /// The revision is not above the one in place.
    Superseded,
}

impl RefusalRule {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::UnknownSource => "unknown_source",
            Self::NotAFile => "not_a_file",
            Self::Checksum => "checksum",
            Self::ErrorAnswer => "error_answer",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Encoding => "encoding",
            Self::Header => "header",
            Self::RowCount => "row_count",
            Self::ControlTotal => "control_total",
            Self::Drift => "drift",
            Self::WrongPeriod => "wrong_period",
            Self::Threshold => "threshold",
            Self::TooLarge => "too_large",
            Self::KeyCollision => "key_collision",
            Self::Superseded => "superseded",
        }
    }
}

impl fmt::Display for RefusalRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What stops intake itself, as opposed to what refuses a delivery.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The delivery is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file could not be read or written.
    #[error("{operation} {}: {source}", shown_path(path))]
    File {
        /// What was tried.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A stream broke off below a reader that does not know the file.
    #[error("read the delivery: {source}")]
    Stream {
        /// Why.
        source: io::Error,
    },
    /// A contract says something that cannot be executed.
    #[error("contract `{source_name}`: {message}")]
    Contract {
        /// The source.
        source_name: String,
        /// What cannot be executed.
        message: String,
    },
    /// A key file is missing, unreadable or does not fit.
    #[error("{message}")]
    Keys {
        /// What is wrong and what to do.
        message: String,
    },
    /// The vault is damaged or made with another key.
    #[error("{message}")]
    Vault {
        /// What is wrong and what to do.
        message: String,
    },
    /// The audit chain is damaged, or an access does not say what it must.
    #[error("{message}")]
    Audit {
        /// What is wrong and what to do.
        message: String,
    },
    /// A stored table cannot be rewritten.
    #[error("table {table}: {message}")]
    Table {
        /// The table.
        table: goyong_types::TableName,
        /// What is wrong and what to do.
        message: String,
    },
    /// A decision about quarantined rows cannot be taken.
    #[error("{message}")]
    Quarantine {
        /// What is wrong and what to do.
        message: String,
    },
    /// An Arrow array could not be built.
    #[error("build a batch of `{source_name}`: {source}")]
    Arrow {
        /// The source.
        source_name: String,
        /// Why not.
        source: arrow_schema::ArrowError,
    },
    /// The store refused or failed.
    #[error("{operation}")]
    Store {
        /// What was tried.
        operation: String,
        /// Why not.
        source: Box<goyong_store::StoreError>,
    },
    /// A name cannot be used.
    #[error("{message}")]
    Name {
        /// What is wrong.
        message: String,
    },
}

impl IntakeError {
    /// Whether running again can succeed without any change.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_retryable())
    }

    /// An I/O error with its operation and path.
    pub fn file(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File {
            operation,
            path: path.to_owned(),
            source,
        }
    }
}
