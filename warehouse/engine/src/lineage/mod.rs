//! Column lineage: where every column of every model comes from, read off the planner's own plans.
//!
//! A model's SQL is planned over tables without rows, so lineage needs no data and no warehouse. The
//! plan is the one the planner makes before it optimises, in which everything a person wrote is
//! still there. One step is kept per table; whoever wants to know more walks.

mod classified;
mod expression;
mod flow;
mod functions;
mod openlineage;
mod planned;
mod project;
mod spells;
mod table;
mod trace;
mod walk;

pub use flow::{
    Carry, ColumnLineage, ColumnRef, EVERY_COLUMN, How, Influence, Sources, TableLineage, Transform,
};
pub use openlineage::OpenLineageRun;
pub(crate) use project::{AS_OF_MARK, StoredTable, tables_of_jobs};
pub use project::{LineageNode, NodeKind, ProjectLineage, REPORT_SCHEMA};
pub(crate) use table::write_lineage;
pub(crate) use trace::{table_of, trace_plan};
pub use walk::{Direction, LineageStep};

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod mutation;
