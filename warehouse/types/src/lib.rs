//! The words every other crate speaks: identifiers, periods, numbers that identify, table names.
//!
//! Pure: no I/O, no async, no clock. A value of one of these types is valid by construction.
//!
//! ```
//! use goyong_types::{Month, TableName};
//!
//! let month: Month = "2024-08".parse()?;
//! assert_eq!(month.plus(5).to_string(), "2025-01");
//! let table: TableName = "core.employment_spell".parse()?;
//! assert_eq!(table.schema(), "core");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod business_number;
mod hangul;
mod keys;
mod month;
mod resident_number;
mod suggestion;
mod table_name;

pub use business_number::{BusinessNumber, BusinessNumberError};
pub use hangul::{compose_hangul, normalise_hangul, widen_hangul};
pub use keys::{DeliveryId, PersonKey};
pub use month::{Month, MonthError};
pub use resident_number::{ResidentNumber, ResidentNumberError, Sex, holds_resident_number};
pub use suggestion::nearest_name;
pub use table_name::{TableName, TableNameError};
