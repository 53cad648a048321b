//! What a worker that another has taken over from still does to files that no token guards.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use goyong_store::{Fence, StoreError};

use crate::plan::NightContext;
use crate::project::of_store;
use crate::scheduled::StepVerdict;
use crate::step::StepStatus;
use crate::vault_tests::{contents, deliver, empty_project, files, nothing, number, open};
use crate::{NightOptions, ingest_deliveries};

/// A project with a month in its tables and another, of other persons, in its inbox.
async fn delivered_project(folder: &Path, keys: Option<&Path>) {
    empty_project(folder, keys).await;
    deliver(folder, &["202408"]).await;
    let mut text = "rrn,account,holder,won\n".to_owned();
    for person in 100..140 {
        text.push_str(&format!("{},account-{person},x,1000\n", number(person)));
    }
    let inbox = folder.join("warehouse/landing/pay");
    fs::create_dir_all(&inbox).unwrap();
    fs::write(inbox.join("pay_202409.csv"), text).unwrap();
}

fn fence(token: i64) -> Fence {
    Fence {
        run: "night-20241005T173000Z".to_owned(),
        token,
    }
}

/// Names of the files below some folders of the warehouse.
fn kept(project: &Path) -> BTreeSet<PathBuf> {
    let warehouse = project.join("warehouse");
    let below = ["archive", "landing"].map(|folder| files(&warehouse.join(folder)));
    let names = below.into_iter().flatten();
    names
        .map(|path| path.strip_prefix(&warehouse).unwrap().to_owned())
        .collect()
}

async fn persons(project: &Path) -> u64 {
    let project = open(project).await;
    let keys = project.keys().unwrap();
    project.vault(&keys).unwrap().persons()
}

/// The newer worker waits for the lock, so there is one writer at any time; what the older wrote late is what the newer
/// would write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vault_and_archive_that_a_paused_worker_writes_late_are_those_of_a_night_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let (clean, raced) = (folder.path().join("clean"), folder.path().join("raced"));
    delivered_project(&clean, None).await;
    delivered_project(&raced, Some(&clean.join("keys"))).await;
    let options = NightOptions::default();
    let step = "ingest_deliveries";
    let undisturbed = open(&clean).await;
    let done = undisturbed
        .run_step(step, &fence(1), &options, &nothing)
        .await;
    assert_eq!(done.unwrap().status, StepStatus::Done);

    // The older worker has the lock and is paused; a newer one takes the run over.
    let older = open(&raced).await;
    older.warehouse().raise_fence(&fence(1)).await.unwrap();
    let lock = older.lock_night().await.unwrap();
    let newer = open(&raced).await;
    let waiting = tokio::spawn(async move {
        let options = NightOptions::default();
        newer.run_step(step, &fence(2), &options, &nothing).await
    });
    while older.warehouse().raise_fence(&fence(1)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let before = (persons(&raced).await, kept(&raced).len());

    // It goes on: vault and archive are written, nothing is committed, the delivery stays in the inbox.
    let night = NightContext {
        project: &older,
        options: &options,
        events: &nothing,
    };
    let late = ingest_deliveries::run(&night).await.unwrap_err();
    assert!(of_store(&late).any(StoreError::is_fenced), "{late:#}");
    // The scheduler learns it as well.
    assert_eq!(StepVerdict::broken_off(&late).reason, "fenced");
    let after = (persons(&raced).await, kept(&raced).len());
    assert_eq!((after.0 - before.0, after.1 - before.1), (40, 1));
    let inbox = raced.join("warehouse/landing/pay/pay_202409.csv");
    assert!(inbox.is_file());
    assert!(!waiting.is_finished(), "it has no lock yet");

    drop(lock);
    let done = waiting.await.unwrap().unwrap();
    assert_eq!(done.status, StepStatus::Done, "{}", done.summary);
    assert_eq!(persons(&raced).await, persons(&clean).await);
    assert_eq!(kept(&raced), kept(&clean));
    assert_eq!(contents(&raced).await, contents(&clean).await);
    let verified = open(&raced).await.warehouse().verify(None).await.unwrap();
    assert_eq!(verified.problems, []);
}
