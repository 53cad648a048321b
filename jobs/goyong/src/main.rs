//! `goyong`: the one binary. It parses arguments, calls the crates and prints; nothing else.

mod ads;
mod alerts;
mod arguments;
mod cluster;
mod commands;
mod contract;
mod demo;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod deployment_tests;
mod doctor;
mod hardening;
mod idle;
mod lineage;
mod models;
mod output;
mod progress;
mod project;
mod quarantine;
mod recovery;
mod releases;
mod runs;
mod schedule;
mod shell;
mod vault;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, CommonArguments, LogFormat};

/// Keeps freed pages for a while: sorting and parsing free and take gigabytes in batches, and the system's allocator has
/// the kernel clear every page anew.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Deeply nested queries recurse in the planner; two megabytes are not enough for them.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Something checked failed: a model, a test, a gate, a verification.
const CHECK_FAILED: u8 = 1;
/// The command could not run.
const COULD_NOT_RUN: u8 = 2;
/// Another run holds the lock.
const LOCKED: u8 = 75;
/// The user interrupted the run.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    hardening::keep_memory_off_the_disk();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if is_help(&error) => error.exit(),
        Err(error) => {
            // Nothing is left to tell whom when stderr is closed.
            let _closed = writeln!(std::io::stderr(), "{}", one_line(&error));
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    start_log(&arguments.common);
    let worker = std::thread::Builder::new()
        .name("goyong".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || run(arguments));
    match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(_)) | Err(_) => ExitCode::from(COULD_NOT_RUN),
    }
}

/// Whether the user asked for a page of text, or named no command and is shown them all.
fn is_help(error: &clap::Error) -> bool {
    !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// What is wrong with a command line and what was meant, without the usage page.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut line = String::new();
    let parts = text
        .lines()
        .map(str::trim)
        .take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more information"))
        .filter(|part| !part.is_empty());
    for part in parts {
        match line.chars().last() {
            None => {}
            Some(':') => line.push(' '),
            Some(_) => line.push_str("; "),
        }
        line.push_str(part);
    }
    line + "; --help tells more"
}

fn run(arguments: Arguments) -> u8 {
    let threads = match arguments.common.threads {
        None | Some(0) => std::thread::available_parallelism().map_or(1, usize::from),
        Some(threads) => threads,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    let outcome: Result<u8> = match runtime {
        Ok(runtime) => runtime.block_on(async {
            tokio::select! {
                outcome = commands::dispatch(&arguments) => outcome,
                _ = tokio::signal::ctrl_c(), if !arguments.command.ends_by_itself() => Ok(INTERRUPTED),
            }
        }),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            if goyong_nightly::is_locked(&error) {
                LOCKED
            } else {
                COULD_NOT_RUN
            }
        }
    }
}

fn start_log(common: &CommonArguments) {
    let default = if common.quiet {
        "error"
    } else {
        // The scheduler warns of every stage that tells no metrics, and none does.
        "warn,goyong=info,goyong_nightly=info,ballista_scheduler=error"
    };
    let filter = EnvFilter::try_from_env("GOYONG_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match common.log_format {
        LogFormat::Json => {
            progress::say_as_log_lines();
            // The fields of the step stand in `span`, those of the event beside the message.
            builder
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .init();
        }
        LogFormat::Text => builder
            .without_time()
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .init(),
    }
}
