//! The corruption sweep: every file of a small warehouse is flipped, cut and removed in turn.

use std::path::{Path, PathBuf};

use super::{PUBLISH, copy_folder, damaged, published_project, state, text};
use crate::support::{digests, files, goyong};

const DAMAGES: [&str; 3] = ["flip", "truncate", "remove"];

fn damage(path: &Path, kind: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    match kind {
        "flip" => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }
        "truncate" => std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
        _ => std::fs::remove_file(path).unwrap(),
    }
}

/// Damages one file of a copy, looks at what is said and done about it, and answers how it ended.
fn sweep(pristine: &Path, file: &Path, kind: &str, expected: &str) -> &'static str {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().canonicalize().unwrap().join("shop");
    copy_folder(pristine, &project);
    let victim = project.join(file);
    damage(&victim, kind);
    let (named, code) = damaged(&project);
    assert_eq!(
        named,
        std::slice::from_ref(&victim),
        "{kind} {}",
        file.display()
    );
    assert_eq!(code, 1);

    let refused = goyong(&[&["--dir", text(&project)], &PUBLISH[..]].concat());
    assert_ne!(refused.status.code(), Some(0), "{kind} {}", file.display());

    let repaired = goyong(&["--dir", text(&project), "-q", "repair"]);
    let said = String::from_utf8_lossy(&repaired.stdout).into_owned()
        + &String::from_utf8_lossy(&repaired.stderr);
    let (left, _) = damaged(&project);
    match repaired.status.code() {
        Some(0) => {
            assert!(left.is_empty(), "{kind} {}: {said}", file.display());
            assert_eq!(
                rows_of(&state(&project)),
                rows_of(expected),
                "{kind} {}",
                file.display()
            );
            "restored"
        }
        Some(1) => {
            let name = victim.file_name().unwrap().to_str().unwrap();
            assert!(said.contains(name), "{kind} {}: {said}", file.display());
            assert!(
                said.contains("restore") || said.contains("releases publish"),
                "{said}"
            );
            "said what to do"
        }
        other => panic!("{kind} {}: {other:?} {said}", file.display()),
    }
}

/// Tables, rows and content hashes without the versions, which a repair may raise.
fn rows_of(state: &str) -> Vec<Vec<&str>> {
    state
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(' ').collect();
            match parts.len() {
                4 => vec![parts[0], parts[2], parts[3]],
                _ => parts,
            }
        })
        .collect()
}

#[test]
fn every_file_flipped_cut_or_removed_is_named_and_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let pristine = published_project(folder.path());
    let expected = state(&pristine);
    let before = digests(&pristine.join("warehouse/lake"));
    let lake = files(&pristine.join("warehouse/lake"));
    let copies = files(&pristine.join("warehouse/state/copies"));
    let cases: Vec<(PathBuf, &str)> = lake
        .iter()
        .chain(&copies)
        .chain([&pristine.join("warehouse/state/goyong.db")])
        .flat_map(|path| {
            let below = path.strip_prefix(&pristine).unwrap().to_path_buf();
            DAMAGES.map(|kind| (below.clone(), kind))
        })
        // A flipped bit in a database may lie where nothing is stored: there the logical content is what counts.
        .filter(|(path, kind)| !(path.ends_with("goyong.db") && *kind == "flip"))
        .collect();
    assert!(lake.len() > 15, "{lake:?}");
    let waiting = std::sync::Mutex::new(cases.iter());
    let ended = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let case = waiting.lock().unwrap().next();
                    let Some((file, kind)) = case else { break };
                    let how = sweep(&pristine, file, kind, &expected);
                    ended.lock().unwrap().push((file, *kind, how));
                }
            });
        }
    });
    let ended = ended.into_inner().unwrap();
    assert_eq!(ended.len(), cases.len());
    let logs = |file: &Path| {
        file.components()
            .any(|part| part.as_os_str() == "_delta_log")
    };
    let restored = |(_, _, how): &&(&PathBuf, &str, &str)| *how == "restored";
    println!(
        "{} of {} damages restored",
        ended.iter().filter(restored).count(),
        ended.len()
    );
    for (file, kind, how) in &ended {
        if logs(file) || file.starts_with("warehouse/state") {
            assert_eq!(*how, "restored", "{kind} {}", file.display());
        }
    }
    assert_eq!(digests(&pristine.join("warehouse/lake")), before);
}
