//! Durable steps that do nothing: what the scheduler itself costs, for `tests/bench/scheduler.py`.
//!
//! `no_op_steps chained|parallel STEPS LEDGER` runs a plan of so many steps, or goes on with the run that a process
//! before left in the ledger, and prints how many steps it began and how long that took.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use goyong_scheduler::{
    DEFAULT_POOL, Ledger, Location, Options, Plan, RunEnd, Scheduler, State, StepContext, StepDone,
    StepError, StepRunner, SystemClock, new_holder,
};
use tokio::sync::watch;

/// Steps of a parallel plan that may be under way at once.
const PLACES: usize = 16;
/// The shortest that the program allows; a run is taken over after it.
const LEASE: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
struct NoOp {
    begun: AtomicUsize,
}

#[async_trait]
impl StepRunner for NoOp {
    async fn run(&self, _: StepContext) -> Result<StepDone, StepError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(StepDone::default())
    }
}

fn plan(shape: &str, steps: usize) -> Result<Plan, Box<dyn std::error::Error>> {
    let mut text = String::new();
    for number in 0..steps {
        write!(
            text,
            "[[step]]\nname = \"s{number}\"\noutputs = [\"o{number}\"]\n"
        )?;
        if shape == "chained"
            && let Some(before) = number.checked_sub(1)
        {
            writeln!(text, "inputs = [\"o{before}\"]")?;
        }
    }
    Ok(Plan::parse("bench", "bench.toml", &text)?)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shape, steps, location] = arguments.as_slice() else {
        return Err("usage: no_op_steps chained|parallel STEPS LEDGER".into());
    };
    let plan = plan(shape, steps.parse()?)?;
    let location: Location = location.parse()?;
    let ledger = Arc::new(Ledger::open(&location).await?);
    // One occurrence, so that a process that comes later finds the run of the one before.
    let at = DateTime::<Utc>::UNIX_EPOCH;
    ledger
        .trigger(&plan, &[at], "trigger", "operations", Utc::now())
        .await?;
    let runner = Arc::new(NoOp::default());
    let options = Options {
        holder: new_holder(),
        lease: LEASE,
        poll: LEASE / 3,
        pools: BTreeMap::from([(DEFAULT_POOL.to_owned(), PLACES)]),
        most_runs: 1,
    };
    let scheduler = Scheduler::new(
        ledger,
        vec![plan],
        BTreeMap::new(),
        Arc::new(SystemClock),
        Arc::clone(&runner) as Arc<dyn StepRunner>,
        options,
        Arc::new(|_| {}),
    )?;
    let (_stop, stopped) = watch::channel(false);
    println!("ready");
    let end = loop {
        let started = Instant::now();
        if let Some(end) = scheduler.work_once(None, stopped.clone()).await? {
            let begun = runner.begun.load(Ordering::Relaxed);
            println!("steps {begun} seconds {}", started.elapsed().as_secs_f64());
            break end;
        }
        // The lease of a process that was killed has to run out first.
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    match end {
        RunEnd::Ended {
            state: State::Success,
            ..
        } => Ok(()),
        end => Err(format!("the run did not succeed: {end:?}").into()),
    }
}
