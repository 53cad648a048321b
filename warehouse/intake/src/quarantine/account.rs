//! The account of a delivery after decisions about its quarantined rows.

use super::{QuarantineEntry, RowState, refuse};
use crate::delivery::{DeliveryOutcome, DeliveryStatus};
use crate::error::IntakeError;

/// Computes the account from what the delivery was at first and every decision so far, so that
/// computing it again changes nothing.
///
/// Rows move from quarantined to accepted or rejected. Won does so too; what a correction changed
/// moves between quarantined and rejected, because the delivered sum stays what was delivered.
/// Values that could not be read keep their share of a sum the provider stated until the last of
/// them is decided; what then is left over is rejected.
pub(super) fn settle(
    outcome: &mut DeliveryOutcome,
    entries: &[QuarantineEntry],
) -> Result<(), IntakeError> {
    let count =
        |state: RowState| entries.iter().filter(|entry| entry.state == state).count() as u64;
    let (open, released, discarded) = (
        count(RowState::Open),
        count(RowState::Released),
        count(RowState::Discarded),
    );
    let accepted_at_first = outcome.rows_accepted - outcome.rows_released;
    let rejected_at_first = outcome.rows_rejected - outcome.rows_discarded;
    let flagged_at_first = outcome.rows_flagged - outcome.rows_released;
    if accepted_at_first + rejected_at_first + entries.len() as u64 != outcome.rows_delivered {
        return Err(refuse(format!(
            "the ledger of {} knows {} rows, {} were accepted or rejected and {} quarantined: run `goyong verify`",
            outcome.delivery_id,
            outcome.rows_delivered,
            accepted_at_first + rejected_at_first,
            entries.len()
        )));
    }
    outcome.rows_accepted = accepted_at_first + released;
    outcome.rows_quarantined = open;
    outcome.rows_rejected = rejected_at_first + discarded;
    outcome.rows_flagged = flagged_at_first + released;
    outcome.rows_released = released;
    outcome.rows_discarded = discarded;
    outcome.status = match open {
        0 => DeliveryStatus::Accepted,
        _ => DeliveryStatus::AcceptedWithQuarantine,
    };
    if outcome.control_name.is_some() {
        settle_won(outcome, entries);
    }
    Ok(())
}

fn settle_won(outcome: &mut DeliveryOutcome, entries: &[QuarantineEntry]) {
    let sum = |keep: &dyn Fn(&QuarantineEntry) -> bool,
               of: fn(&QuarantineEntry) -> Option<i128>| {
        entries
            .iter()
            .filter(|entry| keep(entry))
            .filter_map(of)
            .sum::<i128>()
    };
    let is_open = |entry: &QuarantineEntry| entry.state == RowState::Open;
    let accepted_at_first = outcome.won_accepted - outcome.won_released;
    let rejected_at_first = outcome.won_rejected - outcome.won_discarded;
    let released = sum(&|entry| entry.state == RowState::Released, |entry| {
        entry.won_released
    });
    // What the provider's sum says the unreadable values are together.
    let unreadable = outcome.won_delivered
        - accepted_at_first
        - rejected_at_first
        - sum(&|_| true, |entry| entry.won);
    let waits_unreadable = entries
        .iter()
        .any(|entry| is_open(entry) && entry.won.is_none());
    let unreadable_left = if unreadable != 0 && waits_unreadable {
        let found = sum(
            &|entry| entry.state == RowState::Released && entry.won.is_none(),
            |entry| entry.won_released,
        );
        unreadable - found
    } else {
        0
    };
    outcome.won_accepted = accepted_at_first + released;
    outcome.won_quarantined = sum(&is_open, |entry| entry.won) + unreadable_left;
    outcome.won_rejected = outcome.won_delivered - outcome.won_accepted - outcome.won_quarantined;
    outcome.won_released = released;
    outcome.won_discarded = outcome.won_rejected - rejected_at_first;
}
