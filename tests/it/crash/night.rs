//! The battery over a whole night: intake with its vault, archive and audit chain, build, publication, pages. For every
//! durable operation the process ends there; the next night ends as one that nothing happened to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{
    Draws, OTHER_FAULTS, SMALL_NIGHT, at_every_operation, copy_folder, damaged, delivered_project,
    faults, repetitions, state, text, try_all, with_fault,
};
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

/// Whether the night got as far as the fault.
fn survive(fault: &str, at: u64, delivered: &Path, clean: &Ended) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    copy_folder(delivered, &project);
    let first = with_fault(&project, &NIGHT, &format!("{fault}@{at}"));
    night(&project);
    let (named, code) = damaged(&project);
    assert!(named.is_empty() && code == 0, "{fault}@{at}: {named:?}");
    assert_eq!(&ended(&project), clean, "{fault}@{at}");
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

    let length = at_every_operation(|at| survive("die", at, &delivered, &clean));
    println!("durable operations of the night: {length}");
    assert!(length > 100, "{length}");

    let mut draws = Draws::seeded();
    let drawn = repetitions("GOYONG_FAULTS", 16);
    let cases = faults(&OTHER_FAULTS, length, drawn, &mut draws);
    try_all(cases, |(fault, at)| {
        survive(fault, at, &delivered, &clean);
    });
}
