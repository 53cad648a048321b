//! The conditions of contracts: a small typed language over the columns of one row.
//!
//! ```text
//! paid_from <= paid_to and same_month(paid_to, paid_month)
//! kind in ('a', 'b') or amount_won > 0
//! lost_on is null or days_between(acquired_on, lost_on) >= 0
//! ```

mod lexer;
mod parser;

pub use parser::ExpressionError;

/// A condition whose names and types are checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// Two values of one kind are compared.
    Compare {
        /// How.
        comparison: Comparison,
        /// Left of it.
        left: Operand,
        /// Right of it.
        right: Operand,
    },
    /// A value is one of a list.
    In {
        /// The value.
        operand: Operand,
        /// The list, of the value's kind.
        values: Vec<Literal>,
    },
    /// A column has no value.
    IsNull(String),
    /// Two days lie in the same month.
    SameMonth(String, String),
    /// A boolean column says yes.
    IsTrue(String),
    /// All hold.
    And(Vec<Expression>),
    /// One holds.
    Or(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Of a column.
    Column(String),
    /// Written in the condition.
    Literal(Literal),
    /// Days from the first date column to the second.
    DaysBetween(String, String),
}

/// A value written in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A number: digits without point, and how many of them stand behind it.
    Number {
        /// The digits as an integer.
        unscaled: i128,
        /// Digits behind the point.
        scale: u32,
    },
    /// A text.
    Text(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Yes or no.
    Boolean(bool),
}

/// What kind of value a column holds, as far as conditions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Any number.
    Number,
    /// Text.
    Text,
    /// A day; months are their first day.
    Date,
    /// A moment.
    Timestamp,
    /// Yes or no.
    Boolean,
    /// A pseudonym: only compared for being the same.
    Key,
}

impl ValueKind {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Date => "a date",
            Self::Timestamp => "a timestamp",
            Self::Boolean => "a boolean",
            Self::Key => "a key",
        }
    }
}

impl Expression {
    /// Reads a condition; `kind_of` tells what a column holds, `None` when there is no such column.
    pub fn parse(text: &str, columns: &[(String, ValueKind)]) -> Result<Self, ExpressionError> {
        parser::parse(text, columns)
    }

    /// The columns it names, each once, in the order of the text.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names
    }

    fn collect<'e>(&'e self, names: &mut Vec<&'e str>) {
        let mut add = |name: &'e str| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        let mut operand = |operand: &'e Operand| match operand {
            Operand::Column(name) => add(name),
            Operand::DaysBetween(from, to) => {
                add(from);
                add(to);
            }
            Operand::Literal(_) => {}
        };
        match self {
            Self::Compare { left, right, .. } => {
                operand(left);
                operand(right);
            }
            Self::In { operand: value, .. } => operand(value),
            Self::IsNull(name) | Self::IsTrue(name) => add(name),
            Self::SameMonth(left, right) => {
                add(left);
                add(right);
            }
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.collect(names);
                }
            }
            Self::Not(part) => part.collect(names),
        }
    }
}

#[cfg(test)]
mod tests;
