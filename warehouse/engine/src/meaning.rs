//! SQL text reduced to what the planner makes of it: neither brackets that change nothing nor the names that a
//! statement gives its relations count.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use goyong_catalog::normalise_sql;
use sha2::{Digest, Sha256};

use crate::memo::hex;

/// A text that two statements share only when they mean the same. Slower than `normalise_sql`, which tells fewer
/// of them to be equal; what cannot be parsed is told apart as that does.
pub(crate) fn meaning_of(sql: &str) -> String {
    match parsed(sql) {
        Some((mut statement, words)) => {
            let mut brackets = Brackets::default();
            let _ = statement.visit(&mut brackets);
            if !brackets.shows_names {
                rename_relations(&mut statement, &words);
            }
            let mut digest = StableDigest(Sha256::new());
            statement.hash(&mut digest);
            hex(&digest.0.finalize())
        }
        None => normalise_sql(sql),
    }
}

/// How often each word stands in a statement, string literals included.
type Words = BTreeMap<String, usize>;

/// The one statement of a text, letters folded as the planner folds them, and its words.
fn parsed(sql: &str) -> Option<(Statement, Words)> {
    let dialect = GenericDialect {};
    let mut tokens = Tokenizer::new(&dialect, sql).tokenize().ok()?;
    let mut words = Words::new();
    for token in &mut tokens {
        match token {
            Token::Word(word) => {
                let folded = match word.quote_style {
                    None => word.value.to_lowercase(),
                    Some(_) => word.value.clone(),
                };
                *words.entry(folded.clone()).or_default() += 1;
                *token = match (word.quote_style, Token::make_word(&folded, None)) {
                    (None, folded) => folded,
                    // Quotes that change nothing: neither letters nor a word of the language.
                    (Some('"'), Token::Word(plain))
                        if plain.keyword == Keyword::NoKeyword && is_plain(&folded) =>
                    {
                        Token::Word(plain)
                    }
                    (quotes, _) => Token::make_word(&folded, quotes),
                };
            }
            Token::SingleQuotedString(text) => {
                *words.entry(text.clone()).or_default() += 1;
            }
            _ => {}
        }
    }
    let mut parser = Parser::new(&dialect).with_tokens(tokens);
    let mut statements = parser.parse_statements().ok()?;
    let statement = statements.pop()?;
    statements.is_empty().then_some((statement, words))
}

fn is_plain(word: &str) -> bool {
    let mut letters = word.bytes();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_')
}

/// Takes away brackets and words that say nothing, and sees whether a name of a relation becomes part of a column's.
#[derive(Default)]
struct Brackets {
    shows_names: bool,
}

impl VisitorMut for Brackets {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            let operator = &mut join.join_operator;
            *operator = match std::mem::replace(operator, JoinOperator::CrossApply) {
                JoinOperator::Inner(on) => JoinOperator::Join(on),
                JoinOperator::LeftOuter(on) => JoinOperator::Left(on),
                JoinOperator::RightOuter(on) => JoinOperator::Right(on),
                other => other,
            };
        }
        // The name of an expression that is given none spells out the relations of its columns.
        self.shows_names |= select.projection.iter().any(|item| {
            let SelectItem::UnnamedExpr(written) = item else {
                return false;
            };
            !matches!(
                inside(written),
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
            )
        });
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // `order by (1)` is no column number: brackets around a literal stay.
        if matches!(expr, Expr::Nested(_)) && !matches!(inside(expr), Expr::Value(_)) {
            while let Expr::Nested(inner) = expr {
                let inner = std::mem::replace(inner.as_mut(), Expr::Identifier(Ident::new("")));
                *expr = inner;
            }
        }
        ControlFlow::Continue(())
    }
}

