//! The crates may use each other only along the edges ARCHITECTURE.md draws.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// crate → the crates of ours it may name (dev-dependencies included).
const ALLOWED: &[(&str, &[&str])] = &[
    ("goyong-types", &[]),
    ("goyong-catalog", &["goyong-types"]),
    ("goyong-store", &["goyong-types"]),
    (
        "goyong-intake",
        &["goyong-types", "goyong-catalog", "goyong-store"],
    ),
    (
        "goyong-engine",
        &["goyong-types", "goyong-catalog", "goyong-store"],
    ),
    ("goyong-linkage", &["goyong-types"]),
    ("goyong-learn", &["goyong-types"]),
    ("goyong-scheduler", &[]),
    ("goyong-disclosure", &["goyong-types"]),
    ("goyong-site", &["goyong-types", "goyong-disclosure"]),
    ("goyong-simulator", &["goyong-types"]),
    (
        "goyong-nightly",
        &[
            "goyong-types",
            "goyong-catalog",
            "goyong-store",
            "goyong-intake",
            "goyong-engine",
            "goyong-linkage",
            "goyong-learn",
            "goyong-scheduler",
            "goyong-site",
        ],
    ),
    (
        "goyong",
        &["goyong-types", "goyong-nightly", "goyong-simulator"],
    ),
];

/// (library, the only crates of ours that may name it).
const RESERVED: &[(&str, &[&str])] = &[
    ("datafusion", &["goyong-engine"]),
    ("deltalake-core", &["goyong-store"]),
    ("sqlx", &["goyong-store", "goyong-scheduler"]),
    ("tokio-postgres", &["goyong-scheduler"]),
    ("lettre", &["goyong-nightly"]),
    ("hyper", &["goyong-nightly"]),
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn crates_depend_only_along_the_drawn_edges() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ALLOWED
        .iter()
        .map(|(name, edges)| (*name, edges.iter().copied().collect()))
        .collect();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        seen.insert(name.to_owned());
        let edges = allowed.get(name).unwrap_or_else(|| {
            panic!("{name} is not in the layering, add it there with its edges")
        });
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency = dependency["name"].as_str().unwrap();
            if dependency.starts_with("goyong") {
                assert!(
                    edges.contains(dependency),
                    "{name} may not use {dependency}"
                );
            }
            for (library, users) in RESERVED {
                assert!(
                    dependency != *library || users.contains(&name),
                    "{name} may not name {library}, only {users:?} may"
                );
            }
        }
    }
    let listed: BTreeSet<String> = allowed.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen, listed, "crates and layering list differ");
}
