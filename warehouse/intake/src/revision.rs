//! Which delivery of a period is in place.
//!
//! The staging table itself says so: the partition's fingerprint is the delivery it was replaced
//! by, written in the same commit as the rows. Nothing that is remembered beside the table can
//! disagree with it after a crash.

use goyong_catalog::manifest::Period;
use goyong_store::Warehouse;

use crate::error::IntakeError;
use crate::store_access::{first_text, store_error, table};

/// The delivery a replaced partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InPlace {
    pub delivery_id: String,
    pub revision: u32,
}

impl InPlace {
    fn parse(delivery_id: &str) -> Option<Self> {
        let revision = delivery_id.rsplit('/').nth(1)?.strip_prefix('r')?;
        Some(Self {
            delivery_id: delivery_id.to_owned(),
            revision: revision.parse().ok()?,
        })
    }

    /// Whether it is the delivery of these bytes, whatever its revision.
    pub fn has_bytes(&self, sha256: &str) -> bool {
        let digest = self.delivery_id.rsplit('/').next().unwrap_or_default();
        !digest.is_empty() && sha256.starts_with(digest)
    }
}

/// The value of `_period` of a period's rows.
pub(crate) fn partition_of(period: Option<&Period>) -> Option<String> {
    period.map(|period| period.first_day().to_string())
}

/// The delivery in place of a period of a source whose revisions replace each other.
pub(crate) async fn in_place(
    warehouse: &Warehouse,
    source: &str,
    period: Option<&Period>,
) -> Result<Option<InPlace>, IntakeError> {
    let snapshot = warehouse
        .snapshot(&table("staging", source)?)
        .await
        .map_err(|error| store_error("look up the revision", error))?;
    let Some(snapshot) = snapshot else {
        return Ok(None);
    };
    let partition = partition_of(period);
    let Some(state) = snapshot.partitions.get(&partition) else {
        return Ok(None);
    };
    if let Some(fingerprint) = &state.fingerprint {
        return Ok(InPlace::parse(fingerprint));
    }
    // Whoever rewrote the table kept the rows, and each of them names its delivery.
    let mut files = snapshot.files_of(partition.as_deref());
    let Some(file) = files.find(|file| file.rows > 0) else {
        return Ok(None);
    };
    Ok(first_text(warehouse, &file.path, "_delivery_id")?
        .as_deref()
        .and_then(InPlace::parse))
}
