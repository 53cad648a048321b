//! Builds on a scheduler and two executors, processes of the compiled binary on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use crate::crash::{Bucket, set_lake};
use crate::s3_server::{S3Server, SECRET_ACCESS_KEY};
use crate::support::{digests, files, goyong, goyong_ok};

/// Variables of an environment.
type Variables = BTreeMap<String, String>;

/// A node that said it is ready; killed when it goes out of scope.
struct Node {
    process: Child,
    said: String,
    output: BufReader<ChildStdout>,
}

impl Node {
    /// With variables of the environment.
    fn start(variables: &Variables, folder: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_goyong"))
            .args(["--dir", text(folder), "cluster"])
            .args(arguments)
            .env("NO_COLOR", "1")
            .envs(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        if said.is_empty() {
            let mut problem = String::new();
            let mut stderr = process.stderr.take().unwrap();
            stderr.read_to_string(&mut problem).unwrap();
            panic!("{arguments:?} did not start: {problem}");
        }
        Self {
            process,
            said,
            output,
        }
    }

    fn scheduler(folder: &Path) -> (Self, String) {
        Self::scheduler_with(&BTreeMap::new(), folder)
    }

    fn scheduler_with(variables: &Variables, folder: &Path) -> (Self, String) {
        let node = Self::start(variables, folder, &["scheduler", "--port", "0"]);
        let address = node.said.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(
            address.starts_with("ballista://127.0.0.1:"),
            "{}",
            node.said
        );
        (node, address)
    }

    fn executor(folder: &Path, scheduler: &str, work: &Path) -> Self {
        Self::executor_with(&BTreeMap::new(), folder, scheduler, work)
    }

    fn executor_with(variables: &Variables, folder: &Path, scheduler: &str, work: &Path) -> Self {
        let node = Self::start(
            variables,
            folder,
            &[
                "--threads",
                "1",
                "executor",
                "--scheduler",
                scheduler,
                "--work-dir",
                text(work),
                "--memory-limit-mib",
                "512",
            ],
        );
        assert!(node.said.starts_with("executor ready at 127.0.0.1:"));
        node
    }

    /// Ends as an operator would have it end; the exit code and what it said last.
    fn terminate(mut self) -> (Option<i32>, String) {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success());
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        (self.process.wait().unwrap().code(), said)
    }

