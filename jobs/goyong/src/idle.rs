//! The memory of a process that waits for most of the day.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman::{MmapAdvise, madvise};

/// Gives back the pages of the program and its libraries that were read since the last time. Those that are needed again are read
/// again, from the system's cache mostly. Does nothing where the system does not tell what is mapped.
pub fn forget_the_program() {
    let Ok(mappings) = std::fs::read_to_string("/proc/self/smaps") else {
        return;
    };
    for (start, length) in unchanged_files(&mappings) {
        let Some(start) = NonZeroUsize::new(start) else {
            continue;
        };
        let start = NonNull::<c_void>::without_provenance(start);
        // SAFETY: the pages are of a file mapped without the right to write, and none was ever changed, so whoever
        // touches them next finds the same bytes, read from the file.
        #[allow(unsafe_code)]
        let _kept = unsafe { madvise(start, length, MmapAdvise::MADV_DONTNEED) };
    }
}

/// Where files are mapped that cannot be written, and no page of which differs from the file (proc(5), `smaps`).
fn unchanged_files(mappings: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut current = None;
    for line in mappings.lines() {
        let mut words = line.split_ascii_whitespace();
        let (first, second) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        if let Some((start, end)) = first.split_once('-') {
            let number = |text| usize::from_str_radix(text, 16).ok();
            let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
            let is_fixed = matches!(second, "r-xp" | "r--p");
            current = number(start)
                .zip(number(end))
                .filter(|_| is_file && is_fixed)
                .map(|(start, end)| (start, end.saturating_sub(start)));
        } else if first == "Anonymous:" && second == "0" {
            // The kernel lists it once for each mapping; pages that were changed are anonymous.
            found.extend(current.take());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_cannot_be_written_and_were_not_changed_are_forgotten() {
        let mapping = |header: &str, anonymous: u32| {
            format!("{header}\nRss: 8 kB\nAnonymous: {anonymous} kB\n")
        };
        let mappings = [
            mapping("1000-3000 r-xp 00000000 08:01 11 /usr/bin/goyong", 0),
            mapping("3000-4000 r--p 00002000 08:01 11 /usr/bin/goyong", 4),
            mapping("4000-5000 rw-p 00003000 08:01 11 /usr/bin/goyong", 0),
            mapping("5000-6000 r--p 00000000 00:00 0", 0),
            mapping("6000-7000 r-xp 00000000 00:00 0 [vdso]", 0),
            mapping("7000-9000 r--p 00000000 08:01 12 /usr/lib/libc.so.6", 0),
        ];
        assert_eq!(
            unchanged_files(&mappings.concat()),
            [(0x1000, 0x2000), (0x7000, 0x2000)]
        );
    }

    #[test]
    fn a_process_goes_on_after_it_was_forgotten() {
        forget_the_program();
        assert_eq!("goyong".chars().rev().collect::<String>(), "gnoyog");
    }
}
