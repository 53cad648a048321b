//! What a commit says of the build that made it, so that a build that died after a commit and before it could
//! remember it goes on instead of doing it again.

use chrono::NaiveDate;
use goyong_catalog::Model;
use goyong_store::{TableSnapshot, Warehouse};

use crate::error::Result;
use crate::memo::{Fingerprint, ModelMemo, PartitionMemo, WHOLE};

/// Between the digest and the order of the stored rows in the name of a transaction.
const SORTED: &str = "/sorted by ";

/// The job that names a transaction.
const BUILD: &str = "build";

/// The job of a model's commits. A history is not taken over: what it has taken in is remembered beside it.
pub(crate) fn job_of(model: &Model) -> &'static str {
    match model.header.snapshot {
        Some(_) => "history",
        None => BUILD,
    }
}

/// The transaction of a job on a table: the business date, what it was computed from, and the order of the files
/// where all of them have it.
pub(crate) fn transaction<'a>(
    job: &str,
    as_of: NaiveDate,
    fingerprints: impl IntoIterator<Item = (&'a str, &'a str)>,
    sorted_by: Option<&[String]>,
) -> (String, i64) {
    let mut digest = Fingerprint::new();
    for (partition, fingerprint) in fingerprints {
        digest.add(partition, fingerprint);
    }
    let mut name = format!("{job}/{as_of}/{}", digest.finish());
    if let Some(columns) = sorted_by {
        name.push_str(SORTED);
        name.push_str(&columns.join(","));
    }
    (name, 1)
}

/// Takes over what the newest commit says where the memo fell behind it: partitions whose rows are not those the memo
/// knows are as fresh as their commit says, and the files have the order it says.
pub(crate) async fn catch_up(
    memo: &mut ModelMemo,
    snapshot: Option<&TableSnapshot>,
    warehouse: &Warehouse,
) -> Result<()> {
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    if memo.sorted.as_ref().map(|(version, _)| *version) == Some(snapshot.version) {
        return Ok(());
    }
    let newest = warehouse
        .transaction_of(&snapshot.table, snapshot.version)
        .await?;
    let Some(newest) = newest.filter(|name| name.split('/').next() == Some(BUILD)) else {
        return Ok(());
    };
    for (partition, state) in &snapshot.partitions {
        let key = partition.as_deref().unwrap_or(WHOLE);
        let content_hash = state.content_hash.to_string();
        let known = memo.partitions.get(key);
        if let Some(fingerprint) = &state.fingerprint
            && known.is_none_or(|known| known.content_hash != content_hash)
        {
            let partition = PartitionMemo {
                fingerprint: fingerprint.clone(),
                content_hash,
                ..PartitionMemo::default()
            };
            memo.partitions.insert(key.to_owned(), partition);
        }
    }
    if let Some((_, columns)) = newest.split_once(SORTED) {
        let columns = columns.split(',').filter(|column| !column.is_empty());
        memo.sorted = Some((snapshot.version, columns.map(str::to_owned).collect()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_names_date_input_and_order() {
        let day = NaiveDate::default();
        let columns = ["a".to_owned(), "b".to_owned()];
        let (name, _) = transaction(BUILD, day, [("2024-01", "x")], Some(&columns));
        assert!(
            name.starts_with("build/1970-01-01/") && name.ends_with("/sorted by a,b"),
            "{name}"
        );
        let (other, _) = transaction(BUILD, day, [("2024-01", "y")], Some(&columns));
        assert_ne!(name, other);
        assert!(!transaction(BUILD, day, [], None).0.contains("sorted"));
    }
}
