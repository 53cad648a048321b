//! From a place in compiled SQL back to the file, line and column it was written at.
//!
//! Every piece of template text that is copied to the output is marked with one private-use
//! character before rendering; the marks are taken out of the result again and say where each piece
//! landed. A text is marked only when a place is asked for, so a normal compilation never sees them.

use std::fmt;
use std::ops::Range;

use crate::template::statement;

/// Marks are characters of the supplementary private use area A, one per piece.
const FIRST_MARK: u32 = 0xF_0000;
const MOST_PIECES: usize = 65_000;

/// A place in a file of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path relative to the project.
    pub file: String,
    /// 1-based line.
    pub line: usize,
    /// 1-based column in characters.
    pub column: usize,
    /// The macro text that the file's tag at this place was replaced by.
    pub within: Option<Box<Place>>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)?;
        if let Some(inner) = &self.within {
            write!(formatter, " (macro text at {inner})")?;
        }
        Ok(())
    }
}

/// Where the pieces of one compiled text come from.
#[derive(Debug, Clone)]
pub struct SourceMap {
    files: Vec<(String, String)>,
    pieces: Vec<Piece>,
    /// Byte offset in `sql` and the piece that begins there, in order.
    marks: Vec<(usize, usize)>,
    sql: String,
}

/// Template text between two tags.
#[derive(Debug, Clone)]
struct Piece {
    file: usize,
    bytes: Range<usize>,
}

/// Templates with marks, to be rendered one after the other; the last one is the file asked about.
pub(crate) struct Marked {
    files: Vec<(String, String)>,
    pieces: Vec<Piece>,
    /// The texts with their marks.
    text: String,
}

impl Marked {
    /// Marks the macros' files and then the body.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut marked = Self {
            files: files.into_iter().collect(),
            pieces: Vec::new(),
            text: String::new(),
        };
        for file in 0..marked.files.len() {
            let text = std::mem::take(&mut marked.files[file].1);
            marked.add(file, &text);
            marked.files[file].1 = text;
        }
        marked
    }

    fn add(&mut self, file: usize, text: &str) {
        let mut position = 0;
        let mut trims_left = false;
        loop {
            let tag = next_tag(text, position);
            let end = tag.as_ref().map_or(text.len(), |tag| tag.start);
            let trims_right = text.as_bytes()[end..].get(2) == Some(&b'-');
            self.add_piece(file, text, position..end, trims_left, trims_right);
            let Some(tag) = tag else {
                return;
            };
            self.text.push_str(&text[tag.clone()]);
            trims_left = text.as_bytes().get(tag.end.wrapping_sub(3)) == Some(&b'-');
            position = tag.end;
        }
    }

    /// White space that a neighbouring tag may cut away stays outside of the mark.
    fn add_piece(
        &mut self,
        file: usize,
        text: &str,
        bytes: Range<usize>,
        trims_left: bool,
        trims_right: bool,
    ) {
        let piece = &text[bytes.clone()];
        let blank = piece.len() - piece.trim_start().len();
        let only_blank = blank == piece.len();
        if piece.is_empty()
            || only_blank && (trims_left || trims_right)
            || self.pieces.len() >= MOST_PIECES
        {
            self.text.push_str(piece);
            return;
        }
        let skipped = if only_blank { 0 } else { blank };
        let kept = if trims_right {
            piece.trim_end().len()
        } else {
            piece.len()
        };
        let number = u32::try_from(self.pieces.len()).unwrap_or_default();
        self.text.push_str(&piece[..skipped]);
        self.text.extend(char::from_u32(FIRST_MARK + number));
        self.text.push_str(&piece[skipped..]);
        self.pieces.push(Piece {
            file,
            bytes: bytes.start + skipped..bytes.start + kept,
        });
    }

    /// Renders the marked texts, takes the marks out again and cuts the text as compiled SQL is cut.
    pub fn render(self, environment: &minijinja::Environment<'_>) -> Option<SourceMap> {
        let rendered = environment.render_str(&self.text, ()).ok()?;
        let mut sql = String::with_capacity(rendered.len());
        let mut marks = Vec::with_capacity(self.pieces.len());
        for letter in rendered.chars() {
            match (letter as u32).checked_sub(FIRST_MARK) {
                Some(piece) if (piece as usize) < self.pieces.len() => {
                    marks.push((sql.len(), piece as usize));
                }
                _ => sql.push(letter),
            }
        }
        let cut = sql.len() - sql.trim_start().len();
        for (offset, _) in &mut marks {
            *offset = offset.saturating_sub(cut);
        }
        Some(SourceMap {
            files: self.files,
            pieces: self.pieces,
            marks,
            sql: statement(&sql).to_owned(),
        })
    }
}

impl SourceMap {
    /// The compiled text the map is of.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Where a 1-based line and column of the compiled text were written, columns in characters.
    pub fn place(&self, line: usize, column: usize) -> Option<Place> {
        let start: usize = self
            .sql
            .split_inclusive('\n')
            .take(line.checked_sub(1)?)
            .map(str::len)
            .sum();
        let rest = self.sql.get(start..)?;
        let within: usize = rest
            .chars()
            .take(column.saturating_sub(1))
            .map(char::len_utf8)
            .sum();
        self.place_of_offset(start + within)
    }

    /// The same for a byte offset of the compiled text.
    pub fn place_of_offset(&self, offset: usize) -> Option<Place> {
        let after = self.marks.partition_point(|(start, _)| *start <= offset);
        let before = &self.marks[..after];
        let main = self.files.len().checked_sub(1)?;
        let (start, piece) = *before.last()?;
        let inner = self.in_piece(piece, offset - start);
        if self.pieces[piece].file == main {
            return Some(inner);
        }
        // Macro text stands where the last piece of the file itself ended: at the tag behind it.
        let (_, caller) = before
            .iter()
            .rev()
            .find(|(_, piece)| self.pieces[*piece].file == main)?;
        Some(Place {
            within: Some(Box::new(inner)),
            ..self.in_piece(*caller, usize::MAX)
        })
    }

