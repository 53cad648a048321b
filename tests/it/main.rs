//! The one integration binary: it drives the compiled `goyong` as a person would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod advertisements;
mod cases;
mod cluster;
mod command_line;
mod contract;
mod crash;
mod crosswalk;
mod demo;
mod deploy;
mod detection;
mod hostile;
mod layering;
mod linkage;
mod prediction;
mod privacy;
mod project;
mod quarantine;
mod real_files;
mod run_pages;
#[path = "../s3_server.rs"]
mod s3_server;
mod schedule;
mod secrets;
mod support;
mod vault;
mod watch;