    /// Ends an executor; the tasks it computed.
    fn computed(self) -> u64 {
        let (code, said) = self.terminate();
        assert_eq!(code, Some(0));
        let tasks = said.trim().strip_prefix("executor ended after ").unwrap();
        tasks.strip_suffix(" tasks").unwrap().parse().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn command(folder: &Path, engine: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goyong"));
    command
        .args(["--dir", text(folder), "--threads", "2"])
        .args(arguments)
        .env("GOYONG_ENGINE", engine)
        .env("NO_COLOR", "1")
        .envs(S3Server::variables_if_started());
    command
}

fn run(folder: &Path, engine: &str, arguments: &[&str]) -> Output {
    command(folder, engine, arguments).output().unwrap()
}

fn run_ok(folder: &Path, engine: &str, arguments: &[&str]) -> String {
    let output = run(folder, engine, arguments);
    assert!(
        output.status.success(),
        "{arguments:?} on {engine}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A small country whose deliveries are ingested and not built.
fn ingested(folder: &Path) {
    goyong_ok(&["--dir", text(folder), "init"]);
    simulate_and_ingest(folder, ["2000", "6"]);
}

fn simulate_and_ingest(folder: &Path, [persons, months]: [&str; 2]) {
    let dir = ["--dir", text(folder)];
    let simulate = [
        "simulate",
        "--seed",
        "11",
        "--persons",
        persons,
        "--months",
        months,
    ];
    goyong_ok(&[&dir[..], &simulate].concat());
    goyong_ok(&[&dir[..], &["ingest"]].concat());
}

#[test]
fn a_cluster_reads_an_object_store_with_credentials_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("project");
    let all = S3Server::shared().variables();
    goyong_ok(&["--dir", text(&folder), "init"]);
    let lake = set_lake(&folder);
    simulate_and_ingest(&folder, ["600", "2"]);

    // The nodes have files, the client has variables.
    let mut by_file = all.clone();
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let file = place.path().join(name);
        std::fs::write(&file, by_file.remove(name).unwrap()).unwrap();
        by_file.insert(format!("{name}_FILE"), text(&file).to_owned());
    }
    let (scheduler, address) = Node::scheduler_with(&by_file, &folder);
    let build = ["build", "-s", "+coverage_month", "--format", "csv"];

    // An executor with a key of its own that is wrong reads nothing: the client's does not come with the plan.
    let mut wrong = all;
    wrong.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "another".to_owned());
    let locked_out = Node::executor_with(&wrong, &folder, &address, &place.path().join("wrong"));
    let failed = run(&folder, &address, &build);
    assert_eq!(failed.status.code(), Some(1));
    let said = [failed.stdout, failed.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("FAILED") && said.contains("403"), "{said}");
    assert!(!said.contains(SECRET_ACCESS_KEY), "{said}");
    drop(locked_out);

    let executor = Node::executor_with(&by_file, &folder, &address, &place.path().join("work"));
    let there = tables(&run_ok(&folder, &address, &build));
    assert!(
        there.iter().all(|(_, outcome, _)| outcome != "FAILED"),
        "{there:?}"
    );
    let on_cluster = there
        .iter()
        .filter(|table| table.2.ends_with("ran on cluster"));
    assert!(on_cluster.count() > 5, "{there:?}");
    let bucket = Bucket::open();
    let of_models = || {
        let mut names = bucket.names(&lake);
        names.retain(|name| ["/seed/", "/ops/"].iter().all(|part| !name.contains(part)));
        names
    };
    let before = of_models();
    assert!(before.iter().any(|name| name.ends_with(".parquet")));
    // Computed again by one process every table comes out as it is: nothing is written.
    run_ok(
        &folder,
        "local",
        &[&build[..], &["--full-refresh"]].concat(),
    );
    assert_eq!(of_models(), before);
    assert!(executor.computed() > 0);
    assert_eq!(scheduler.terminate().0, Some(0));
}

/// What a build said of each table: name, outcome, reason.
fn tables(built: &str) -> Vec<(String, String, String)> {
    csv::Reader::from_reader(built.as_bytes())
        .records()
        .map(|row| {
            let row = row.unwrap();
            let last = row.len() - 1;
            (row[0].to_owned(), row[1].to_owned(), row[last].to_owned())
        })
        .collect()
}

#[test]
fn a_cluster_gives_the_same_tables_and_leaves_no_file() {
    let place = tempfile::tempdir().unwrap();
    let (folder, work) = (place.path().join("project"), place.path().join("work"));
    ingested(&folder);
    let (scheduler, address) = Node::scheduler(&folder);
    let stays = Node::executor(&folder, &address, &work);
    let killed = Node::executor(&folder, &address, &work);
    let there = tables(&run_ok(&folder, &address, &["build", "--format", "csv"]));
    let ran_there = |reason: &str| reason.ends_with("ran on cluster");
    let built = there
        .iter()
        .filter(|(table, outcome, _)| outcome == "built" && !table.starts_with("seed."));
    // What has no rows to read stays with the client.
    let (on_cluster, stayed): (Vec<_>, Vec<_>) = built.partition(|table| ran_there(&table.2));
    assert!(on_cluster.len() > 50, "{there:?}");
    assert!(stayed.len() * 10 < on_cluster.len(), "{stayed:?}");
    // Nested more deeply than messages may be.
    let is_there = |table: &(String, String, String)| table.0 == "core.employment_biography";
    assert!(on_cluster.iter().any(|table| is_there(table)), "{stayed:?}");

    // Computed again by one process, every table comes out as it is: nothing is written.
    let before = model_files(&folder);
    let here = run_ok(
        &folder,
        "local",
        &["build", "--full-refresh", "--format", "csv"],
    );
    assert!(!here.contains("ran on"), "{here}");
    let after = model_files(&folder);
    let differing: Vec<_> = after
        .iter()
        .filter(|(path, digest)| before.get(*path) != Some(*digest))
        .map(|(path, _)| path)
        .collect();
    assert!(differing.is_empty(), "{differing:?}");
    let names = |tables: &[(String, String, String)]| -> Vec<String> {
        tables.iter().map(|(table, ..)| table.clone()).collect()
    };
    assert_eq!(names(&there), names(&tables(&here)));

    // Files of finished queries are gone before the executors are. One that is killed leaves its folder to whoever
    // starts next beside it.
    drop(killed);
    let rows = files(&work).into_iter().filter(|path| is_shuffle(path));
    assert_eq!(rows.collect::<Vec<_>>(), Vec::<PathBuf>::new());
    assert_eq!(folders(&work), 2);
    let next = Node::executor(&folder, &address, &work);
    assert_eq!(folders(&work), 2);
    assert!(stays.computed() as usize > on_cluster.len());
    assert_eq!(next.computed(), 0, "nothing was built since it started");
    assert_eq!(scheduler.terminate().0, Some(0));
    assert_eq!(files(&work), Vec::<PathBuf>::new());
    assert_eq!(folders(&work), 0);
}

/// The files of models; seeds and records of builds may be written by every build.
fn model_files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = digests(&folder.join("warehouse/lake"));
    files.retain(|path, _| !path.starts_with("seed") && !path.starts_with("ops"));
    files
}

