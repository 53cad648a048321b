//! Permits: what the book is at within a transaction, so that guards let its own changes pass and refuse those of a client.

use goyong_database::Transaction;

use crate::error::CaseError;

/// Says what is done until [`revoke`]. Nobody else sees it, as it is gone when the transaction ends.
pub(crate) async fn grant(
    transaction: &mut Transaction,
    work: &'static str,
) -> Result<(), CaseError> {
    let sql = "insert into case_permits (work) values ($1)";
    transaction
        .execute(sql, &[work.into()])
        .await
        .map_err(CaseError::database("begin to change the cases"))?;
    Ok(())
}

/// Ends what [`grant`] began.
pub(crate) async fn revoke(transaction: &mut Transaction) -> Result<(), CaseError> {
    let sql = "delete from case_permits";
    transaction
        .execute(sql, &[])
        .await
        .map_err(CaseError::database("end to change the cases"))?;
    Ok(())
}