/// An expression without the brackets around it.
fn inside(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// Numbers the relations that a statement names itself. A name of which not every occurrence is known to mean the
/// relation stays.
fn rename_relations(statement: &mut Statement, words: &Words) {
    let mut relations = Relations::default();
    let _ = statement.visit(&mut relations);
    let declared = std::mem::take(&mut relations.declared);
    relations.numbers = declared
        .into_iter()
        .filter(|name| words.get(name) == relations.seen.get(name))
        .enumerate()
        // No word of a text has a zero byte in it.
        .map(|(number, name)| (name, format!("\0{number}")))
        .collect();
    if !relations.numbers.is_empty() {
        let _ = statement.visit(&mut relations);
    }
}

/// Counts where names of relations stand, or writes numbers there.
#[derive(Default)]
struct Relations {
    /// Names that the statement gives, in the order it gives them.
    declared: Vec<String>,
    known: BTreeSet<String>,
    /// How often each word was seen to name a relation.
    seen: BTreeMap<String, usize>,
    numbers: BTreeMap<String, String>,
}

impl Relations {
    fn declare(&mut self, alias: Option<&mut TableAlias>) {
        if let Some(alias) = alias {
            alias.explicit = true;
            let name = &alias.name.value;
            if self.numbers.is_empty() && self.known.insert(name.clone()) {
                self.declared.push(name.clone());
            }
            self.name(&mut alias.name);
        }
    }

    fn name(&mut self, name: &mut Ident) {
        *self.seen.entry(name.value.clone()).or_default() += 1;
        if let Some(number) = self.numbers.get(&name.value) {
            name.value.clone_from(number);
            name.quote_style = None;
        }
    }

    fn object(&mut self, name: &mut ObjectName) {
        if let [ObjectNamePart::Identifier(name)] = name.0.as_mut_slice() {
            self.name(name);
        }
    }
}

impl VisitorMut for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            self.declare(Some(&mut table.alias));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                _,
            ) = item
            {
                self.object(name);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        self.object(relation);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => self.declare(alias.as_mut()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let Some(first) = parts.first_mut()
        {
            self.name(first);
        }
        ControlFlow::Continue(())
    }
}

/// Hashing of a statement: the parts of it that say where it was written take no part.
struct StableDigest(Sha256);

impl Hasher for StableDigest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_names_of_relations_do_not_count() {
        let plain = "with paid as (select person_key, won from \"core\".\"pay\" as p where p.won > 0 and p.kind = 'a') \
             select q.person_key, sum(q.won) + 1 as total from paid as q join \"core\".\"person\" as r \
             on r.person_key = q.person_key where exists (select 1 as one from paid as s where s.won = q.won) group by q.person_key";
        let dressed = "WITH earned AS (SELECT person_key, won FROM core.pay income WHERE ((income.won > 0)) AND (income.kind = 'a')) \
             select (earner.person_key), (sum(earner.won)) + 1 as total from earned earner inner join core.person as who \
             on (who.person_key = earner.person_key) where exists (select 1 as one from earned as again where (again.won = earner.won)) group by earner.person_key";
        assert_eq!(meaning_of(plain), meaning_of(dressed));
    }

    #[test]
    fn what_the_planner_sees_counts() {
        for (one, other) in [
            (
                "select (a + b) * c as x from t",
                "select a + b * c as x from t",
            ),
            ("select a as x from t", "select \"A\" as x from t"),
            ("select a as x from t", "select a as y from t"),
            ("select 'a' as x from t", "select 'A' as x from t"),
            ("select a from t order by 1", "select a from t order by (1)"),
            // The name of the column is `p.a + Int64(1)`.
            ("select p.a + 1 from t as p", "select q.a + 1 from t as q"),
            // The two sides change places.
            (
                "select p.a, q.b from t as p join u as q on p.k = q.k",
                "select q.a, p.b from t as p join u as q on p.k = q.k",
            ),
            (
                "select p.a from t as p left join u as q on p.k = q.k",
                "select p.a from t as p join u as q on p.k = q.k",
            ),
            // `month` is a relation in one and a column in the other.
            (
                "select p.a from t as p, u as month where month = 1",
                "select p.a from t as p, u as m where month = 1",
            ),
            (
                "select count(p.*) as n from t as p join u as q on p.k = q.k",
                "select count(p.*) as n from t as q join u as p on q.k = p.k",
            ),
            ("select a from t -- x\n", "select a from u"),
            ("select a from", "select b from"),
        ] {
            assert_ne!(meaning_of(one), meaning_of(other), "{one} | {other}");
        }
    }

    #[test]
    fn layout_does_not_count() {
        assert_eq!(
            meaning_of("select a,b from t where c = 1;"),
            meaning_of("SELECT a , b -- why\nFROM \"t\" where (c=1)")
        );
    }
}
