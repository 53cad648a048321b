//! The files of a project: read from a folder, or the ones this build carries.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

use crate::problem::Problem;

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../sql");

/// File endings that belong to a project; anything else in the folder is left alone.
const ENDINGS: [&str; 3] = ["sql", "yml", "csv"];

/// The text files of a project by their path relative to its folder, `/` between folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectFiles {
    files: BTreeMap<String, String>,
}

impl ProjectFiles {
    /// The project this build carries.
    pub fn embedded() -> Self {
        let mut files = BTreeMap::new();
        collect_embedded(&EMBEDDED, &mut files);
        Self { files }
    }

    /// The project in a folder.
    pub fn read(folder: &Path) -> Result<Self, Problem> {
        let mut files = BTreeMap::new();
        let name = folder.display().to_string();
        collect_folder(folder, "", &mut files).map_err(|(path, error)| {
            Problem::new(&path.display().to_string(), format!("cannot be read: {error}"))
                .with_help(format!("`{name}` must be the folder with sources/, core/, marts/; `goyong init` writes one out"))
        })?;
        if files.is_empty() {
            return Err(Problem::new(&name, "holds no .sql, .yml or .csv file")
                .with_help("`goyong init` writes the built-in project out"));
        }
        Ok(Self { files })
    }

    /// Files given by path and text, for tests and generated projects.
    pub fn from_texts<P: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        Self {
            files: texts
                .into_iter()
                .map(|(path, text)| (path.into(), text.into()))
                .collect(),
        }
    }

    /// Writes the files into a folder, leaves those alone that exist; returns how many were written.
    pub fn write_out(&self, folder: &Path) -> io::Result<usize> {
        let mut written = 0;
        for (path, text) in &self.files {
            let target = folder.join(path);
            if target.exists() {
                continue;
            }
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&target, text)?;
            written += 1;
        }
        Ok(written)
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Files directly or deeper below a folder with an ending, in path order.
    pub fn below<'a>(
        &'a self,
        folder: &'a str,
        ending: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files.iter().filter_map(move |(path, text)| {
            let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
            rest.strip_suffix(ending)?.strip_suffix('.')?;
            Some((path.as_str(), text.as_str()))
        })
    }

    /// All files in path order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// File name without folder and ending.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

fn is_project_file(path: &Path) -> bool {
    path.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| ENDINGS.contains(&ending))
}

fn collect_embedded(folder: &Dir<'static>, files: &mut BTreeMap<String, String>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) => collect_embedded(inner, files),
            DirEntry::File(file) if is_project_file(file.path()) => {
                // A file that is not UTF-8 cannot be compiled in unnoticed: a test reads them all.
                if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
                    files.insert(path.replace('\\', "/"), text.to_owned());
                }
            }
            DirEntry::File(_) => {}
        }
    }
}

fn collect_folder(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (folder.to_path_buf(), error);
    for entry in fs::read_dir(folder).map_err(at)? {
        let entry = entry.map_err(at)?;
        let path = entry.path();
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect_folder(&path, &format!("{prefix}{name}/"), files)?;
        } else if is_project_file(&path) {
            let text = fs::read_to_string(&path).map_err(|error| (path.clone(), error))?;
            files.insert(format!("{prefix}{name}"), text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn written_out_project_reads_back_the_same() {
        let folder = std::env::temp_dir().join(format!("goyong-files-{}", std::process::id()));
        let files =
            ProjectFiles::from_texts([("core/a.sql", "select 1"), ("seeds/b.csv", "x\n1\n")]);
        assert_eq!(files.write_out(&folder).unwrap(), 2);
        assert_eq!(files.write_out(&folder).unwrap(), 0, "existing files stay");
        assert_eq!(ProjectFiles::read(&folder).unwrap(), files);
        assert_eq!(files.below("core", "sql").count(), 1);
        assert_eq!(files.below("core", "yml").count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_embedded_file_is_utf8() {
        fn count(folder: &Dir<'static>) -> usize {
            folder
                .entries()
                .iter()
                .map(|entry| match entry {
                    DirEntry::Dir(inner) => count(inner),
                    DirEntry::File(file) => usize::from(is_project_file(file.path())),
                })
                .sum()
        }
        assert_eq!(ProjectFiles::embedded().iter().count(), count(&EMBEDDED));
    }
}