    /// The place so many bytes into a piece; behind its end stands the tag that follows it.
    fn in_piece(&self, piece: usize, bytes: usize) -> Place {
        let Piece { file, bytes: range } = &self.pieces[piece];
        let (name, text) = &self.files[*file];
        let mut offset = range.start.saturating_add(bytes).min(range.end);
        if bytes >= range.len() {
            // White space before a tag that cuts it away.
            offset += text[offset..].len() - text[offset..].trim_start().len();
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            file: name.clone(),
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            within: None,
        }
    }
}

/// The next `{{ … }}`, `{% … %}` or `{# … #}` from a position on; a raw block is one tag with its text.
fn next_tag(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = (from..bytes.len().saturating_sub(1))
        .find(|at| bytes[*at] == b'{' && matches!(bytes[at + 1], b'{' | b'%' | b'#'))?;
    let close: &str = match bytes[start + 1] {
        b'{' => "}}",
        b'%' => "%}",
        _ => "#}",
    };
    let mut position = start + 2;
    let mut quote = None;
    while position < bytes.len() {
        let byte = bytes[position];
        match quote {
            Some(_) if byte == b'\\' => position += 1,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if close != "#}" && matches!(byte, b'\'' | b'"') => quote = Some(byte),
            None if bytes[position..].starts_with(close.as_bytes()) => {
                let end = position + 2;
                let words = text[start + 2..position].trim_matches(|c: char| c == '-' || c == '+');
                if close == "%}" && words.trim() == "raw" {
                    let raw_end = text[end..].find("endraw").map(|at| end + at)?;
                    return text[raw_end..].find("%}").map(|at| start..raw_end + at + 2);
                }
                return Some(start..end);
            }
            None => {}
        }
        position += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{Project, ProjectFiles, Vars};

    const HEADER: &str = "/*---\ndescription: x\ngrain: [a]\n---*/\n";

    fn map_of(body: &str) -> (Project, SourceMap) {
        let macros = "{#- note -#}\n{% macro twice(x) -%}\n({{ x }}\n  + wrong)\n{%- endmacro %}\n";
        let project = Project::from_files(ProjectFiles::from_texts([
            ("core/a.sql", format!("{HEADER}select 1 as a")),
            ("core/m.sql", format!("{HEADER}{body}")),
            ("macros/z.sql", macros.to_owned()),
        ]))
        .unwrap();
        let mut vars = Vars::new();
        vars.insert("day".into(), "2024-01-01".into());
        let model = project.model("m").unwrap();
        let compiled = project.compile(model, &vars).unwrap();
        let map = project.source_map(&model.file, &model.body, &vars).unwrap();
        assert_eq!(map.sql(), compiled.sql, "marks change nothing");
        (project, map)
    }

    fn place_of(map: &SourceMap, word: &str) -> String {
        let offset = map.sql().find(word).unwrap();
        map.place_of_offset(offset).unwrap().to_string()
    }

    #[test]
    fn word_behind_a_tag_is_found_at_its_own_column() {
        let (_, map) = map_of("select a, colum\nfrom {{ ref('a') }} as 가나 where  mistake = 1");
        assert_eq!(place_of(&map, "colum"), "core/m.sql:5:11");
        assert_eq!(place_of(&map, "mistake"), "core/m.sql:6:34");
        assert_eq!(place_of(&map, "\"core\""), "core/m.sql:6:6");
        assert_eq!(map.place(2, 30).unwrap().line, 6);
    }

    #[test]
    fn word_in_a_macro_is_found_at_the_call_and_in_the_macro() {
        let (_, map) = map_of("select 1 as one,\n  {{ twice('b') }} as c, d\nfrom {{ ref('a') }}");
        assert_eq!(
            place_of(&map, "wrong"),
            "core/m.sql:6:3 (macro text at macros/z.sql:4:5)"
        );
        assert_eq!(place_of(&map, "d\nfrom"), "core/m.sql:6:26");
    }

    #[test]
    fn trimmed_white_space_loops_and_raw_text_keep_their_places() {
        let (_, map) = map_of(
            "select\n{%- for name in ['p', 'q'] %}\n  {{ name }}_x as {{ name }}_y,\n{%- endfor %}\n  \
             {% raw %}'{{ no tag }}'{% endraw %} as r, last_column\n{#- gone -#}\n from {{- ' ' -}} {{ ref('a') }}\n where day = '{{ var('day') }}' and tail",
        );
        assert_eq!(place_of(&map, "_x as p"), "core/m.sql:7:13");
        assert_eq!(place_of(&map, "_x as q"), "core/m.sql:7:13");
        assert_eq!(place_of(&map, "last_column"), "core/m.sql:9:45");
        assert_eq!(place_of(&map, "tail"), "core/m.sql:12:37");
    }

    #[test]
    fn every_offset_of_the_embedded_project_has_a_place() {
        let project = Project::embedded().unwrap();
        let mut vars = Vars::new();
        for name in ["as_of", "partition_start", "partition_end"] {
            vars.insert(name.into(), "2024-01-01".into());
        }
        for model in project.models().values() {
            let map = project.source_map(&model.file, &model.body, &vars).unwrap();
            for (offset, letter) in map.sql().char_indices() {
                let place = map.place_of_offset(offset).unwrap();
                let inner = place.within.as_deref().unwrap_or(&place);
                if let Some(text) = project.files().text(&inner.file) {
                    assert!(inner.line <= text.lines().count(), "{place}: {letter}");
                }
            }
        }
    }
}
