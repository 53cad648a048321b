use serde::{Deserialize, Serialize};

/// What is done when the columns of a file are not those of the contract.
///
/// Whatever is chosen, values are found by header text and never shift; a column that may not be
/// null is needed, so without it the file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriftPolicy {
    /// A column the contract does not name.
    pub added: DriftAction,
    /// A nullable column that the file lacks.
    pub missing: DriftAction,
    /// Columns in another order than in the contract.
    pub reordered: DriftAction,
    /// A lacking column while a column with a similar text is there; reported means it is taken.
    pub renamed: DriftAction,
}

/// What one kind of drift does to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftAction {
    /// The delivery is read; the drift is told and stored.
    Report,
    /// The delivery is refused.
    Refuse,
}

impl DriftAction {
    /// The word written in contracts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Refuse => "refuse",
        }
    }
}

/// The policy as written; what is not written depends on the format.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDriftPolicy {
    added: Option<DriftAction>,
    missing: Option<DriftAction>,
    reordered: Option<DriftAction>,
    renamed: Option<DriftAction>,
}

impl RawDriftPolicy {
    /// `has_header`: whether the format writes every column in every file. Elsewhere an optional
    /// field may be absent from each record without anything having changed.
    pub fn into_policy(self, has_header: bool) -> DriftPolicy {
        let missing = if has_header {
            DriftAction::Refuse
        } else {
            DriftAction::Report
        };
        DriftPolicy {
            added: self.added.unwrap_or(DriftAction::Report),
            missing: self.missing.unwrap_or(missing),
            reordered: self.reordered.unwrap_or(DriftAction::Report),
            renamed: self.renamed.unwrap_or(DriftAction::Refuse),
        }
    }
}

/// One difference between the columns of a file and those expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// What kind.
    pub kind: DriftKind,
    /// Column of the contract, where it has one.
    pub column: Option<String>,
    /// Text in the file, where it stands there.
    pub header: Option<String>,
    /// Whether the delivery accepted before did not have it; unknown without one.
    #[serde(default)]
    pub is_new: Option<bool>,
}

/// Kinds of drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// The contract does not name it.
    Added,
    /// The file lacks it.
    Missing,
    /// A similar text stands in its place.
    Renamed,
    /// The order differs.
    Reordered,
    /// A text stands twice and serves no column.
    Duplicated,
}

impl DriftKind {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Missing => "missing",
            Self::Renamed => "renamed",
            Self::Reordered => "reordered",
            Self::Duplicated => "duplicated",
        }
    }
}
