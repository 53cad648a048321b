//! What dies, tears, fills up or rots: the next run ends as a clean one, or says what to do.

mod backup;
mod battery;
mod night;
mod object_store;
mod releases;
mod sweep;
mod system;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use self::object_store::{Bucket, set_lake};

use crate::s3_server::S3Server;
use crate::support::{goyong, goyong_ok};

/// The business date of the small project.
pub(crate) const AS_OF: &str = "2018-04-09";

/// Builds that do nothing but hash, join and write a hundred rows: small, and every kind of durable operation.
pub(crate) fn small_project(folder: &Path) -> PathBuf {
    let project = folder.join("shop");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/jaffle_shop");
    copy_folder(&from, &project.join("sql"));
    goyong_ok(&["--dir", text(&project), "-q", "init"]);
    project
}

/// The same, built and published.
fn published_project(folder: &Path) -> PathBuf {
    let project = small_project(folder);
    build(&project);
    publish(&project);
    project
}

/// The sources of the small night.
const SMALL_NIGHT: [&str; 2] = ["nts_business_registration", "nts_wage_statement"];

/// The built-in project with the deliveries of a country of a few persons in its inbox.
fn simulated_country(folder: &Path, months: u32) -> PathBuf {
    let country = folder.join("country");
    let dir = text(&country);
    goyong_ok(&["--dir", dir, "-q", "init", "--built-in-sql"]);
    let months = months.to_string();
    let simulate = ["simulate", "--persons", "500", "--seed", "7", "--months"];
    goyong_ok(&[&["--dir", dir, "-q"], &simulate[..], &[&months]].concat());
    country
}

