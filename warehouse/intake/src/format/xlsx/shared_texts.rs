//! Counts the texts a workbook shares between cells while a part of it is expanded.

use std::io::{self, Write};

/// Most texts: each takes 24 bytes of memory however few it takes in the file.
pub(super) const MOST_SHARED_TEXTS: u64 = 8 << 20;

/// Swallows a part and counts its elements `si`, with or without a prefix.
///
/// Any part may be named as the one with the shared texts, so each is counted.
#[derive(Default)]
pub(super) struct SharedTexts {
    pub count: u64,
    /// The last bytes, which an element may reach into, and those that came with this call.
    window: Vec<u8>,
}

/// Bytes of `<si>` that may stand before a border.
const OVERLAP: usize = 3;

impl Write for SharedTexts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.window.extend_from_slice(bytes);
        let window = self.window.as_slice();
        for at in memchr::memmem::find_iter(window, b"si") {
            let before = at.checked_sub(1).map(|at| window[at]);
            let behind = window.get(at + 2);
            let opens = matches!(before, Some(b'<' | b':'));
            let ends = matches!(behind, Some(b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n'));
            self.count += u64::from(opens && ends);
        }
        let kept = self.window.len().min(OVERLAP);
        self.window.drain(..self.window.len() - kept);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_are_counted_once_wherever_the_stream_is_cut() {
        let text = b"<sst><si/><si><t>si</t></si><x:si a=''/><six/><si\n/></sst>";
        for step in 1..=text.len() {
            let mut texts = SharedTexts::default();
            for piece in text.chunks(step) {
                texts.write_all(piece).unwrap();
            }
            assert_eq!(texts.count, 4, "{step}");
        }
    }
}
