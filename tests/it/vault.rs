//! `goyong vault` and `goyong audit` from the command line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{goyong, goyong_ok};

const ACCESS: [&str; 6] = ["--account", "officer", "--purpose", "test", "--case", "1"];

fn vault(folder: &Path, command: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["--dir", folder.to_str().unwrap(), "vault", command];
    all.extend(arguments);
    let output = goyong(&all);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn look_up_without_case_is_refused_and_every_other_one_is_audited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    goyong_ok(&["--dir", path.to_str().unwrap(), "init"]);
    let (code, text) = vault(path, "look-up", &[&["--key", "-5"], &ACCESS[..4]].concat());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--case"), "{text}");
    let (code, text) = vault(path, "look-up", &[&["--key", "-5"], &ACCESS[..]].concat());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("knows nobody"), "{text}");
    let verified = goyong_ok(&["--dir", path.to_str().unwrap(), "audit", "verify"]);
    assert_eq!(verified, "1 entries checked, 0 problems\n");
    std::fs::write(path.join("warehouse/audit/chain.ndjson"), "").unwrap();
    let output = goyong(&["--dir", path.to_str().unwrap(), "audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn numbers_come_from_a_private_file_and_are_in_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    goyong_ok(&["--dir", path.to_str().unwrap(), "init"]);
    let numbers = path.join("numbers");
    std::fs::write(&numbers, "210103-3000001\n991332-1000001\n").unwrap();
    let file = numbers.to_str().unwrap();
    let forget = || {
        vault(
            path,
            "forget",
            &[&["--numbers", file], &ACCESS[..]].concat(),
        )
    };
    std::fs::set_permissions(&numbers, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, text) = forget();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("chmod 600"), "{text}");
    std::fs::set_permissions(&numbers, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (code, text) = forget();
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("line 2") && !text.contains("991332"),
        "{text}"
    );
    std::fs::write(&numbers, "210103-3000001\n").unwrap();
    let (code, text) = forget();
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("1 persons new on the list, 0 erased"),
        "{text}"
    );
    assert!(!text.contains("210103"), "{text}");
    let (code, text) = vault(path, "forget", &["--status", "--format", "csv"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn rotation_of_nothing_is_refused_and_of_everything_leaves_the_keys_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    goyong_ok(&["--dir", path.to_str().unwrap(), "init"]);
    let (code, text) = vault(path, "rotate", &ACCESS);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("nothing to rotate"), "{text}");
    let before = std::fs::read(path.join("keys/pepper.key")).unwrap();
    let all = ["--pepper", "--vault-key", "--new-archive-recipient"];
    let (code, text) = vault(path, "rotate", &[&all[..], &ACCESS[..]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert_ne!(std::fs::read(path.join("keys/pepper.key")).unwrap(), before);
    let kept = std::fs::read(path.join("keys/previous/pepper.key")).unwrap();
    assert_eq!(kept, before);
    let (code, text) = vault(
        path,
        "rotate",
        &[
            "--resume",
            "--account",
            "o",
            "--purpose",
            "t",
            "--case",
            "1",
        ],
    );
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("no rotation is unfinished"), "{text}");
}
