//! From simulated events to deliveries: the layout of each source, the rows of one block in
//! memory, and the files that blocks are appended to.

mod archive;
mod errors;
mod interfaces;
mod layout;
mod row;
mod services;
mod sink;

pub(crate) use archive::Archive;
pub(crate) use errors::ErrorKind;
pub(crate) use layout::{Cadence, Source, last_of_three, period_text};
pub(crate) use row::{BlockOutput, Buffer, push_number};
pub(crate) use sink::{Landing, Manifest, file_name, hex, iso, write_delivery, write_manifest};
