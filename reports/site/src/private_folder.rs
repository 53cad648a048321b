//! The folder of a site that is not published: the run pages, the dossiers. It is written file by file, since pages
//! that are kept are not rendered again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::folder::Files;
use crate::render::SiteError;

/// A folder with the file in it that tells what each page was rendered from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PrivateFolder<'a> {
    pub path: &'a Path,
    pub fingerprints: &'static str,
}

impl PrivateFolder<'_> {
    /// What has a page, with the fingerprint each was rendered from. A file that cannot be read counts as none: every
    /// page is rendered again then.
    pub(crate) fn rendered<Key: Ord + DeserializeOwned>(&self) -> BTreeMap<Key, String> {
        let stored = fs::read(self.path.join(self.fingerprints)).unwrap_or_default();
        serde_json::from_slice(&stored).unwrap_or_default()
    }

    /// Adds the fingerprints of fresh pages and forgets those of pages that are gone.
    pub(crate) fn remember<Key: Ord + DeserializeOwned + Serialize>(
        &self,
        has_page: impl Fn(&Key) -> bool,
        fresh: impl Iterator<Item = (Key, String)>,
    ) -> Result<(), SiteError> {
        let mut rendered = self.rendered();
        rendered.retain(|key, _| has_page(key));
        rendered.extend(fresh);
        let bytes = serde_json::to_vec(&rendered).unwrap_or_default();
        write_whole(&self.path.join(self.fingerprints), &bytes)
            .map_err(|source| self.error(source))?;
        Ok(())
    }

    /// Exchanges every file as a whole. Answers how many are new or changed.
    pub(crate) fn write(&self, files: &Files) -> Result<usize, SiteError> {
        let mut written = 0;
        for (address, bytes) in files {
            let changed = write_whole(&self.path.join(address), bytes);
            written += usize::from(changed.map_err(|source| self.error(source))?);
        }
        Ok(written)
    }

    /// Names in a folder below this one; none where there is no folder.
    pub(crate) fn names(&self, below: &str) -> Result<Vec<String>, SiteError> {
        names(&self.path.join(below)).map_err(|source| self.error(source))
    }

    /// Removes what does not stay in a folder below this one: pages, and files that a crash left behind. Answers how
    /// many.
    pub(crate) fn remove_others(
        &self,
        below: &str,
        stays: impl Fn(&str) -> bool,
    ) -> Result<usize, SiteError> {
        let mut removed = 0;
        for name in self.names(below)? {
            if !stays(&name) {
                remove(&self.path.join(below).join(name)).map_err(|source| self.error(source))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    pub(crate) fn error(&self, source: io::Error) -> SiteError {
        SiteError::Folder {
            path: self.path.to_owned(),
            source,
        }
    }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

/// Exchanges a file; one with the same bytes stays untouched. Answers whether it was written.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let Some(folder) = path.parent() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    fs::create_dir_all(folder)?;
    let fresh = path.with_extension("new");
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn what_does_not_stay_goes_whether_it_is_a_page_or_was_left_by_a_crash() {
        let out = tempfile::tempdir().unwrap();
        let folder = PrivateFolder {
            path: out.path(),
            fingerprints: "pages.json",
        };
        let files = ["ko/12/index.html", "ko/13/index.html", "ko/index.new"]
            .map(|address| (address.to_owned(), b"page".to_vec()));
        assert_eq!(folder.write(&Files::from(files.clone())).unwrap(), 3);
        assert_eq!(folder.write(&Files::from(files)).unwrap(), 0, "unchanged");
        let removed = folder.remove_others("ko", |name| name == "12").unwrap();
        assert_eq!(
            (removed, folder.names("ko").unwrap()),
            (2, vec!["12".to_owned()])
        );
        assert_eq!(folder.remove_others("en", |_| false).unwrap(), 0);
    }
}
