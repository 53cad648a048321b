//! Running the binary, and one small demo shared by the tests that only look at it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::s3_server::S3Server;

pub const SEED: &str = "7";
pub const PERSONS: &str = "10000";
pub const MONTHS: &str = "24";

/// Runs `goyong` with arguments.
pub fn goyong(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_goyong"))
        .args(arguments)
        .env_remove("GOYONG_DIR")
        .env("NO_COLOR", "1")
        .envs(S3Server::variables_if_started())
        .output()
        .unwrap()
}

/// Runs `goyong` and expects success; the error shows what it said.
pub fn goyong_ok(arguments: &[&str]) -> String {
    let output = goyong(arguments);
    assert!(
        output.status.success(),
        "goyong {arguments:?} ended with {:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The answer to a query as CSV rows without the header.
pub fn query(folder: &Path, sql: &str) -> Vec<Vec<String>> {
    let text = goyong_ok(&[
        "--dir",
        folder.to_str().unwrap(),
        "sql",
        "--format",
        "csv",
        sql,
    ]);
    csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// One value.
pub fn query_one(folder: &Path, sql: &str) -> String {
    let rows = query(folder, sql);
    assert_eq!(rows.len(), 1, "{sql}");
    rows[0][0].clone()
}

/// A folder with a finished demo, made once for this process with two threads.
pub fn demo() -> &'static Path {
    static DEMO: OnceLock<PathBuf> = OnceLock::new();
    DEMO.get_or_init(|| {
        // Removed by the operating system's own clean-up of its temporary folder, as it must
        // outlive every test of this process.
        let folder = tempfile::tempdir().unwrap().keep().join("demo");
        run_demo(&folder, "2");
        folder
    })
}

/// Runs a demo into a folder.
pub fn run_demo(folder: &Path, threads: &str) -> String {
    goyong_ok(&[
        "--dir",
        folder.to_str().unwrap(),
        "--threads",
        threads,
        "demo",
        "--seed",
        SEED,
        "--persons",
        PERSONS,
        "--months",
        MONTHS,
    ])
}

/// A project with deliveries that wait and a plan `night` of two steps that need no history, so that they take a
/// second. `head` is what stands before the steps.
pub fn planned_project(folder: &Path, head: &str) -> String {
    let project = folder.join("project");
    let dir = project.to_str().unwrap().to_owned();
    goyong_ok(&["--dir", &dir, "init", "--built-in-sql"]);
    let simulate = ["-q", "simulate", "--persons", "600", "--months", "2"];
    goyong_ok(&[&["--dir", &dir], simulate.as_slice()].concat());
    let plans = project.join("warehouse/jobs/plans");
    std::fs::create_dir_all(&plans).unwrap();
    let steps = r#"
[[step]]
name = "ingest_deliveries"
outputs = ["staging"]

[[step]]
name = "publish_release"
inputs = ["staging"]
"#;
    std::fs::write(plans.join("night.toml"), format!("{head}\n{steps}")).unwrap();
    dir
}

/// Gives a folder the keys of another project, so that their pseudonyms are the same.
pub fn copy_keys(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("keys")).unwrap();
    for path in files(&from.join("keys")) {
        std::fs::copy(&path, to.join("keys").join(path.file_name().unwrap())).unwrap();
    }
}

/// Digest of every file below a folder, by relative path.
pub fn digests(folder: &Path) -> BTreeMap<PathBuf, String> {
    files(folder)
        .into_iter()
        .map(|path| {
            let digest = Sha256::digest(std::fs::read(&path).unwrap());
            let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            (path.strip_prefix(folder).unwrap().to_path_buf(), hex)
        })
        .collect()
}

/// Every file below a folder, in path order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
