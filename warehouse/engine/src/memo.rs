//! What the engine remembers of a model between builds, in the warehouse's state database.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use goyong_catalog::ProjectState;
use goyong_store::{TableSnapshot, Warehouse};
use goyong_types::TableName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::targets::Target;

/// Changes whenever the same SQL over the same rows could give other rows or another layout.
const ENGINE_FORMAT: &str = "goyong-engine 1";

const MODEL_SCOPE: &str = "engine.model";
const CHECK_SCOPE: &str = "engine.check";
const PROJECT_SCOPE: &str = "engine.project";
const UNIT_TEST_SCOPE: &str = "engine.unit_tests";

/// Partition key of an unpartitioned table in the memo.
pub(crate) const WHOLE: &str = "";

/// What was built and tested, and from what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModelMemo {
    pub partitions: BTreeMap<String, PartitionMemo>,
    /// Whole-table tests that passed, with the digest of everything they looked at.
    pub tests: BTreeMap<String, String>,
    /// What the columns of a table without any month were taken from.
    #[serde(default)]
    pub probe: Option<String>,
    /// The last day whose present the history of a snapshot has taken in.
    #[serde(default)]
    pub history_until: Option<NaiveDate>,
    /// The version all of whose files are sorted by these columns.
    pub sorted: Option<(i64, Vec<String>)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionMemo {
    pub fingerprint: String,
    pub content_hash: String,
    /// Digest of the per-row tests that passed on this content.
    pub rows_tested: Option<String>,
    /// What it was read from, to tell later which input changed and which keys of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadMemo>,
}

/// What one partition was computed from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadMemo {
    /// Digest of all but the rows: what the SQL means, variables, header, columns of the inputs.
    pub text: String,
    pub inputs: BTreeMap<TableName, InputMemo>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InputMemo {
    /// `None` where the table did not exist.
    pub version: Option<i64>,
    /// Digest of the rows that were read.
    pub rows: String,
}

impl ModelMemo {
    pub async fn read(warehouse: &Warehouse, table: &TableName) -> Result<Self> {
        let text = warehouse.memo_get(MODEL_SCOPE, &table.to_string()).await?;
        // An unreadable memo costs a rebuild, never a wrong answer.
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    pub async fn write(&self, warehouse: &Warehouse, table: &TableName) -> Result<()> {
        let text = serde_json::to_string(self).unwrap_or_default();
        warehouse
            .memo_put(MODEL_SCOPE, &table.to_string(), &text)
            .await?;
        Ok(())
    }

    /// Whether a partition of the table is what it would become again.
    pub fn is_fresh(&self, snapshot: Option<&TableSnapshot>, key: &str, fingerprint: &str) -> bool {
        let (Some(memo), Some(snapshot)) = (self.partitions.get(key), snapshot) else {
            return false;
        };
        memo.fingerprint == fingerprint
            && content_hash_of(snapshot, key).is_some_and(|hash| hash == memo.content_hash)
    }

    /// Whether a partition is what a text written otherwise would make of the same rows.
    pub fn means_the_same(&self, snapshot: Option<&TableSnapshot>, target: &Target) -> bool {
        let (Some(memo), Some(snapshot)) = (self.partitions.get(&target.key), snapshot) else {
            return false;
        };
        let Some(read) = &memo.read else {
            return false;
        };
        let same_rows = read.inputs.len() == target.inputs.len()
            && target.inputs.iter().all(|(table, input)| {
                let was = read.inputs.get(table);
                was.is_some_and(|was| was.rows == input.rows)
            });
        same_rows
            && content_hash_of(snapshot, &target.key).is_some_and(|hash| hash == memo.content_hash)
            && read.text == target.text()
    }

    /// The declared order of the files of a version.
    pub fn sorted_by(&self, version: i64) -> &[String] {
        match &self.sorted {
            Some((sorted_version, columns)) if *sorted_version == version => columns,
            _ => &[],
        }
    }
}

/// The digest a check passed with.
pub(crate) async fn passed_check(warehouse: &Warehouse, check: &str) -> Result<Option<String>> {
    Ok(warehouse.memo_get(CHECK_SCOPE, check).await?)
}

pub(crate) async fn remember_check(warehouse: &Warehouse, check: &str, digest: &str) -> Result<()> {
    Ok(warehouse.memo_put(CHECK_SCOPE, check, digest).await?)
}

/// The unit tests that passed, all of a model's at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PassedUnitTests {
    /// Digest of the whole project in which all of `models` are known to pass.
    pub project: String,
    /// Digest of all that the tests of a model depend on.
    pub models: BTreeMap<TableName, String>,
}

impl PassedUnitTests {
    pub async fn read(warehouse: &Warehouse) -> Result<Self> {
        let text = warehouse.memo_get(UNIT_TEST_SCOPE, "passed").await?;
        // What cannot be read is run again.
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    pub async fn write(&self, warehouse: &Warehouse) -> Result<()> {
        let text = serde_json::to_string(self).unwrap_or_default();
        Ok(warehouse.memo_put(UNIT_TEST_SCOPE, "passed", &text).await?)
    }
}

/// What the project said when it was last built, `None` before the first build of all of it.
pub(crate) async fn remembered_state(warehouse: &Warehouse) -> Result<Option<ProjectState>> {
    let text = warehouse.memo_get(PROJECT_SCOPE, "state").await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

pub(crate) async fn remember_project(warehouse: &Warehouse, state: &ProjectState) -> Result<()> {
    let text = serde_json::to_string(state).unwrap_or_default();
    Ok(warehouse.memo_put(PROJECT_SCOPE, "state", &text).await?)
}

/// The content hash of one partition, by the memo's key.
pub(crate) fn content_hash_of(snapshot: &TableSnapshot, key: &str) -> Option<String> {
    let key = (key != WHOLE).then(|| key.to_owned());
    snapshot
        .partitions
        .get(&key)
        .map(|state| state.content_hash.to_string())
}

/// SHA-256 over named parts; no two different lists of parts give the same text to hash.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    pub fn new() -> Self {
        Self(Sha256::new()).with("engine", ENGINE_FORMAT)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.add(name, value);
        self
    }

    pub fn add(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text.as_bytes());
        }
    }

    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_keeps_parts_apart() {
        let one = Fingerprint::new().with("a", "bc").finish();
        let two = Fingerprint::new().with("ab", "c").finish();
        assert_ne!(one, two);
        assert_eq!(one, Fingerprint::new().with("a", "bc").finish());
    }
}
