//! The real program on the real system: the order of its system calls, a full disk, kills at random moments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{
    Draws, copy_folder, damaged, delivered_project, repetitions, simulated_country, small_project,
    text,
};
use crate::support::{goyong_ok, query, query_one};

/// A system call with a path in it, as `strace -y` shows it.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Create(PathBuf),
    Sync(PathBuf),
    /// The new name.
    Name(PathBuf),
    /// A write to the state database's log: what follows a commit is acknowledged there.
    Ledger,
}

fn parse(call: &str) -> Option<Call> {
    let descriptor = || {
        let (_, rest) = call.split_once('<')?;
        Some(PathBuf::from(rest.split_once('>')?.0))
    };
    let last_quoted = || {
        let mut parts = call.rsplit('"');
        parts.next()?;
        Some(PathBuf::from(parts.next()?))
    };
    if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
        return descriptor().map(Call::Sync);
    }
    if call.starts_with("link") || call.starts_with("rename") {
        return last_quoted().map(Call::Name);
    }
    if call.starts_with("openat(") && call.contains("O_CREAT") && call.contains("O_EXCL") {
        let path = call.split('"').nth(1).map(PathBuf::from);
        return path.map(Call::Create);
    }
    let is_write = call.starts_with("pwrite64(") || call.starts_with("write(");
    let of_ledger = descriptor().is_some_and(|path| path.ends_with("state/goyong.db-wal"));
    (is_write && of_ledger).then_some(Call::Ledger)
}

#[test]
fn nothing_is_acknowledged_before_file_and_directory_are_synced() {
    let folder = tempfile::tempdir().unwrap();
    let project = small_project(&folder.path().canonicalize().unwrap());
    let trace = folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-s", "0", "-o", text(&trace), "-e"])
        .arg("trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2,openat,pwrite64,write")
        .arg(env!("CARGO_BIN_EXE_goyong"))
        // One table at a time: then what is written to the ledger belongs to the commit before it.
        .args(["--dir", text(&project), "-q", "--threads", "1"])
        .args(["build", "--as-of", super::AS_OF])
        .stdout(Stdio::null())
        .status();
    let status = status.expect("strace is needed to see system calls: tests/setup.sh installs it");
    assert!(status.success());
    let trace = std::fs::read_to_string(&trace).unwrap();

    let (mut unsynced, mut synced) = (BTreeSet::new(), BTreeSet::new());
    let (mut commits, mut acknowledged, mut awaited) = (0, 0, None::<PathBuf>);
    for call in calls(&trace) {
        match call {
            Call::Create(path) => {
                let name = path.file_name().unwrap().to_string_lossy();
                if name.ends_with(".parquet") || name.contains('#') {
                    synced.remove(path.parent().unwrap());
                    unsynced.insert(path.clone());
                }
            }
            Call::Sync(path) => {
                if awaited.as_ref() == Some(&path) {
                    awaited = None;
                }
                unsynced.remove(&path);
                synced.insert(path);
            }
            Call::Name(path) => {
                let Some(log) = path.parent().filter(|log| log.ends_with("_delta_log")) else {
                    continue;
                };
                let table = log.parent().unwrap();
                let early: Vec<_> = unsynced
                    .iter()
                    .filter(|path| path.starts_with(table))
                    .collect();
                assert!(early.is_empty(), "{} names {early:?}", path.display());
                assert!(synced.contains(table), "{} is not synced", table.display());
                commits += 1;
                awaited = Some(log.to_path_buf());
            }
            Call::Ledger => {
                assert_eq!(
                    awaited, None,
                    "the ledger knew before the directory was synced"
                );
                acknowledged += 1;
            }
        }
    }
    assert!(commits > 5 && acknowledged > 5, "{commits} {acknowledged}");
    assert_eq!(awaited, None, "never synced");
}

/// The calls in the order in which they took effect: a sync when it returned, anything else when it began.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut running: BTreeMap<&str, Call> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if call.starts_with("<... ") {
            calls.extend(running.remove(thread));
            continue;
        }
        match parse(call) {
            Some(sync @ Call::Sync(_)) if call.ends_with("<unfinished ...>") => {
                running.insert(thread, sync);
            }
            other => calls.extend(other),
        }
    }
    calls
}

