//! SQL text reduced to what it means to a tokenizer, so that a comment or a line break is no change.

/// The tokens of an SQL text separated by single spaces: comments gone, unquoted letters lower case.
///
/// Quoted text (`'…'`, `"…"`, `e'…'`, `$tag$…$tag$`) is kept byte for byte. Two texts with equal
/// results mean the same to the planner; unequal results may still mean the same.
pub fn normalise_sql(sql: &str) -> String {
    let bytes = sql.as_bytes();
    let mut result = String::with_capacity(sql.len());
    let mut position = 0;
    while position < bytes.len() {
        let start = position;
        match bytes[position] {
            byte if byte.is_ascii_whitespace() => {
                position += 1;
                continue;
            }
            b'-' if bytes.get(position + 1) == Some(&b'-') => {
                position = find(bytes, position, b"\n");
                continue;
            }
            b'/' if bytes.get(position + 1) == Some(&b'*') => {
                position = find(bytes, position + 2, b"*/");
                continue;
            }
            quote @ (b'\'' | b'"') => {
                let escapes = start > 0
                    && matches!(bytes[start - 1], b'e' | b'E')
                    && (start < 2 || !is_word(bytes[start - 2]));
                position = end_of_quoted(bytes, position, quote, escapes);
            }
            b'$' if dollar_tag(bytes, position).is_some() => {
                let tag = dollar_tag(bytes, position).unwrap_or(b"$$");
                position = find(bytes, position + tag.len(), tag);
            }
            byte if is_word(byte) => {
                while position < bytes.len() && is_word(bytes[position]) {
                    position += 1;
                }
                push_token(&mut result, &sql[start..position].to_lowercase());
                continue;
            }
            _ => position += 1,
        }
        push_token(&mut result, &sql[start..position]);
    }
    // A closing semicolon is no part of the statement.
    if let Some(shorter) = result.strip_suffix(" ;") {
        result.truncate(shorter.len());
    }
    result
}

fn push_token(result: &mut String, token: &str) {
    if !result.is_empty() {
        result.push(' ');
    }
    result.push_str(token);
}

/// Every byte of a multi-byte character counts as a word, so a slice never splits one.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || byte >= 0x80
}

/// The position after the next occurrence of a text, or the end.
fn find(bytes: &[u8], from: usize, text: &[u8]) -> usize {
    bytes[from.min(bytes.len())..]
        .windows(text.len())
        .position(|window| window == text)
        .map_or(bytes.len(), |offset| from + offset + text.len())
}

fn end_of_quoted(bytes: &[u8], start: usize, quote: u8, escapes: bool) -> usize {
    let mut position = start + 1;
    while position < bytes.len() {
        if escapes && bytes[position] == b'\\' {
            position += 2;
        } else if bytes[position] == quote {
            if bytes.get(position + 1) != Some(&quote) {
                return position + 1;
            }
            position += 2;
        } else {
            position += 1;
        }
    }
    bytes.len()
}

fn dollar_tag(bytes: &[u8], start: usize) -> Option<&[u8]> {
    let rest = &bytes[start + 1..];
    let length = rest
        .iter()
        .position(|byte| !(byte.is_ascii_alphabetic() || *byte == b'_'))?;
    (rest[length] == b'$').then(|| &bytes[start..start + length + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_layout_do_not_count() {
        let plain = "select a, b from t where c = 'x  y' and d >= 1.5";
        let dressed = "-- why\nSELECT a,\n  b /* both */ FROM t\nwhere c='x  y' AND d>=1.5;\n";
        assert_eq!(normalise_sql(plain), normalise_sql(dressed));
    }

    #[test]
    fn meaning_counts() {
        let base = normalise_sql("select 'a  b' from t");
        for other in [
            "select 'a b' from t",
            "select 'A  b' from t",
            "select \"a  b\" from t",
            "select 'a  b' from u",
            "select 'a  b -- x' from t",
        ] {
            assert_ne!(base, normalise_sql(other), "{other}");
        }
        assert_ne!(
            normalise_sql("select $$a  b$$"),
            normalise_sql("select $$a b$$")
        );
        assert_ne!(
            normalise_sql(r"select e'\'  x'"),
            normalise_sql(r"select e'\' x'")
        );
        assert_ne!(
            normalise_sql("select '''  '"),
            normalise_sql("select ''' '")
        );
    }

    #[test]
    fn unfinished_text_does_not_run_over_the_end() {
        for text in ["'", "/*", "--", "$", "$a", "$$", "e'\\", "가 '나", "\""] {
            let _ = normalise_sql(text);
        }
    }
}
