//! The battery over a whole night: intake with its vault, archive and audit chain, build, publication, pages. For every
//! durable operation the process ends there; the next night ends as one that nothing happened to. With the tables in a
//! folder and in an object store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::object_store::set_lake;
use super::{
    Draws, OTHER_FAULTS, SMALL_NIGHT, at_every_operation, copy_folder, damaged, delivered_project,
    faults, repetitions, state, text, try_all, walks_everything, with_fault,
};
use crate::s3_server::SECRET_ACCESS_KEY;
use crate::support::{files, goyong_ok, query};

const NIGHT: [&str; 4] = ["-q", "--threads", "2", "night"];

fn night(project: &Path) {
    goyong_ok(&[&["--dir", text(project)], &NIGHT[..]].concat());
}

/// What must not depend on how often a night was interrupted.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    tables_and_releases: String,
    deliveries: Vec<Vec<String>>,
    /// Names of the encrypted originals, of what waits in the inbox, of the vault's files.
    kept: Vec<PathBuf>,
    pages: BTreeMap<PathBuf, u64>,
}

fn ended(project: &Path) -> Ended {
    let warehouse = project.join("warehouse");
    let deliveries = "select delivery_id, status, rows_delivered, rows_accepted, rows_quarantined, rows_rejected \
        from ops.deliveries order by delivery_id";
    let kept = ["archive", "landing", "vault"]
        .iter()
        .flat_map(|folder| files(&warehouse.join(folder)))
        .map(|path| path.strip_prefix(&warehouse).unwrap().to_owned())
        .collect();
    let site = warehouse.join("site");
    let pages = files(&site)
        .into_iter()
        .map(|path| {
            let bytes = std::fs::metadata(&path).unwrap().len();
            (path.strip_prefix(&site).unwrap().to_owned(), bytes)
        })
        // These tell of every night, also of the one that died.
        .filter(|(page, _)| !page.starts_with("ops"))
        .collect();
    Ended {
        tables_and_releases: state(project),
        deliveries: query(project, deliveries),
        kept,
        pages,
    }
}

/// Where the tables of a night lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lake {
    Folder,
    Store,
}

/// Whether the night got as far as the fault.
fn survive(fault: &str, at: u64, delivered: &Path, clean: &Ended, lake: Lake) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    copy_folder(delivered, &project);
    if lake == Lake::Store {
        set_lake(&project);
    }
    let first = with_fault(&project, &NIGHT, &format!("{fault}@{at}"));
    night(&project);
    let (named, code) = damaged(&project);
    assert!(named.is_empty() && code == 0, "{fault}@{at}: {named:?}");
    assert_eq!(&ended(&project), clean, "{fault}@{at}");
    let shown = String::from_utf8_lossy(&first.stderr);
    assert!(!shown.contains(SECRET_ACCESS_KEY), "{shown}");
    goyong_ok(&["--dir", text(&project), "-q", "audit", "verify"]);
    !first.status.success()
}

#[test]
fn night_that_dies_at_any_durable_operation_is_completed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let delivered = delivered_project(folder.path());
    let untouched = folder.path().join("untouched");
    copy_folder(&delivered, &untouched);
    night(&untouched);
    let clean = ended(&untouched);
    assert!(
        clean.deliveries.len() == SMALL_NIGHT.len()
            && clean.kept.len() > 4
            && clean.pages.len() > 20
    );

    let length = at_every_operation(|at| survive("die", at, &delivered, &clean, Lake::Folder));
    println!("durable operations of the night: {length}");
    assert!(length > 100, "{length}");

    let mut draws = Draws::seeded();
    let drawn = repetitions("GOYONG_FAULTS", 16);
    let cases = faults(&OTHER_FAULTS, length, drawn, &mut draws);
    try_all(cases, |(fault, at)| {
        survive(fault, at, &delivered, &clean, Lake::Folder);
    });
}

/// Durable operations of the small night that there are at least when its tables lie in an object store.
const OPERATIONS_IN_A_STORE: u64 = 76;

#[test]
fn night_in_an_object_store_that_fails_at_any_operation_is_completed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let delivered = delivered_project(folder.path());
    let untouched = folder.path().join("untouched");
    copy_folder(&delivered, &untouched);
    set_lake(&untouched);
    night(&untouched);
    let clean = ended(&untouched);
    // Wherever the tables lie, the night is the same.
    let local = folder.path().join("local");
    copy_folder(&delivered, &local);
    night(&local);
    assert_eq!(clean, ended(&local));

    let survives = |fault: &str, at: u64| survive(fault, at, &delivered, &clean, Lake::Store);
    let (kinds, length) = match walks_everything() {
        true => {
            let length = at_every_operation(|at| survives("die", at));
            println!("durable operations of the night in the object store: {length}");
            (&OTHER_FAULTS[..], length)
        }
        false => (&["die", "lost", "fail", "full"][..], OPERATIONS_IN_A_STORE),
    };
    let mut draws = Draws::seeded();
    let drawn = repetitions("GOYONG_FAULTS_S3", 6);
    try_all(faults(kinds, length, drawn, &mut draws), |(fault, at)| {
        survives(fault, at);
    });
}
