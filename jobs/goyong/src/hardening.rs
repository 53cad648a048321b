//! What the process does to itself before it reads anything.

use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps and reading this process's memory from outside: between a file and the vault
/// resident numbers stand in memory in the clear.
///
/// A system that refuses is no reason not to run: the limit only ever gets lower.
pub fn keep_memory_off_the_disk() {
    let _refused = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _refused = nix::sys::prctl::set_dumpable(false);
}
