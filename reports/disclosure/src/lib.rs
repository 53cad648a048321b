//! Statistical disclosure control: what a published table may show.
//!
//! A report, a download and an open feed are built from a [`SafeTable`], and a [`SafeTable`] can only be made here: by
//! [`protect`], which suppresses what would give away a person or a workplace, or by [`publish_open_data`] for figures
//! whose provider has already published them. There is no third way and no `Deserialize`, so a template cannot receive
//! a table that nobody checked.
//!
//! What [`protect`] does, column by column:
//!
//! 1. **Small counts.** A cell to which fewer than `min_count` units contribute is suppressed (primary).
//! 2. **Dominance.** A magnitude whose largest contributors make up too much of it is suppressed: the (n, k) rule and
//!    the p % rule of Hundepool et al., *Statistical Disclosure Control* (Wiley, 2012), chapter 4.
//! 3. **Complementary suppression.** A reader can subtract: where totals over a dimension are known, further cells are
//!    suppressed until no suppressed cell is determined by the linear system of all totals, and until the cells hidden in
//!    one line of the table are together at least `min_count` units (their sum is published by subtraction).
//! 4. **Derived figures** (rates, means) follow the cells they are made from.
//!
//! A cell is then one of four things, which a page must show with four different marks: a value, a true zero,
//! suppressed, or not available.
//!
//! Limits: the check covers one table. Two tables that publish the same figures at different grains must be declared as
//! one table with total rows. Bounds that follow from inequalities across several lines are not searched for.
//!
//! ```
//! use goyong_disclosure::{protect, Cell, CellValue, Dimension, RawTable, Rules};
//!
//! let row = |region: &str, persons: i64| vec![CellValue::Text(region.into()), CellValue::Integer(persons)];
//! let raw = RawTable {
//!     name: "claims_by_region".into(),
//!     columns: vec!["region".into(), "claims".into()],
//!     rows: vec![row("a", 120), row("b", 3), row("c", 40), row("d", 0), row("total", 163)],
//! };
//! let rules = Rules {
//!     dimensions: vec![Dimension::additive("region").with_total("total")],
//!     counts: vec!["claims".into()],
//!     ..Rules::default()
//! };
//! let safe = protect(raw, &rules)?;
//! let claims: Vec<&Cell> = safe.rows().iter().map(|row| &row[1]).collect();
//! assert_eq!(claims[1], &Cell::Suppressed);                         // fewer than five
//! assert_eq!(claims[2], &Cell::Suppressed);                         // or b = 163 − 120 − 40
//! assert_eq!(claims[3], &Cell::Zero);
//! assert_eq!(claims[4], &Cell::Value(CellValue::Integer(163)));
//! # Ok::<(), goyong_disclosure::DisclosureError>(())
//! ```

mod complementary;
mod error;
mod protect;
mod rules;
mod shape;
mod value;

pub use error::DisclosureError;
pub use protect::{RawTable, SafeTable, protect, publish_open_data};
pub use rules::{DEFAULT_MIN_COUNT, Derived, Dimension, Dominance, Measure, Rules};
pub use value::{Cell, CellValue, Reason, SuppressedCell, SuppressionReport};
