//! Workers that are processes: one is stopped past its lease, another takes its run over, the first goes on.
//!
//! This program is its own worker, so it has no test harness: it prints one line per scenario and fails with a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../src/tests/places.rs"]
mod places;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use goyong_scheduler::{
    Event, Options, Plan, RunEnd, Scheduler, State, StepAccount, StepContext, StepDone, StepError,
    StepRunner, SystemClock,
};
// The places name them as their crate's.
pub use goyong_scheduler::{Ledger, Location};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use places::Place;

const LEASE: Duration = Duration::from_secs(3);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let [_, command, location, holder] = arguments.as_slice()
        && command == "worker"
    {
        runtime.block_on(work(location, holder));
        return;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        println!("a_worker_stopped_past_its_lease_commits_nothing: test");
        return;
    }
    for (name, place) in [("sqlite", Place::sqlite()), ("postgres", Place::postgres())] {
        runtime.block_on(a_worker_stopped_past_its_lease_commits_nothing(&place));
        println!("test {name}::a_worker_stopped_past_its_lease_commits_nothing ... ok");
    }
    println!("2 passed, 0 failed");
}

fn plan() -> Plan {
    Plan::parse("night", "night.toml", "[[step]]\nname = \"only\"\n").unwrap()
}

async fn a_worker_stopped_past_its_lease_commits_nothing(place: &Place) {
    let ledger = place.ledger().await;
    let due = "2026-06-01T17:30:00Z".parse().unwrap();
    let run = ledger
        .trigger(&plan(), &[due], "trigger", "operations", due)
        .await
        .unwrap()
        .remove(0)
        .run_id;

    let mut first = Worker::start(place, "first");
    assert_eq!(first.said(), "started");
    first.signal(Signal::SIGSTOP);

    // Begins only when the first one's lease has expired.
    let mut second = Worker::start(place, "second");
    assert_eq!(second.said(), "started");
    second.go_on();
    assert_eq!(second.said(), "committed");
    assert_eq!(second.said(), "ended success");

    first.go_on();
    first.signal(Signal::SIGCONT);
    // Its heartbeat and its commit meet the newer token in either order.
    let mut said = [first.said(), first.said()];
    said.sort();
    assert_eq!(said[0], "lost");
    assert!(said[1].starts_with("refused: run night-"), "{said:?}");

    let row = ledger.run(&run).await.unwrap();
    assert_eq!((row.state, row.attempt), (State::Success, 2));
    assert_eq!(row.lease.unwrap().0, "second");
    let steps = ledger.steps(&run).await.unwrap();
    assert_eq!((steps[0].state, steps[0].attempt), (State::Success, 2));
}

struct Worker {
    process: Child,
    says: std::io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(place: &Place, holder: &str) -> Self {
        let location = match &place.location {
            Location::Sqlite(path) => path.display().to_string(),
            Location::Postgres(text) => text.clone(),
        };
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["worker", &location, holder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, says }
    }

    fn said(&mut self) -> String {
        self.says.next().expect("the worker ended").unwrap()
    }

    fn go_on(&mut self) {
        writeln!(self.process.stdin.as_mut().unwrap(), "go on").unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id() as i32), signal).unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Waits for a word, then commits a row of its own under the lease.
#[derive(Debug)]
struct Commits(Arc<Ledger>);

#[async_trait]
impl StepRunner for Commits {
    async fn run(&self, context: StepContext) -> Result<StepDone, StepError> {
        println!("started");
        // Goes on when its step is ended, as a commit does that is on its way to a disk already.
        tokio::spawn(commit_late(Arc::clone(&self.0), context))
            .await
            .unwrap()
    }
}

async fn commit_late(ledger: Arc<Ledger>, context: StepContext) -> Result<StepDone, StepError> {
    let word = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
    word.await.unwrap().unwrap().unwrap();
    let mut transaction = match ledger.begin_verified(&context.lease).await {
        Ok(transaction) => transaction,
        Err(error) => {
            println!("refused: {error}");
            return Err(StepError::Final {
                reason: "refused",
                message: error.to_string(),
                account: StepAccount::default(),
            });
        }
    };
    transaction
        .execute("create table commits (run_id text primary key)", &[])
        .await
        .unwrap();
    transaction
        .execute(
            "insert into commits (run_id) values ($1)",
            &[(&context.lease.run_id).into()],
        )
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    println!("committed");
    Ok(StepDone::default())
}

async fn work(location: &str, holder: &str) {
    let ledger = Arc::new(Ledger::open(&location.parse().unwrap()).await.unwrap());
    let listener = |event: &Event| {
        if let Event::RunEnded { end, .. } = event {
            match end {
                RunEnd::Ended { state, .. } => println!("ended {}", state.word()),
                RunEnd::LeaseLost => println!("lost"),
                RunEnd::GivenBack => println!("given back"),
            }
        }
    };
    let options = Options {
        holder: holder.to_owned(),
        lease: LEASE,
        poll: Duration::from_millis(500),
        pools: BTreeMap::from([("default".to_owned(), 1)]),
        most_runs: 1,
    };
    let scheduler = Scheduler::new(
        Arc::clone(&ledger),
        vec![plan()],
        BTreeMap::new(),
        Arc::new(SystemClock),
        Arc::new(Commits(ledger)),
        options,
        Arc::new(listener),
    )
    .unwrap();
    let stop = tokio::sync::watch::Sender::new(false);
    scheduler.run(stop.subscribe()).await.unwrap();
}
