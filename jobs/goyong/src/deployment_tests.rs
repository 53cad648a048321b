//! What `deploy/` says is read by the program that it is about: every command by its own arguments, so that units,
//! manifests and runbooks cannot rot.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::arguments::Arguments;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files below `deploy/` with their text.
fn files() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut pending = vec![root().join("deploy")];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// Splits a line as a shell does, as far as `deploy/` needs it: blanks and double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut is_quoted, mut is_open) = (String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                is_open = true;
            }
            blank if blank.is_whitespace() && !is_quoted => {
                if is_open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            other => word.push(other),
        }
    }
    if is_open || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The arguments of a line that starts our program.
fn arguments_of(line: &str) -> Option<Vec<String>> {
    let mut words = words(line.trim().trim_start_matches('-'));
    if words.first().is_some_and(|word| word == "sudo") {
        words.drain(..3.min(words.len()));
    }
    let program = words.first()?;
    let name = program.rsplit('/').next()?;
    if !matches!(name, "goyong" | "goyong-new" | "goyong-with-keys") {
        return None;
    }
    words.remove(0);
    (!words.is_empty()).then_some(words)
}

/// Commands of fenced blocks and of code within sentences.
fn of_runbook(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut is_fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced {
            for part in line.split("&&") {
                commands.extend(arguments_of(part));
            }
        } else {
            for code in line.split('`').skip(1).step_by(2) {
                commands.extend(arguments_of(code));
            }
        }
    }
    commands
}

/// Values that the environment file names, those that are commented out as well.
fn environment(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(|line| line.trim_start_matches("# "));
    let set = lines.filter_map(|line| line.split_once('='));
    set.filter(|(name, _)| name.starts_with("GOYONG_") && !name.contains(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn of_unit(text: &str, environment: &BTreeMap<String, String>) -> Vec<Vec<String>> {
    let starts = text
        .lines()
        .filter_map(|line| line.strip_prefix("ExecStart="));
    starts
        .filter_map(|line| {
            let mut line = line.to_owned();
            // Longer names first: one may begin with another.
            for (name, value) in environment.iter().rev() {
                line = line.replace(&format!("${{{name}}}"), value);
                line = line.replace(&format!("${name}"), value);
            }
            arguments_of(&line)
        })
        .collect()
}

/// Lists on one line after a word: `args: ["…"]`.
fn lists_after(text: &str, word: &str) -> Vec<Vec<String>> {
    let lines = text.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(word))
        .map(|list| serde_json::from_str(list.trim()).unwrap())
        .collect()
}

fn check(place: &Path, arguments: &[String]) {
    let words = ["goyong".to_owned()]
        .into_iter()
        .chain(arguments.iter().cloned());
    if let Err(error) = Arguments::try_parse_from(words) {
        panic!(
            "{}: goyong {}\n{error}",
            place.display(),
            arguments.join(" ")
        );
    }
}

#[test]
fn every_command_of_units_images_manifests_and_runbooks_is_one_of_ours() {
    let environment_file = root().join("deploy/systemd/goyong.env");
    let environment = environment(&fs::read_to_string(environment_file).unwrap());
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, text) in files() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap().file_name().unwrap();
        let (kind, commands) = match path.extension().and_then(|ending| ending.to_str()) {
            Some("md") => ("runbook", of_runbook(&text)),
            Some("service") => ("unit", of_unit(&text, &environment)),
            Some("yaml") if folder == "kubernetes" => ("manifest", lists_after(&text, "args:")),
            Some("yaml") => ("compose", lists_after(&text, "command:")),
            None if name == "Containerfile" => {
                // A health check is a command of its own.
                let own = text.replace("  CMD [", "  HEALTH [");
                ("image", lists_after(&own, "CMD"))
            }
            _ => continue,
        };
        if kind == "unit" || (kind == "runbook" && name != "README.md") {
            assert!(!commands.is_empty(), "{} starts nothing", path.display());
        }
        for command in &commands {
            check(&path, command);
        }
        *counted.entry(kind).or_default() += commands.len();
    }
    let least = [
        ("runbook", 30),
        ("unit", 6),
        ("manifest", 5),
        ("compose", 3),
        ("image", 1),
    ];
    for (kind, least) in least {
        assert!(counted[kind] >= least, "{kind}: {counted:?}");
    }
}

#[test]
fn every_link_of_the_pages_leads_to_a_file() {
    for (path, text) in files() {
        if path.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap();
            let target = path.parent().unwrap().join(target);
            assert!(target.exists(), "{}: {link}", path.display());
        }
    }
}

#[test]
fn an_image_is_built_from_what_the_workspace_needs_and_from_nothing_that_is_not_there() {
    let text = fs::read_to_string(root().join("deploy/container/Containerfile")).unwrap();
    let copied: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words[..words.len() - 1].to_vec()
        })
        .collect();
    for source in &copied {
        assert!(root().join(source).exists(), "COPY {source}");
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).unwrap();
    let members = members.split(']').next().unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        let is_there = copied.iter().any(|source| {
            let source = source.trim_end_matches('/');
            member == source || member.starts_with(&format!("{source}/"))
        });
        assert!(is_there, "member {member} is not copied");
    }
    // Nothing runs as root, and the version is the one the workspace needs.
    assert!(text.contains("\nUSER 10001:10001\n"));
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.unwrap().trim_matches('"');
    assert!(
        text.contains(&format!("library/rust:{version}-")),
        "{version}"
    );
}

#[test]
fn manifests_name_the_programs_version_and_ports_that_are_listened_on() {
    let version = env!("CARGO_PKG_VERSION");
    for (path, text) in files() {
        if !path.to_str().unwrap().contains("kubernetes") {
            continue;
        }
        for image in text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("image: "))
        {
            assert_eq!(image, format!("goyong:{version}"), "{}", path.display());
        }
        for arguments in lists_after(&text, "args:") {
            let mut pairs = arguments.windows(2);
            while let Some([flag, value]) = pairs.next() {
                let port = match flag.as_str() {
                    "--port" | "--control-port" => value.as_str(),
                    "--listen" => value.rsplit(':').next().unwrap(),
                    _ => continue,
                };
                let named = format!("containerPort: {port}");
                assert!(text.contains(&named), "{}: {named}", path.display());
            }
        }
    }
}
