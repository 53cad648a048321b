//! Puts the site into its folder: all of it or nothing, and unchanged files stay untouched.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::period::is_edition;

/// Folder of the run pages within the site.
pub const RUN_PAGES: &str = "ops";

/// Addresses relative to the site's root, with their bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What was done to the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Written {
    pub written: usize,
    pub unchanged: usize,
}

/// Replaces the site at `out`. The new folder is prepared beside the old one, unchanged files and earlier editions are
/// linked into it, and two renames exchange them. A crash in between is repaired by the next call.
pub(crate) fn replace(out: &Path, files: &Files) -> io::Result<Written> {
    let (fresh, retired) = (sibling(out, "new")?, sibling(out, "old")?);
    recover(out, &retired)?;
    remove(&fresh)?;

    let existing = list(out)?;
    let mut written = Written::default();
    let mut same = BTreeMap::new();
    for (address, bytes) in files {
        let unchanged = existing.contains_key(address) && fs::read(out.join(address))? == *bytes;
        same.insert(address.as_str(), unchanged);
        if unchanged {
            written.unchanged += 1;
        } else {
            written.written += 1;
        }
    }
    let stale = existing
        .keys()
        .any(|address| !files.contains_key(address) && !is_earlier_edition(address));
    if written.written == 0 && !stale && out.exists() {
        return Ok(written);
    }

    fs::create_dir_all(&fresh)?;
    for address in existing
        .keys()
        .filter(|address| !files.contains_key(*address))
    {
        if is_earlier_edition(address) {
            link(&out.join(address), &fresh.join(address))?;
        }
    }
    for (address, bytes) in files {
        let target = fresh.join(address);
        if same.get(address.as_str()) == Some(&true) {
            link(&out.join(address), &target)?;
        } else {
            make_parent(&target)?;
            fs::write(&target, bytes)?;
        }
    }
    if out.exists() {
        fs::rename(out, &retired)?;
    }
    fs::rename(&fresh, out)?;
    take_over_runs(&retired, out)?;
    remove(&retired)?;
    Ok(written)
}

/// The run pages are rendered by themselves and stay whatever becomes of the site around them.
fn take_over_runs(retired: &Path, out: &Path) -> io::Result<()> {
    let (from, to) = (retired.join(RUN_PAGES), out.join(RUN_PAGES));
    if from.exists() && !to.exists() {
        fs::rename(from, to)?;
    }
    Ok(())
}

/// Undoes the half of an exchange that a crash may have left behind.
pub(crate) fn recover_interrupted(out: &Path) -> io::Result<()> {
    recover(out, &sibling(out, "old")?)
}

fn recover(out: &Path, retired: &Path) -> io::Result<()> {
    if out.exists() {
        take_over_runs(retired, out)?;
        remove(retired)
    } else if retired.exists() {
        fs::rename(retired, out)
    } else {
        Ok(())
    }
}

/// `data/{slug}/{edition}/…` and `{lang}/reports/{slug}/{edition}/…` keep their addresses for good.
fn is_earlier_edition(address: &str) -> bool {
    let parts: Vec<&str> = address.split('/').collect();
    match parts.as_slice() {
        ["data", _, edition, ..] => is_edition(edition),
        [_, "reports", _, edition, _, ..] => is_edition(edition),
        _ => false,
    }
}

fn sibling(out: &Path, suffix: &str) -> io::Result<PathBuf> {
    let name = out.file_name().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the site's folder needs a name",
        )
    })?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".");
    hidden.push(suffix);
    Ok(out.with_file_name(hidden))
}

/// Every file below a folder by its address, without the run pages.
fn list(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = pending.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if prefix.is_empty() && name == RUN_PAGES {
                continue;
            }
            let address = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}/{name}")
            };
            if entry.file_type()?.is_dir() {
                pending.push((entry.path(), address));
            } else {
                found.insert(address, entry.path());
            }
        }
    }
    Ok(found)
}

fn link(source: &Path, target: &Path) -> io::Result<()> {
    make_parent(target)?;
    // A file system without hard links gets a copy.
    fs::hard_link(source, target).or_else(|_| fs::copy(source, target).map(drop))
}

fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent),
        None => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        pairs
            .iter()
            .map(|(address, text)| ((*address).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn run_pages_stay_when_the_site_is_replaced_and_when_that_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("site");
        let page = out.join("ops/ko/index.html");
        replace(&out, &files(&[("index.html", "a")])).unwrap();
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, "run").unwrap();
        replace(&out, &files(&[("index.html", "b")])).unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "run");
        // The process died between the last rename and the removal of the old folder.
        let retired = folder.path().join(".site.old");
        fs::create_dir_all(&retired).unwrap();
        fs::rename(out.join("ops"), retired.join("ops")).unwrap();
        recover_interrupted(&out).unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "run");
        assert!(!retired.exists());
    }

    #[test]
    fn unchanged_files_stay_and_stale_ones_go_but_editions_remain() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("site");
        replace(
            &out,
            &files(&[
                ("index.html", "a"),
                ("ko/old.html", "b"),
                ("ko/reports/x/2025-11/index.html", "c"),
            ]),
        )
        .unwrap();
        let before = fs::metadata(out.join("index.html"))
            .unwrap()
            .modified()
            .unwrap();
        let written = replace(
            &out,
            &files(&[
                ("index.html", "a"),
                ("ko/reports/x/2025-12/index.html", "d"),
            ]),
        )
        .unwrap();
        assert_eq!(
            written,
            Written {
                written: 1,
                unchanged: 1
            }
        );
        assert_eq!(
            fs::metadata(out.join("index.html"))
                .unwrap()
                .modified()
                .unwrap(),
            before
        );
        assert!(!out.join("ko/old.html").exists());
        assert!(out.join("ko/reports/x/2025-11/index.html").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_interrupted_exchange_is_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("site");
        replace(&out, &files(&[("index.html", "a")])).unwrap();
        fs::rename(&out, folder.path().join(".site.old")).unwrap();
        let written = replace(&out, &files(&[("index.html", "a")])).unwrap();
        assert_eq!(
            written,
            Written {
                written: 0,
                unchanged: 1
            }
        );
    }
}
