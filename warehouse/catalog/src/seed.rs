use serde::{Deserialize, Serialize};

use crate::contract::BilingualText;

/// A code table kept in the project: a CSV file and what its columns are.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// Name, the file's stem; the table is `seed.<name>`.
    pub name: String,
    /// What the YAML beside the CSV says.
    pub header: SeedHeader,
    /// The CSV text: UTF-8, a header row, ISO dates, empty fields are null.
    pub csv: String,
    /// Path of the CSV relative to the project.
    pub file: String,
}

/// The YAML beside a seed's CSV.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedHeader {
    /// Name, equal to the file's stem.
    pub seed: String,
    /// Short name for people.
    #[serde(default)]
    pub title: Option<BilingualText>,
    /// What one row is.
    #[serde(default)]
    pub description: BilingualText,
    /// Where the values come from.
    pub origin: BilingualText,
    /// Under which terms they may be passed on.
    #[serde(default)]
    pub licence: Option<String>,
    /// The columns that identify a row: tested unique and not null.
    #[serde(default)]
    pub key: Vec<String>,
    /// The columns in the CSV's order.
    pub columns: Vec<SeedColumn>,
}

/// A column of a seed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedColumn {
    /// Name in the CSV and in the table.
    pub name: String,
    /// Type as in a contract.
    #[serde(rename = "type")]
    pub column_type: String,
    /// Whether an empty field is allowed.
    #[serde(default)]
    pub nullable: bool,
    /// How a date is written: only `%Y-%m-%d` is.
    #[serde(default)]
    pub format: Option<String>,
    /// The values that may occur, when they are few.
    #[serde(default)]
    pub domain: Vec<String>,
    /// What the values mean.
    #[serde(default)]
    pub description: Option<BilingualText>,
    /// Sensitivity and other tags.
    #[serde(default)]
    pub tags: Vec<String>,
}
