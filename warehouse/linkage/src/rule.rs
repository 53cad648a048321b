//! Blocking rules: the part of SQL in which Splink users write them.
//!
//! Conditions joined by `and`:
//! - `<left> = <right>`, where each side is an expression on `l` or on `r`. At least one is needed.
//! - `<expression> is not null`.
//! - `<left> <> <right>`.
//! - `levenshtein(<left>, <right>) <= 2`, `damerau_levenshtein`, `jaro_similarity`,
//!   `jaro_winkler_similarity` and `abs(<left> - <right>)`, compared with a number.
//!
//! Expressions: `l.column`, text in quotes, `substr`/`substring`, `left`, `right`, `lower`, `upper`,
//! `trim`, `length`, `concat` and `||`, `year`, `month`, `day`, `year_month` and
//! `extract(year from …)` of dates written `2026-08-31` or `20260831`, `cast(… as text)`.

use sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, UnaryOperator, Value,
};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::comparison::Registry;
use crate::error::LinkageError;
use crate::text::{DatePart, Text};

/// Which record of a pair an expression looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) text: String,
    /// An expression on the left record equals one on the right record.
    pub(crate) equalities: Vec<(Text, Text)>,
    /// Expressions that must have a value.
    pub(crate) required: Vec<(Side, Text)>,
    /// What is looked at pair by pair.
    pub(crate) residuals: Vec<Residual>,
}

impl Rule {
    /// All columns the rule looks at.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        for (left, right) in &self.equalities {
            left.columns(&mut columns);
            right.columns(&mut columns);
        }
        for residual in &self.residuals {
            residual.left.columns(&mut columns);
            residual.right.columns(&mut columns);
        }
        columns
    }
}

/// A condition on both records that is no equality.
#[derive(Debug)]
pub(crate) struct Residual {
    pub(crate) measure: Measure,
    pub(crate) left: Text,
    pub(crate) right: Text,
    pub(crate) operator: Operator,
    pub(crate) bound: f64,
}

/// What is measured between two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// 0 if equal, 1 if not.
    Inequality,
    Levenshtein,
    DamerauLevenshtein,
    Jaro,
    JaroWinkler,
    AbsoluteDifference,
}

/// How a measure is compared with its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

/// Parses a rule and numbers its columns.
pub(crate) fn parse(text: &str, registry: &mut Registry) -> Result<Rule, LinkageError> {
    let wrong = |problem: String| LinkageError::rule(text, problem);
    let mut parser = Parser::new(&DuckDbDialect {})
        .try_with_sql(text)
        .map_err(|error| wrong(error.to_string()))?;
    let expression = parser
        .parse_expr()
        .map_err(|error| wrong(error.to_string()))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(wrong(format!("'{}' was not expected", rest.token)));
    }
    let mut reader = Reader {
        registry,
        rule: Rule {
            text: text.to_owned(),
            equalities: Vec::new(),
            required: Vec::new(),
            residuals: Vec::new(),
        },
    };
    reader.condition(&expression).map_err(wrong)?;
    let rule = reader.rule;
    if rule.equalities.is_empty() {
        return Err(wrong(
            "needs an equality between l and r, such as l.name = r.name".to_owned(),
        ));
    }
    Ok(rule)
}

struct Reader<'a> {
    registry: &'a mut Registry,
    rule: Rule,
}

