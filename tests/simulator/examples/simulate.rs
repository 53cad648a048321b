//! `cargo run --release -p goyong-simulator --example simulate -- FOLDER PERSONS [MONTHS] [THREADS] [SEED] [FRAUD_RATE]`
//! plays a country into `FOLDER/landing` and `FOLDER/truth` and prints what it wrote.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use goyong_simulator::{SimulationConfig, simulate};
use goyong_types::Month;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |position: usize, default: u64| match arguments.get(position) {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let folder = PathBuf::from(arguments.first().map_or("simulated", String::as_str));
    let config = SimulationConfig {
        persons: number(1, 10_000)?,
        months: number(2, 24)? as u32,
        threads: number(3, 2)? as usize,
        fraud_rate: match arguments.get(5) {
            Some(text) => text.parse()?,
            None => 1.0,
        },
        survey_one_in: 40,
        seed: number(4, 20_240_801)?,
        start: Month::new(2024, 1)?,
        landing: folder.join("landing"),
        truth: folder.join("truth"),
    };
    let started = Instant::now();
    let summary = simulate(&config, &|_| {})?;
    println!(
        "{} persons, {} deliveries, {} rows, {} MB in {:.1} s",
        summary.persons,
        summary.deliveries,
        summary.rows,
        summary.bytes / 1_000_000,
        started.elapsed().as_secs_f64()
    );
    for (source, rows) in &summary.rows_by_source {
        println!("{rows:>12}  {source}");
    }
    println!("{:>12}  frauds in the truth", summary.frauds);
    Ok(())
}
