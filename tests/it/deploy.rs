//! `deploy/` as an operator would use it: units and manifests pass the tools that read them, examples are read by the
//! program, keys come as credentials.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::files;

/// What `systemd-analyze security` may find at most, in tenths.
const EXPOSURE: &str = "15";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, target).unwrap();
    }
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// The program with nothing of the machine's own configuration but what is named.
fn goyong(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let own = std::env::vars().filter(|(name, _)| name.starts_with("GOYONG_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_goyong"));
    for (name, _) in own {
        command.env_remove(name);
    }
    command
        .env_remove("CREDENTIALS_DIRECTORY")
        .env("NO_COLOR", "1")
        .envs(environment.iter().copied())
        .args(arguments)
        .output()
        .unwrap()
}

fn goyong_ok(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = goyong(environment, arguments);
    assert!(output.status.success(), "{arguments:?}\n{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn units_are_well_formed_and_hardened() {
    let folder = tempfile::tempdir().unwrap();
    copy(&deploy().join("systemd"), folder.path());
    // As installed where the tables lie in an object store.
    std::fs::rename(
        folder.path().join("object-store.conf"),
        folder.path().join("goyong-.service.d/object-store.conf"),
    )
    .unwrap();
    let mut units: Vec<String> = Vec::new();
    let mut services = 0;
    for path in files(folder.path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".service") {
            // The program of this build instead of the installed one, which need not be there.
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replace("/usr/bin/goyong", env!("CARGO_BIN_EXE_goyong"));
            std::fs::write(&path, text).unwrap();
            services += 1;
        }
        if name.ends_with(".service") || name.ends_with(".timer") {
            units.push(format!("./{name}"));
        }
    }
    assert!(services >= 6);
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let mut arguments = vec!["verify", "--man=no"];
    arguments.extend(units.iter().map(String::as_str));
    let verified = analyze(&arguments);
    // It warns on standard error and may end well nevertheless.
    assert!(
        verified.status.success() && verified.stderr.is_empty(),
        "{}",
        said(&verified)
    );
    for unit in units.iter().filter(|unit| unit.ends_with(".service")) {
        let threshold = format!("--threshold={EXPOSURE}");
        let secured = analyze(&["security", "--offline=true", "--no-pager", &threshold, unit]);
        assert!(secured.status.success(), "{unit}\n{}", said(&secured));
    }
    // The night's two ways and the timers name units that are there.
    for timer in units.iter().filter(|unit| unit.ends_with(".timer")) {
        assert!(
            units.contains(&timer.replace(".timer", ".service")),
            "{timer}"
        );
    }
}

/// `systemd-run` that writes down the unit it would start, as the manager would.
const WRITES_THE_UNIT: &str = r#"#!/bin/sh
name= lines=
while [ $# -gt 0 ]; do
    case $1 in
        --unit=*) name=${1#--unit=} ;;
        --uid=*) lines="$lines
User=${1#--uid=}" ;;
        --gid=*) lines="$lines
Group=${1#--gid=}" ;;
        --property=*) lines="$lines
${1#--property=}" ;;
        --*) ;;
        *) break ;;
    esac
    shift
done
printf '[Unit]\nDescription=One command\n[Service]%s\nExecStart=%s\n' "$lines" "$*" > "$UNITS/$name.service"
"#;

#[test]
fn a_command_with_keys_is_a_unit_to_which_hardening_and_the_object_store_apply() {
    let folder = tempfile::tempdir().unwrap();
    let units = folder.path().join("units");
    copy(&deploy().join("systemd"), &units);
    let programs = folder.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let program = programs.join("systemd-run");
    std::fs::write(&program, WRITES_THE_UNIT).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let started = Command::new("sh")
        .arg(units.join("goyong-with-keys"))
        .args(["quarantine", "ls"])
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("UNITS", &units)
        .output()
        .unwrap();
    assert!(started.status.success(), "{}", said(&started));
    let command = files(&units)
        .into_iter()
        .find(|path| path.display().to_string().contains("goyong-command-"))
        .unwrap();
    let text = std::fs::read_to_string(&command).unwrap();
    assert!(text.ends_with("/usr/bin/goyong --dir /var/lib/goyong quarantine ls\n"));
    let loaded = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with("LoadCredential="));
        lines.map(str::to_owned).collect()
    };
    let night = std::fs::read_to_string(units.join("goyong-night.service")).unwrap();
    assert_eq!(loaded(&text), loaded(&night));

    // The drop-ins of the prefix apply to this name, those that carry the store's credentials with the others.
    let program = env!("CARGO_BIN_EXE_goyong");
    std::fs::write(&command, text.replace("/usr/bin/goyong", program)).unwrap();
    std::fs::rename(
        units.join("object-store.conf"),
        units.join("goyong-.service.d/object-store.conf"),
    )
    .unwrap();
    let name = command.file_name().unwrap().to_str().unwrap();
    let analyze = |arguments: &[&str]| {
        let mut analyze = Command::new("systemd-analyze");
        analyze
            .args(arguments)
            .arg(format!("./{name}"))
            .current_dir(&units)
            .output()
            .unwrap()
    };
    let verified = analyze(&["verify", "--man=no"]);
    assert!(
        verified.status.success() && verified.stderr.is_empty(),
        "{}",
        said(&verified)
    );
    let threshold = format!("--threshold={EXPOSURE}");
    let is_hardened = || {
        let secured = analyze(&["security", "--offline=true", "--no-pager", &threshold]);
        secured.status.success()
    };
    assert!(is_hardened());
    std::fs::remove_dir_all(units.join("goyong-.service.d")).unwrap();
    assert!(
        !is_hardened(),
        "the drop-ins of the prefix are what hardens it"
    );
}

