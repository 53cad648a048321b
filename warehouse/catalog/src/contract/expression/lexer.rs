//! Characters to words.

use super::parser::ExpressionError;

/// A word of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or keyword.
    Name(String),
    /// Digits with an optional point; the sign belongs to the parser.
    Number(String),
    /// Text between single quotes.
    Text(String),
    /// An operator or bracket.
    Sign(&'static str),
}

impl Token {
    pub fn shown(&self) -> String {
        match self {
            Self::Name(text) | Self::Number(text) => text.clone(),
            Self::Text(text) => format!("'{text}'"),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}

const SIGNS: [(&str, &str); 12] = [
    ("<=", "<="),
    (">=", ">="),
    ("<>", "<>"),
    ("!=", "<>"),
    ("==", "="),
    ("<", "<"),
    (">", ">"),
    ("=", "="),
    ("(", "("),
    (")", ")"),
    (",", ","),
    ("-", "-"),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_alphabetic() || first == '_' {
            let length = length_of(rest, |letter| {
                letter.is_ascii_alphanumeric() || letter == '_'
            });
            tokens.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first.is_ascii_digit() {
            let length = length_of(rest, |letter| letter.is_ascii_digit() || letter == '.');
            tokens.push(Token::Number(rest[..length].to_owned()));
            length
        } else if first == '\'' {
            let (value, length) = quoted(rest)?;
            tokens.push(Token::Text(value));
            length
        } else if let Some((written, sign)) =
            SIGNS.iter().find(|(written, _)| rest.starts_with(written))
        {
            tokens.push(Token::Sign(sign));
            written.len()
        } else {
            return Err(ExpressionError::new(format!(
                "`{first}` means nothing here"
            )));
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn length_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !belongs(letter)).unwrap_or(text.len())
}

/// A text with its doubled quotes taken out, and the bytes it takes.
fn quoted(text: &str) -> Result<(String, usize), ExpressionError> {
    let mut value = String::new();
    let mut at = 1;
    while let Some(offset) = text[at..].find('\'') {
        value.push_str(&text[at..at + offset]);
        at += offset + 1;
        if text[at..].starts_with('\'') {
            value.push('\'');
            at += 1;
        } else {
            return Ok((value, at));
        }
    }
    Err(ExpressionError::new("a text is never closed by `'`"))
}
