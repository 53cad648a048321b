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
    ("goyong-advert", &["goyong-types"]),
    ("goyong-learn", &["goyong-types"]),
    ("goyong-database", &[]),
    ("goyong-scheduler", &["goyong-database"]),
    ("goyong-cases", &["goyong-types", "goyong-database"]),
    ("goyong-disclosure", &["goyong-types"]),
    ("goyong-site", &["goyong-types", "goyong-disclosure"]),
    ("goyong-simulator", &["goyong-types"]),
    (
        "goyong-nightly",
        &[
            "goyong-types",
            "goyong-cases",
            "goyong-catalog",
            "goyong-store",
            "goyong-intake",
            "goyong-engine",
            "goyong-linkage",
            "goyong-advert",
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
    ("sqlx", &["goyong-store", "goyong-database"]),
    ("tokio-postgres", &["goyong-database"]),
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

/// All that `goyong-cases` may use: nothing that reaches a table, another system, a mail or a file of its own.
const OF_CASES: [&str; 10] = [
    "chrono",
    "goyong-database",
    "goyong-types",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    // of its tests
    "nix",
    "tempfile",
    "tokio",
];

#[test]
fn no_path_leads_from_a_case_to_a_payment() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let of = |name: &str| packages.iter().find(|package| package["name"] == name);
    for dependency in of("goyong-cases").unwrap()["dependencies"]
        .as_array()
        .unwrap()
    {
        let name = dependency["name"].as_str().unwrap();
        assert!(OF_CASES.contains(&name), "goyong-cases may not use {name}");
    }
    // Only the job that merges, what orders, the commands of officers, their letters, and what follows pseudonyms know
    // cases at all.
    let users = [
        "case_allegations.rs",
        "case_facts.rs",
        "case_members.rs",
        "case_notice.rs",
        "case_rules.rs",
        "case_scores.rs",
        "configuration.rs",
        "export_case.rs",
        "lib.rs",
        "merge_cases.rs",
        "mirror_cases.rs",
        // Takes the pseudonyms of officers from there, and nothing of a case.
        "override_score.rs",
        "rank_cases.rs",
        "render_cases.rs",
        "rotate_keys.rs",
        "trace_evidence.rs",
        "work_on_cases.rs",
    ];
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../nightly/src");
    let mut folders = vec![sources];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path)
                .unwrap()
                .contains("goyong_cases")
            {
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(users.contains(&name), "{name} may not name cases");
            }
        }
    }
    // Nothing but labels is computed from an outcome: no other model reads what the mirror wrote.
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql");
    for schema in ["core", "marts"] {
        for entry in std::fs::read_dir(models.join(schema)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for table in ["case_label", "case_event", "alerts.case"] {
                assert!(
                    !text.contains(table),
                    "{} may not read {table}",
                    path.display()
                );
            }
        }
    }
}
