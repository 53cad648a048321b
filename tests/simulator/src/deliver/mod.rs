//! From simulated events to deliveries: the layout of each source, the rows of one block in
//! memory, and the files that blocks are appended to.

mod errors;
mod layout;
mod row;
mod services;
mod sink;

pub(crate) use errors::ErrorKind;
pub(crate) use layout::{Cadence, Source, period_text};
pub(crate) use row::{BlockOutput, Buffer, push_number};
pub(crate) use sink::{Landing, Manifest, file_name, hex, iso, write_delivery, write_manifest};
