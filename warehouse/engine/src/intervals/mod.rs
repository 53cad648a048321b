//! Spell arithmetic over sorted batches, as table functions of SQL.
//!
//! ```sql
//! select * from spell_gaps(insured_spell, person_key, insured_from, insured_to, next_within_months => 6)
//! ```
//!
//! A call is planned as a logical node ([`node::IntervalNode`]) over the tables it names and runs as one operator
//! ([`exec::IntervalExec`]) that asks for rows sorted by (key, start) and kept together by key. Stored tables declare
//! both, so nothing is sorted or exchanged for them. Memory is bounded by a batch and the rows of one key; gaps and
//! merging need a batch alone.
//!
//! *Semantics shared by all.* Dates are days; an interval with an inclusive end covers that day, one with an exclusive
//! end does not; a null end is open and covers every later day. A key may have several columns; nulls in it are one
//! value as in `group by`, except in joins, where they match nothing. A start that is null, or an end before its start,
//! is an error unless `invalid => 'skip'` leaves such rows out.

mod codec;
mod episodes;
mod exec;
mod gaps;
mod join;
mod keys;
mod merge;
mod node;
mod rows;
mod settings;
mod syntax;

#[cfg(test)]
mod tests;

pub(crate) use codec::{decode_node, decode_plan, encode_node, encode_plan};
pub(crate) use node::{IntervalNode, SpellQueryPlanner};
#[cfg(test)]
pub(crate) use settings::FUNCTIONS;
pub(crate) use settings::Origin;
pub(crate) use syntax::{SpellFunctions, open_table_arguments};