impl Reader<'_> {
    fn condition(&mut self, expression: &Expr) -> Result<(), String> {
        match expression {
            Expr::Nested(inner) => self.condition(inner),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                self.condition(left)?;
                self.condition(right)
            }
            Expr::IsNotNull(inner) => {
                let (side, text) = self.one_sided(inner)?;
                self.rule.required.push((side, text));
                Ok(())
            }
            Expr::BinaryOp { left, op, right } => self.comparison(left, op, right),
            other => Err(format!(
                "'{other}' is not understood, write conditions joined by 'and'"
            )),
        }
    }

    fn comparison(&mut self, a: &Expr, op: &BinaryOperator, b: &Expr) -> Result<(), String> {
        let operator = match op {
            BinaryOperator::Eq => Operator::Equal,
            BinaryOperator::NotEq => {
                let (left, right) = self.two_sided(a, b)?;
                self.rule.residuals.push(Residual {
                    measure: Measure::Inequality,
                    left,
                    right,
                    operator: Operator::Greater,
                    bound: 0.5,
                });
                return Ok(());
            }
            BinaryOperator::Lt => Operator::Less,
            BinaryOperator::LtEq => Operator::LessOrEqual,
            BinaryOperator::Gt => Operator::Greater,
            BinaryOperator::GtEq => Operator::GreaterOrEqual,
            other => return Err(format!("operator '{other}' is not understood")),
        };
        if let Some(bound) = number(b) {
            let (measure, left, right) = self.measure(a)?;
            self.rule.residuals.push(Residual {
                measure,
                left,
                right,
                operator,
                bound,
            });
            return Ok(());
        }
        if operator != Operator::Equal {
            return Err(format!(
                "'{a} {op} {b}': only distances are compared, and with a number"
            ));
        }
        let (left, right) = self.two_sided(a, b)?;
        self.rule.equalities.push((left, right));
        Ok(())
    }

    /// `levenshtein(l.a, r.a)` or `abs(l.a - r.a)`.
    fn measure(&mut self, expression: &Expr) -> Result<(Measure, Text, Text), String> {
        let unknown = || format!("'{expression}' is no distance between l and r");
        let Expr::Function(function) = expression else {
            return Err(unknown());
        };
        let arguments = arguments(function)?;
        let name = function.name.to_string().to_lowercase();
        let measure = match name.as_str() {
            "levenshtein" | "editdist3" => Measure::Levenshtein,
            "damerau_levenshtein" => Measure::DamerauLevenshtein,
            "jaro_similarity" => Measure::Jaro,
            "jaro_winkler_similarity" => Measure::JaroWinkler,
            "abs" => {
                let [
                    Expr::BinaryOp {
                        left,
                        op: BinaryOperator::Minus,
                        right,
                    },
                ] = arguments[..]
                else {
                    return Err(unknown());
                };
                let (left, right) = self.two_sided(left, right)?;
                return Ok((Measure::AbsoluteDifference, left, right));
            }
            _ => return Err(unknown()),
        };
        let [a, b] = arguments[..] else {
            return Err(format!("'{name}' takes two arguments"));
        };
        let (left, right) = self.two_sided(a, b)?;
        Ok((measure, left, right))
    }

    /// Two expressions, one on each record, in the order left, right.
    fn two_sided(&mut self, a: &Expr, b: &Expr) -> Result<(Text, Text), String> {
        let ((a_side, a_text), (b_side, b_text)) = (self.one_sided(a)?, self.one_sided(b)?);
        match (a_side, b_side) {
            (Side::Left, Side::Right) => Ok((a_text, b_text)),
            (Side::Right, Side::Left) => Ok((b_text, a_text)),
            _ => Err(format!(
                "'{a}' and '{b}' look at the same record, write l on one side and r on the other"
            )),
        }
    }

    fn one_sided(&mut self, expression: &Expr) -> Result<(Side, Text), String> {
        let mut side = None;
        let text = self.text(expression, &mut side)?;
        match side {
            Some(side) => Ok((side, text)),
            None => Err(format!("'{expression}' names no column of l or r")),
        }
    }

    fn text(&mut self, expression: &Expr, side: &mut Option<Side>) -> Result<Text, String> {
        match expression {
            Expr::Nested(inner) => self.text(inner, side),
            Expr::CompoundIdentifier(parts) => {
                let [record, column] = &parts[..] else {
                    return Err(format!("'{expression}' is not l.column or r.column"));
                };
                let found = match record.value.as_str() {
                    "l" | "L" => Side::Left,
                    "r" | "R" => Side::Right,
                    other => return Err(format!("'{other}' is neither l nor r")),
                };
                if side.is_some_and(|known| known != found) {
                    return Err("an expression looks at both l and r".to_owned());
                }
                *side = Some(found);
                Ok(Text::Column(self.registry.column(&column.value)))
            }
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::Number(text, _) => {
                    Ok(Text::Literal(text.clone()))
                }
                other => Err(format!("the value {other} is not understood")),
            },
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let of = self.text(expr, side)?;
                let from = match substring_from {
                    Some(from) => integer(from)?,
                    None => return Err("'substr' lacks argument 2".to_owned()),
                };
                let length = substring_for.as_deref().map(integer).transpose()?;
                Ok(Text::Substring {
                    of: Box::new(of),
                    from,
                    length,
                })
            }
            Expr::Trim {
                expr,
                trim_where: None,
                trim_what: None,
                trim_characters: None,
            } => Ok(Text::Trim(Box::new(self.text(expr, side)?))),
            Expr::Extract { field, expr, .. } => {
                let part = match field {
                    DateTimeField::Year | DateTimeField::Years => DatePart::Year,
                    DateTimeField::Month | DateTimeField::Months => DatePart::Month,
                    DateTimeField::Day | DateTimeField::Days => DatePart::Day,
                    other => return Err(format!("extract({other} …) is not understood")),
                };
                Ok(Text::Date(Box::new(self.text(expr, side)?), part))
            }
            Expr::Cast {
                expr,
                data_type: DataType::Text | DataType::Varchar(_),
                ..
            } => self.text(expr, side),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::StringConcat,
                right,
            } => Ok(Text::Concat(vec![
                self.text(left, side)?,
                self.text(right, side)?,
            ])),
            Expr::Function(function) => self.function(function, side),
            other => Err(format!("the expression '{other}' is not understood")),
        }
    }

    fn function(&mut self, function: &Function, side: &mut Option<Side>) -> Result<Text, String> {
        let name = function.name.to_string().to_lowercase();
        let arguments = arguments(function)?;
        let mut first = || match arguments.first() {
            Some(argument) => self.text(argument, side).map(Box::new),
            None => Err(format!("'{name}' lacks its argument")),
        };
        let integer_at = |at: usize| match arguments.get(at) {
            Some(argument) => integer(argument),
            None => Err(format!("'{name}' lacks argument {}", at + 1)),
        };
        let (text, count) = match name.as_str() {
            "lower" => (Text::Lower(first()?), 1),
            "upper" => (Text::Upper(first()?), 1),
            "trim" => (Text::Trim(first()?), 1),
            "length" | "len" => (Text::Length(first()?), 1),
            "year" => (Text::Date(first()?, DatePart::Year), 1),
            "month" => (Text::Date(first()?, DatePart::Month), 1),
            "day" => (Text::Date(first()?, DatePart::Day), 1),
            "year_month" => (Text::Date(first()?, DatePart::YearMonth), 1),
            "left" => {
                let (of, length) = (first()?, Some(integer_at(1)?));
                (
                    Text::Substring {
                        of,
                        from: 1,
                        length,
                    },
                    2,
                )
            }
            "right" => (
                Text::Last {
                    of: first()?,
                    length: integer_at(1)?,
                },
                2,
            ),
            "substr" | "substring" => {
                let (of, from) = (first()?, integer_at(1)?);
                let length = match arguments.len() {
                    2 => None,
                    _ => Some(integer_at(2)?),
                };
                (Text::Substring { of, from, length }, arguments.len().max(2))
            }
            "concat" => {
                let parts: Result<Vec<Text>, String> =
                    arguments.iter().map(|part| self.text(part, side)).collect();
                (Text::Concat(parts?), arguments.len())
            }
            _ => return Err(format!("the function '{name}' is not understood")),
        };
        if arguments.len() != count {
            return Err(format!("'{name}' takes {count} arguments"));
        }
        Ok(text)
    }
}

fn arguments(function: &Function) -> Result<Vec<&Expr>, String> {
    let FunctionArguments::List(list) = &function.args else {
        return Err(format!("'{function}' is not understood"));
    };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Ok(expression),
            _ => Err(format!("'{function}' is not understood")),
        })
        .collect()
}

fn number(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => number(expr).map(|value| -value),
        _ => None,
    }
}

fn integer(expression: &Expr) -> Result<i64, String> {
    match number(expression) {
        Some(value) if value.fract() == 0.0 => Ok(value as i64),
        _ => Err(format!("'{expression}' is not a whole number")),
    }
}