/// A file system of a few megabytes, in a mount namespace of its own.
#[test]
fn full_disk_fails_cleanly_and_the_next_run_with_space_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let project = small_project(folder.path());
    let mount = folder.path().join("mount");
    std::fs::create_dir(&mount).unwrap();
    // The rest of the disk is filled, so that the build meets its end somewhere in the middle.
    let script = r#"
        set -eu
        mount -t tmpfs -o size=24m tmpfs "$MOUNT"
        cp -a "$PROJECT" "$MOUNT/shop"
        for free in 32 96 160 256 400 640; do
            rm -f "$MOUNT/filler"
            free_now=$(df -k --output=avail "$MOUNT" | tail -1)
            dd if=/dev/zero of="$MOUNT/filler" bs=1k count=$((free_now - free)) status=none
            set +e
            "$GOYONG" --dir "$MOUNT/shop" -q --threads 2 build --as-of 2018-04-09 >/dev/null 2>"$MOUNT/../said.$free"
            code=$?
            set -e
            echo "free $free code $code"
        done
        rm -f "$MOUNT/filler"
        "$GOYONG" --dir "$MOUNT/shop" -q verify >/dev/null && echo sound
        "$GOYONG" --dir "$MOUNT/shop" -q build --as-of 2018-04-09 >/dev/null && echo built
        "$GOYONG" --dir "$MOUNT/shop" -q releases publish --as-of 2018-04-09 --reason t --account t && echo published
        "$GOYONG" --dir "$MOUNT/shop" -q releases show --format csv | cut -d, -f1,3,5 > "$MOUNT/../state"
    "#;
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .env("MOUNT", &mount)
        .env("PROJECT", &project)
        .env("GOYONG", env!("CARGO_BIN_EXE_goyong"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{failed}");
    for word in ["sound", "built", "published"] {
        assert!(said.lines().any(|line| line == word), "{said}\n{failed}");
    }
    let full: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("free") && !line.ends_with("code 0"))
        .collect();
    assert!(full.len() > 1, "the disk was never full: {said}");
    assert!(full.iter().all(|line| line.ends_with("code 2")), "{said}");
    for line in full {
        let free = line.split(' ').nth(1).unwrap();
        let message = std::fs::read_to_string(folder.path().join(format!("said.{free}"))).unwrap();
        assert!(
            message.contains("No space left") || message.contains("full"),
            "{message}"
        );
    }
    let clean = super::published_project(&folder.path().join("clean"));
    let shown = goyong_ok(&[
        "--dir",
        text(&clean),
        "-q",
        "releases",
        "show",
        "--format",
        "csv",
    ]);
    let expected: Vec<String> = shown
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            [parts[0], parts[2], parts[4]].join(",")
        })
        .collect();
    let state = std::fs::read_to_string(folder.path().join("state")).unwrap();
    assert_eq!(state.lines().collect::<Vec<_>>(), expected);
}

/// Tables, rows and content hashes of the current release.
fn hashes(project: &Path) -> Vec<String> {
    let dir = text(project);
    let shown = goyong_ok(&["--dir", dir, "-q", "releases", "show", "--format", "csv"]);
    csv::Reader::from_reader(shown.as_bytes())
        .records()
        .map(|record| {
            let record = record.unwrap();
            [&record[0], &record[2], &record[4]].join(" ")
        })
        .collect()
}

/// A whole night, killed again and again at random moments; what was done stays done, so it ends at last.
fn survives_kills(origin: &Path, kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let clean = folder.path().join("clean");
    copy_folder(origin, &clean);
    let started = Instant::now();
    goyong_ok(&["--dir", text(&clean), "-q", "--threads", "2", "night"]);
    let length = started.elapsed();

    let killed = folder.path().join("killed");
    copy_folder(origin, &killed);
    let mut draws = Draws::seeded();
    let mut died = 0;
    while died < kills {
        let mut night = Command::new(env!("CARGO_BIN_EXE_goyong"))
            .args(["--dir", text(&killed), "-q", "--threads", "2", "night"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = Duration::from_millis(draws.below(length.as_millis() as u64 / 2 + 1));
        let deadline = Instant::now() + moment;
        let ended = loop {
            if let Some(status) = night.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() >= deadline {
                break None;
            }
            std::thread::yield_now();
        };
        match ended {
            Some(status) => {
                assert!(status.success(), "after {died} kills");
                // It ended before its time came: begin anew, so that every kill meets work.
                std::fs::remove_dir_all(&killed).unwrap();
                copy_folder(origin, &killed);
            }
            None => {
                night.kill().unwrap();
                night.wait().unwrap();
                died += 1;
            }
        }
    }
    let (named, code) = damaged(&killed);
    assert!(named.is_empty() && code == 0, "{named:?}");
    goyong_ok(&["--dir", text(&killed), "-q", "--threads", "2", "night"]);
    assert_eq!(hashes(&killed), hashes(&clean));
    let unbalanced = "select count(*) from ops.deliveries \
        where rows_delivered <> rows_accepted + rows_quarantined + rows_rejected";
    assert_eq!(query_one(&killed, unbalanced), "0");
    let deliveries = "select count(*) from ops.deliveries";
    assert_eq!(query(&killed, deliveries), query(&clean, deliveries));
    let (named, code) = damaged(&killed);
    assert!(named.is_empty() && code == 0, "{named:?}");
}

#[test]
fn small_night_killed_a_hundred_times_ends_with_the_tables_of_a_clean_one() {
    let folder = tempfile::tempdir().unwrap();
    let origin = delivered_project(folder.path());
    survives_kills(&origin, repetitions("GOYONG_SIGKILLS", 100));
}

#[test]
fn night_of_every_model_killed_at_random_moments_ends_with_the_tables_of_a_clean_one() {
    let folder = tempfile::tempdir().unwrap();
    let country = simulated_country(folder.path(), 2);
    survives_kills(&country, repetitions("GOYONG_SIGKILLS", 100) / 10);
}