#[test]
fn manifests_match_the_schemas_of_kubernetes() {
    let validate = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/deploy/.venv/bin/kubernetes-validate");
    assert!(validate.exists(), "run tests/setup.sh first");
    let mut manifests = files(&deploy().join("kubernetes"));
    let run = |manifests: &[PathBuf]| {
        Command::new(&validate)
            .arg("--strict")
            .args(manifests)
            .output()
            .unwrap()
    };
    let valid = run(&manifests);
    assert!(valid.status.success(), "{}", said(&valid));
    // The tool would notice.
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(manifests.pop().unwrap()).unwrap();
    let broken = folder.path().join("broken.yaml");
    std::fs::write(
        &broken,
        text.replace("concurrencyPolicy:", "concurrentPolicy:"),
    )
    .unwrap();
    assert!(!run(&[broken]).status.success());
}

#[test]
fn example_configurations_are_read_and_their_plans_are_due_when_they_say() {
    let mut examples: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in files(&deploy().join("examples")) {
        if path.ends_with("goyong.toml") {
            let folder = path.parent().unwrap();
            let name = folder.file_name().unwrap().to_str().unwrap();
            examples.insert(name.to_owned(), folder.to_owned());
        }
    }
    let expected = [
        ("cluster", "01:30"),
        ("national", "01:30"),
        ("small", "02:30"),
    ];
    assert_eq!(examples.len(), expected.len());
    for (name, time) in expected {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("project");
        copy(&examples[name], &dir);
        let dir = dir.to_str().unwrap();
        let keys = folder.path().join("keys");
        // No database server runs here, and the keys' folder is not this machine's.
        let environment = [
            ("GOYONG_KEYS", keys.to_str().unwrap()),
            ("GOYONG_STATE", ""),
        ];
        goyong_ok(&environment, &["--dir", dir, "init", "--built-in-sql"]);
        let next = goyong_ok(
            &environment,
            &[
                "--dir", dir, "schedule", "next", "--count", "30", "--format", "csv",
            ],
        );
        assert_eq!(next.lines().count(), 31, "{name}: {next}");
        assert!(
            next.lines()
                .skip(1)
                .all(|row| row.contains(&format!("T{time}:00+09:00")))
        );
    }
}

#[test]
fn the_configuration_of_the_manifests_is_read() {
    let manifest = deploy().join("kubernetes/10-configuration.yaml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let lines = text
        .lines()
        .skip_while(|line| !line.contains("goyong.toml: |"))
        .skip(1);
    let configuration: String = lines
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect();
    assert!(configuration.contains("[retention]"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("goyong.toml"), configuration).unwrap();
    goyong_ok(
        &[],
        &[
            "--dir",
            folder.path().to_str().unwrap(),
            "init",
            "--built-in-sql",
        ],
    );
}

#[test]
fn a_project_whose_keys_are_credentials_takes_deliveries_without_a_folder_of_keys() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, dir, credentials) = (at("first"), at("project"), at("credentials"));
    goyong_ok(&[], &["--dir", &first, "init", "--built-in-sql"]);
    std::fs::create_dir(&credentials).unwrap();
    for name in ["pepper.key", "vault.key", "forget.key", "archive.recipient"] {
        let credential = Path::new(&credentials).join(format!("goyong.{name}"));
        std::fs::copy(Path::new(&first).join("keys").join(name), &credential).unwrap();
        // As a service manager's access list looks like.
        std::fs::set_permissions(&credential, std::fs::Permissions::from_mode(0o440)).unwrap();
    }
    let environment = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    goyong_ok(&environment, &["--dir", &dir, "init", "--built-in-sql"]);
    assert!(!Path::new(&dir).join("keys").exists());
    let simulate = [
        "--dir",
        &dir,
        "-q",
        "simulate",
        "--persons",
        "600",
        "--months",
        "2",
    ];
    goyong_ok(&environment, &simulate);
    goyong_ok(&environment, &["--dir", &dir, "-q", "ingest"]);
    // Without the credentials there is no key to be found.
    let without = goyong(&[], &["--dir", &dir, "-q", "ingest"]);
    assert_eq!(without.status.code(), Some(2), "{}", said(&without));
}
