//! Words to a checked condition: `or` binds weakest, then `and`, then `not`.

use goyong_types::nearest_name;

use super::lexer::{Token, tokens};
use super::{Comparison, Expression, Literal, Operand, ValueKind};

/// Deepest nesting of brackets and `not`.
const DEPTH: usize = 32;

/// A condition that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// What to do, where it can be guessed.
    pub hint: Option<String>,
}

impl ExpressionError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }
}

type Parsed<T> = Result<T, ExpressionError>;

pub(super) fn parse(text: &str, columns: &[(String, ValueKind)]) -> Parsed<Expression> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        columns,
        depth: 0,
    };
    let expression = parser.any()?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(ExpressionError::new(format!(
            "`{}` stands behind the end of the condition",
            token.shown()
        ))),
    }
}

struct Parser<'c> {
    tokens: Vec<Token>,
    at: usize,
    columns: &'c [(String, ValueKind)],
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Parsed<Expression> {
        let mut parts = vec![self.all()?];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn all(&mut self) -> Parsed<Expression> {
        let mut parts = vec![self.negated()?];
        while self.takes_word("and") {
            parts.push(self.negated()?);
        }
        Ok(one_or(parts, Expression::And))
    }

    fn negated(&mut self) -> Parsed<Expression> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(ExpressionError::new("the condition is nested too deeply"));
        }
        let expression = if self.takes_word("not") {
            Expression::Not(Box::new(self.negated()?))
        } else {
            self.predicate()?
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn predicate(&mut self) -> Parsed<Expression> {
        if self.takes_sign("(") {
            let inner = self.any()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        if self.is_call("same_month") {
            let (left, right) = self.two_dates("same_month")?;
            return Ok(Expression::SameMonth(left, right));
        }
        let (left, kind) = self.operand()?;
        if self.takes_word("is") {
            let negated = self.takes_word("not");
            if !self.takes_word("null") {
                return Err(self.expected("`null` behind `is`"));
            }
            let Operand::Column(name) = left else {
                return Err(ExpressionError::new("only a column can be null"));
            };
            let is_null = Expression::IsNull(name);
            return Ok(if negated {
                Expression::Not(Box::new(is_null))
            } else {
                is_null
            });
        }
        if self.takes_word("in") {
            return self.list(left, kind);
        }
        if self.takes_word("not") {
            if !self.takes_word("in") {
                return Err(self.expected("`in` behind `not`"));
            }
            return Ok(Expression::Not(Box::new(self.list(left, kind)?)));
        }
        if let Some(comparison) = self.comparison() {
            let (right, right_kind) = self.operand()?;
            return compared(comparison, left, kind, right, right_kind);
        }
        match left {
            Operand::Column(name) if kind == ValueKind::Boolean => Ok(Expression::IsTrue(name)),
            _ => Err(self.expected("a comparison, `is null` or `in (…)`")),
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let Some(Token::Sign(sign)) = self.peek() else {
            return None;
        };
        let comparison = match *sign {
            "=" => Comparison::Equal,
            "<>" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    fn list(&mut self, operand: Operand, kind: ValueKind) -> Parsed<Expression> {
        self.expect_sign("(")?;
        let mut values = Vec::new();
        loop {
            let (value, value_kind) = self.operand()?;
            let Operand::Literal(literal) = value else {
                return Err(ExpressionError::new("`in (…)` lists values, not columns"));
            };
            values.push(literal_as(literal, value_kind, kind)?);
            if !self.takes_sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        Ok(Expression::In { operand, values })
    }

    fn operand(&mut self) -> Parsed<(Operand, ValueKind)> {
        if self.is_call("days_between") {
            let (from, to) = self.two_dates("days_between")?;
            return Ok((Operand::DaysBetween(from, to), ValueKind::Number));
        }
        let is_negative = self.takes_sign("-");
        match self.next() {
            Some(Token::Number(digits)) => Ok((
                Operand::Literal(number(&digits, is_negative)?),
                ValueKind::Number,
            )),
            Some(_) if is_negative => Err(ExpressionError::new("`-` stands before no number")),
            Some(Token::Text(text)) => {
                let value = Literal::Text(text);
                Ok((Operand::Literal(value), ValueKind::Text))
            }
            Some(Token::Name(name)) => match (name.as_str(), self.peek()) {
                ("true", _) => Ok((Operand::Literal(Literal::Boolean(true)), ValueKind::Boolean)),
                ("false", _) => Ok((
                    Operand::Literal(Literal::Boolean(false)),
                    ValueKind::Boolean,
                )),
                ("null", _) => Err(ExpressionError::new(
                    "nothing is equal to null; write `is null`",
                )),
                ("date", Some(Token::Text(text))) => {
                    let day = date(text)?;
                    self.at += 1;
                    Ok((Operand::Literal(Literal::Date(day)), ValueKind::Date))
                }
                (_, Some(Token::Sign("("))) => {
                    Err(unknown("function", &name, &["same_month", "days_between"]))
                }
                _ => {
                    let kind = self.column(&name)?;
                    Ok((Operand::Column(name), kind))
                }
            },
            Some(Token::Sign(sign)) => Err(ExpressionError::new(format!(
                "a column or value is expected, not `{sign}`"
            ))),
            None => Err(ExpressionError::new(
                "the condition ends where a column or value is expected",
            )),
        }
    }

    fn two_dates(&mut self, function: &str) -> Parsed<(String, String)> {
        self.at += 1;
        self.expect_sign("(")?;
        let first = self.date_column(function)?;
        self.expect_sign(",")?;
        let second = self.date_column(function)?;
        self.expect_sign(")")?;
        Ok((first, second))
    }

    fn date_column(&mut self, function: &str) -> Parsed<String> {
        match self.next() {
            Some(Token::Name(name)) => match self.column(&name)? {
                ValueKind::Date => Ok(name),
                kind => Err(ExpressionError::new(format!(
                    "{function} takes date columns, `{name}` is {}",
                    kind.describe()
                ))),
            },
            _ => Err(ExpressionError::new(format!(
                "{function} takes two date columns"
            ))),
        }
    }

    fn column(&self, name: &str) -> Parsed<ValueKind> {
        match self.columns.iter().find(|(column, _)| column == name) {
            Some((_, kind)) => Ok(*kind),
            None => {
                let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
                Err(unknown("column", name, &names))
            }
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is_call(&self, function: &str) -> bool {
        self.peek() == Some(&Token::Name(function.to_owned()))
            && self.tokens.get(self.at + 1) == Some(&Token::Sign("("))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let takes =
            matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(word));
        self.at += usize::from(takes);
        takes
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let takes = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(takes);
        takes
    }

    fn expect_sign(&mut self, sign: &str) -> Parsed<()> {
        if self.takes_sign(sign) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{sign}`")))
        }
    }

    fn expected(&self, what: &str) -> ExpressionError {
        ExpressionError::new(match self.peek() {
            Some(token) => format!("{what} is expected, not `{}`", token.shown()),
            None => format!("{what} is expected where the condition ends"),
        })
    }
}

fn one_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

fn compared(
    comparison: Comparison,
    left: Operand,
    left_kind: ValueKind,
    right: Operand,
    right_kind: ValueKind,
) -> Parsed<Expression> {
    let (left, right, kind) = match (left, right) {
        (Operand::Literal(_), Operand::Literal(_)) => {
            return Err(ExpressionError::new("a comparison names no column"));
        }
        (left, Operand::Literal(literal)) => {
            let literal = literal_as(literal, right_kind, left_kind)?;
            (left, Operand::Literal(literal), left_kind)
        }
        (Operand::Literal(literal), right) => {
            let literal = literal_as(literal, left_kind, right_kind)?;
            (Operand::Literal(literal), right, right_kind)
        }
        (left, right) if left_kind == right_kind => (left, right, left_kind),
        _ => {
            return Err(ExpressionError::new(format!(
                "{} is compared with {}",
                left_kind.describe(),
                right_kind.describe()
            )));
        }
    };
    let is_order = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if is_order && matches!(kind, ValueKind::Key | ValueKind::Boolean) {
        return Err(ExpressionError::new(format!(
            "{} has no order; only = and <> compare it",
            kind.describe()
        )));
    }
    Ok(Expression::Compare {
        comparison,
        left,
        right,
    })
}

/// The literal in the kind of what it is compared with; a text may be a date.
fn literal_as(literal: Literal, kind: ValueKind, wanted: ValueKind) -> Parsed<Literal> {
    match (literal, wanted) {
        (Literal::Text(text), ValueKind::Date) => Ok(Literal::Date(date(&text)?)),
        (literal, wanted) if kind == wanted => Ok(literal),
        (_, wanted) => Err(ExpressionError::new(format!(
            "{} is compared with {}",
            wanted.describe(),
            kind.describe()
        ))),
    }
}

fn number(digits: &str, is_negative: bool) -> Parsed<Literal> {
    let wrong = || ExpressionError::new(format!("`{digits}` is no number"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 18 || digits.ends_with('.') {
        return Err(wrong());
    }
    let magnitude: i128 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    // Beyond this a comparison at another scale could overflow.
    if magnitude > 10i128.pow(19) {
        return Err(wrong());
    }
    Ok(Literal::Number {
        unscaled: if is_negative { -magnitude } else { magnitude },
        scale: fraction.len() as u32,
    })
}

fn date(text: &str) -> Parsed<i32> {
    use chrono::Datelike;
    const EPOCH_FROM_CE: i32 = 719_163;
    match text.parse::<chrono::NaiveDate>() {
        Ok(day) if text.len() == 10 => Ok(day.num_days_from_ce() - EPOCH_FROM_CE),
        _ => Err(ExpressionError::new(format!(
            "`{text}` is no date; write '2024-08-31'"
        ))),
    }
}

fn unknown(kind: &str, name: &str, known: &[&str]) -> ExpressionError {
    ExpressionError {
        message: format!("no {kind} is called `{name}`"),
        hint: nearest_name(name, known.iter().copied())
            .map(|nearest| format!("did you mean `{nearest}`?")),
    }
}
