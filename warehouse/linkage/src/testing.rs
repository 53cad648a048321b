//! What several tests need.

use std::path::{Path, PathBuf};

/// A file of the shared data, `None` with a visible notice when it is absent.
#[allow(clippy::print_stderr)]
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("GOYONG_SHARED_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let file = folder.join(path);
    if !file.exists() {
        eprintln!("SKIPPED: {} is absent", file.display());
        return None;
    }
    Some(file)
}
