//! Pseudonyms in the book: renamed when keys are rotated, removed when a person is forgotten. Events hold none; one tells
//! the digests that rows have since.

use std::collections::{BTreeMap, HashSet};

use goyong_database::{DatabaseError, Transaction, Value};

use crate::book::CaseBook;
use crate::digests::Restating;
use crate::error::CaseError;
use crate::permit;

/// What a pseudonym becomes, where it is known.
pub struct Renaming<'a> {
    /// Person keys.
    pub person: &'a (dyn Fn(i64) -> Option<i64> + Sync),
    /// Digests of accounts, devices and the like.
    pub opaque: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

impl Renaming<'_> {
    fn text(&self, text: &str) -> Option<String> {
        match text.parse::<i64>() {
            Ok(key) => (self.person)(key).map(|key| key.to_string()),
            Err(_) => (self.opaque)(text),
        }
    }

    /// A pivot such as `person/-12`.
    fn pivot(&self, pivot: &str) -> Option<String> {
        let (kind, key) = pivot.split_once('/')?;
        Some(format!("{kind}/{}", self.text(key)?))
    }
}

impl CaseBook {
    /// Renames every pseudonym. Done again it changes nothing, as new pseudonyms have no newer ones.
    pub async fn rename_pseudonyms(&self, renaming: &Renaming<'_>) -> Result<u64, CaseError> {
        let error = CaseError::database("rename pseudonyms");
        let mut transaction = self.database.begin().await.map_err(error)?;
        let restating = Restating::begin(&mut transaction).await?;
        permit::grant(&mut transaction, "rename").await?;
        let renamed = rename(&mut transaction, renaming).await.map_err(error)?;
        permit::revoke(&mut transaction).await?;
        restating.end(&mut transaction, "rename").await?;
        transaction.commit().await.map_err(error)?;
        Ok(renamed)
    }

    /// Removes the pseudonyms of forgotten persons. Their cases stay as numbers without a subject, because what was
    /// decided must remain accounted for.
    pub async fn forget(&self, persons: &HashSet<i64>) -> Result<u64, CaseError> {
        let error = CaseError::database("forget persons");
        let mut transaction = self.database.begin().await.map_err(error)?;
        let restating = Restating::begin(&mut transaction).await?;
        permit::grant(&mut transaction, "forget").await?;
        let mut removed = 0;
        for person in persons {
            let person = [Value::from(*person)];
            for sql in [
                "update cases set person_key = null, pivot_key = 'forgotten/' || case_no where person_key = $1",
                "update case_evidence set person_key = null, claim_no = null, \
                 subject_key = 'forgotten/' || evidence_no, evidence_key = 'forgotten/' || evidence_no \
                 where person_key = $1",
            ] {
                removed += transaction.execute(sql, &person).await.map_err(error)?;
            }
            let sql = "delete from case_suppressions where scope = 'person' and value = 'person/' || cast($1 as bigint)";
            removed += transaction.execute(sql, &person).await.map_err(error)?;
        }
        for sql in [
            "delete from case_draws where case_no in (select case_no from cases where pivot_key like 'forgotten/%')",
            "delete from case_scores where case_no in (select case_no from cases where pivot_key like 'forgotten/%')",
        ] {
            transaction.execute(sql, &[]).await.map_err(error)?;
        }
        permit::revoke(&mut transaction).await?;
        restating.end(&mut transaction, "forget").await?;
        transaction.commit().await.map_err(error)?;
        Ok(removed)
    }
}

async fn rename(
    transaction: &mut Transaction,
    renaming: &Renaming<'_>,
) -> Result<u64, DatabaseError> {
    let mut renamed = 0;
    let persons = "select distinct person_key from cases where person_key is not null \
                   union select distinct person_key from case_evidence where person_key is not null";
    for row in transaction.query(persons, &[]).await? {
        let old = row.integer(0)?;
        if let Some(new) = (renaming.person)(old) {
            for sql in [
                "update cases set person_key = $2 where person_key = $1",
                "update case_evidence set person_key = $2 where person_key = $1",
            ] {
                renamed += transaction.execute(sql, &[old.into(), new.into()]).await?;
            }
        }
    }
    let mut pivots = BTreeMap::new();
    let sql =
        "select distinct pivot_key from cases union select distinct value from case_suppressions";
    for row in transaction.query(sql, &[]).await? {
        let old = row.text(0)?;
        if let Some(new) = renaming.pivot(&old) {
            pivots.insert(old, new);
        }
    }
    for (old, new) in &pivots {
        for sql in [
            "update cases set pivot_key = $2 where pivot_key = $1",
            "update case_suppressions set value = $2 where value = $1",
        ] {
            renamed += transaction.execute(sql, &[old.into(), new.into()]).await?;
        }
    }
    let sql = "select evidence_no, evidence_key from case_evidence";
    for row in transaction.query(sql, &[]).await? {
        if let Some(new) = renaming.text(&row.text(1)?) {
            let sql = "update case_evidence set evidence_key = $2 where evidence_no = $1";
            renamed += transaction
                .execute(sql, &[row.integer(0)?.into(), new.into()])
                .await?;
        }
    }
    Ok(renamed)
}
