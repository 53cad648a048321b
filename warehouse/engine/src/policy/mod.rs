//! What may be seen by whom, and what may be known when: rules over lineage.

mod classification;
mod clearance;
mod knowledge;
mod point_in_time;
mod tags;

pub(crate) use classification::{Classified, Crossing, classification_of, classify};
pub(crate) use clearance::arrows;
pub use clearance::{ACCOUNT_TAG, REPORT_NEVER};
pub(crate) use knowledge::knowledge_of;
pub(crate) use point_in_time::{Knowledge, KnownBy, Leak, leaks};
pub(crate) use tags::inherited;
pub use tags::{Declassified, SENSITIVITY_TAGS, Tags};

#[cfg(test)]
mod classification_tests;
#[cfg(test)]
mod tests;
