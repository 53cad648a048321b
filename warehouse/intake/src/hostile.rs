//! Hostile deliveries: each ends in the stated bin, and nothing else changes.
//!
//! A case is a file with the bin it has to end in. [`bench`] puts it into the landing folder of a
//! warehouse that already holds a delivery, takes it in, and compares everything before and after.

mod bench;
mod documents;
mod landing;
mod property;
mod state;
mod text;
mod workbooks;