/// Whether a file of a work folder holds rows.
fn is_shuffle(path: &Path) -> bool {
    path.extension().is_none_or(|ending| ending != "lock")
}

fn folders(work: &Path) -> usize {
    let entries = std::fs::read_dir(work).unwrap();
    entries
        .filter(|entry| entry.as_ref().unwrap().path().is_dir())
        .count()
}

#[test]
fn an_executor_that_is_killed_in_the_middle_costs_no_row() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("project");
    ingested(&folder);
    run_ok(&folder, "local", &["build", "-s", "+coverage_month"]);
    let before = model_files(&folder);

    let (_scheduler, address) = Node::scheduler(&folder);
    let doomed_work = place.path().join("doomed");
    let mut doomed = Node::executor(&folder, &address, &doomed_work);
    let _other = Node::executor(&folder, &address, &place.path().join("other"));
    let mut build = command(
        &folder,
        &address,
        &["build", "-s", "+coverage_month", "--full-refresh"],
    )
    .stdout(Stdio::null())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    while build.try_wait().unwrap().is_none()
        && !files_that_may_vanish(&doomed_work)
            .iter()
            .any(|path| is_shuffle(path))
    {
        std::thread::yield_now();
    }
    assert!(
        build.try_wait().unwrap().is_none(),
        "the build was over first"
    );
    doomed.process.kill().unwrap();
    doomed.process.wait().unwrap();

    let mut said = String::new();
    build
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let code = build.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 1)), "{code:?} {said}");
    assert_eq!(before, model_files(&folder), "{said}");

    // With the executor that is left everything is built.
    run_ok(
        &folder,
        &address,
        &["build", "-s", "+coverage_month", "--full-refresh"],
    );
    assert_eq!(before, model_files(&folder));
}

/// Every file below a folder, while others remove some.
fn files_that_may_vanish(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            found.extend(files_that_may_vanish(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn an_executor_of_another_build_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("project");
    goyong_ok(&["--dir", text(&folder), "init"]);
    let (_scheduler, address) = Node::scheduler(&folder);

    let other = place.path().join("goyong");
    std::fs::copy(env!("CARGO_BIN_EXE_goyong"), &other).unwrap();
    let mut program = std::fs::OpenOptions::new()
        .append(true)
        .open(&other)
        .unwrap();
    program.write_all(b"\0").unwrap();
    drop(program);
    let refused = Command::new(&other)
        .args([
            "--dir",
            text(&folder),
            "cluster",
            "executor",
            "--scheduler",
            &address,
        ])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("does not work with build"), "{said}");
    assert_eq!(
        files(&folder.join("warehouse/state/cluster")),
        Vec::<PathBuf>::new()
    );
}

#[test]
fn an_engine_that_is_none_and_one_that_does_not_answer_are_told() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("project");
    goyong_ok(&["--dir", text(&folder), "init"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ballista://{}", free.local_addr().unwrap());
    drop(free);
    for (engine, expected) in [
        ("spark://127.0.0.1:7077", "the scheme `spark` is unknown"),
        ("lokal", "did you mean `local`?"),
        (nobody.as_str(), "no scheduler answers at"),
    ] {
        let output = run(&folder, engine, &["build", "--as-of", "2024-01-31"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{engine}: {said}");
        assert!(said.contains(expected), "{engine}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
    for arguments in [
        ["scheduler", "--bind", "0.0.0.0"],
        ["executor", "--bind", "0.0.0.0"],
    ] {
        let arguments = [&["--dir", text(&folder), "cluster"], &arguments[..]].concat();
        let output = goyong(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--insecure-network"), "{said}");
    }
}