/// A project as small as a night with every step can be, with two deliveries in its inbox.
pub(crate) fn delivered_project(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let country = simulated_country(folder, 1);
    let project = folder.join("project");
    let sql = project.join("sql");
    copy_folder(&root.join("tests/data/small_night"), &sql);
    std::fs::create_dir(sql.join("sources")).unwrap();
    for source in SMALL_NIGHT {
        let contract = Path::new("sources").join(source).with_extension("yml");
        std::fs::copy(root.join("sql").join(&contract), sql.join(&contract)).unwrap();
    }
    goyong_ok(&["--dir", text(&project), "-q", "init"]);
    for source in SMALL_NIGHT {
        let inbox = Path::new("warehouse/landing").join(source);
        copy_folder(&country.join(&inbox), &project.join(&inbox));
    }
    project
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// With its empty folders.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

const BUILD: [&str; 6] = ["-q", "--threads", "2", "build", "--as-of", AS_OF];
const PUBLISH: [&str; 8] = [
    "-q",
    "releases",
    "publish",
    "--as-of",
    AS_OF,
    "--reason",
    "test",
    "--account=tester",
];

fn build(project: &Path) {
    goyong_ok(&[&["--dir", text(project)], &BUILD[..]].concat());
}

fn publish(project: &Path) {
    goyong_ok(&[&["--dir", text(project)], &PUBLISH[..]].concat());
}

/// Runs `goyong` with a fault.
fn with_fault(project: &Path, arguments: &[&str], fault: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", text(project)])
        .args(arguments)
        .env("GOYONG_FAULT", fault)
        .env("NO_COLOR", "1")
        .envs(S3Server::variables_if_started())
        .output()
        .unwrap()
}

/// Tables with versions, rows and content hashes of the current release, and the releases there are.
fn state(project: &Path) -> String {
    let dir = text(project);
    let shown = goyong_ok(&["--dir", dir, "-q", "releases", "show", "--format", "csv"]);
    let mut lines: Vec<String> = csv::Reader::from_reader(shown.as_bytes())
        .records()
        .map(|record| {
            let record = record.unwrap();
            // The commit's own digest holds the time it was made.
            [&record[0], &record[1], &record[2], &record[4]].join(" ")
        })
        .collect();
    let listed = goyong_ok(&["--dir", dir, "-q", "releases", "ls", "--format", "csv"]);
    let listed = csv::Reader::from_reader(listed.as_bytes())
        .records()
        .map(|record| {
            let record = record.unwrap();
            [&record[0], &record[1], &record[6]].join(" ")
        })
        .collect::<Vec<_>>();
    lines.extend(listed);
    lines.join("\n")
}

/// The files that `verify` names, and its exit code.
fn damaged(project: &Path) -> (Vec<PathBuf>, i32) {
    let output = goyong(&["--dir", text(project), "-q", "verify", "--format", "csv"]);
    let found = csv::Reader::from_reader(&output.stdout[..])
        .records()
        .map(|record| PathBuf::from(&record.unwrap()[1]))
        .collect();
    (found, output.status.code().unwrap_or(-1))
}

/// Has a run end at each of its durable operations in turn, two runs side by side, until one gets through. Answers how
/// many operations there are, plus one. What fails is told at the end, all together.
fn at_every_operation(is_reached: impl Fn(u64) -> bool + Sync) -> u64 {
    let next = AtomicU64::new(1);
    let length = AtomicU64::new(u64::MAX);
    let failed = Failed::default();
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            if at >= length.load(Ordering::SeqCst) || failed.are_too_many() {
                break;
            }
            let is_through = failed.guard(&format!("die@{at}"), || !is_reached(at));
            if is_through == Some(true) {
                length.fetch_min(at, Ordering::SeqCst);
            }
            tell_progress(at, None);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    failed.assert_none();
    length.into_inner()
}

/// Tries cases, two side by side. What fails is told at the end, all together.
fn try_all<Case: Send + Debug>(cases: Vec<Case>, attempt: impl Fn(Case) + Sync) {
    let total = cases.len() as u64;
    let waiting = Mutex::new((1..).zip(cases));
    let failed = Failed::default();
    let work = || {
        while !failed.are_too_many() {
            let case = waiting.lock().unwrap().next();
            let Some((number, case)) = case else { break };
            failed.guard(&format!("{case:?}"), || attempt(case));
            tell_progress(number, Some(total));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    failed.assert_none();
}

/// A long walk says how far it is.
fn tell_progress(number: u64, total: Option<u64>) {
    if walks_everything() && (number.is_multiple_of(20) || Some(number) == total) {
        match total {
            Some(total) => println!("{number} of {total} cases"),
            None => println!("died at {number} operations"),
        }
    }
}

/// Cases that failed; a walk goes on, unless everything does.
#[derive(Debug, Default)]
struct Failed(Mutex<Vec<String>>);

impl Failed {
    const TOO_MANY: usize = 20;

    fn guard<T>(&self, case: &str, attempt: impl FnOnce() -> T) -> Option<T> {
        let outcome = catch_unwind(AssertUnwindSafe(attempt));
        if outcome.is_err() {
            println!("{case} failed");
            self.0.lock().unwrap().push(case.to_owned());
        }
        outcome.ok()
    }

    fn are_too_many(&self) -> bool {
        self.0.lock().unwrap().len() >= Self::TOO_MANY
    }

    fn assert_none(self) {
        let failed = self.0.into_inner().unwrap();
        assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
    }
}

/// The faults other than dying.
const OTHER_FAULTS: [&str; 4] = ["fail", "lost", "full", "torn"];

/// A fault at an operation, for each of `faults` at each operation before `length` when everything is walked, else so
/// many that are drawn.
fn faults(
    faults: &[&'static str],
    length: u64,
    drawn: u64,
    draws: &mut Draws,
) -> Vec<(&'static str, u64)> {
    if walks_everything() {
        let at_each = |at| faults.iter().map(move |fault| (*fault, at));
        return (1..length).flat_map(at_each).collect();
    }
    (0..drawn)
        .map(|number| {
            let fault = faults[number as usize % faults.len()];
            (fault, draws.below(length - 1) + 1)
        })
        .collect()
}

/// `GOYONG_CRASH_WALK=all` tries every fault at every operation, which takes an hour or more, where otherwise some are
/// drawn.
fn walks_everything() -> bool {
    std::env::var("GOYONG_CRASH_WALK").is_ok_and(|value| value == "all")
}

/// How often something random is done; settable, so that a long run can be started by hand.
fn repetitions(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

/// SplitMix64, from a seed that is printed.
struct Draws(u64);

impl Draws {
    fn seeded() -> Self {
        let seed = repetitions("GOYONG_FAULT_SEED", 20_261_122);
        println!("GOYONG_FAULT_SEED={seed} (GOYONG_CRASH_WALK=all draws nothing, it tries all)");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}
