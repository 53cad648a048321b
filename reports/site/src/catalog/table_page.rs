//! What the page of one table is given.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::CatalogPages;
use super::columns::{ColumnName, EVERY_COLUMN, source};
use super::inputs::{CatalogChange, CatalogColumn, CatalogTable, Freshness, StoredTable};
use super::picture::picture;
use super::words::kind_text;
use crate::language::{Bilingual, Language};
use crate::number::grouped;

/// Most names in one list of a cell; the rest is counted.
const MOST_LISTED: usize = 8;
/// Most edges of one column.
const MOST_EDGES: usize = 16;
/// Most tables listed below a table in the text of the picture.
const MOST_NESTED: usize = 8;
/// Most partitions and most changes shown; the newest.
const MOST_PARTITIONS: usize = 36;
const MOST_CHANGES: usize = 30;
/// Longest expression that is written out, in letters.
const LONGEST_EXPRESSION: usize = 240;

impl<'a> CatalogPages<'a> {
    /// Everything of one table, in one language.
    pub(crate) fn table(&self, index: usize, language: Language) -> Value {
        let table = self.graph.tables[index];
        let name: &'a str = &self.graph.names[index];
        json!({
            "schema": table.schema,
            "table": table.name,
            "heading": table.title.get(language),
            "description": table.description.get(language),
            "grain": table.grain.join(", "),
            "kind": kind_text(&table.kind, language),
            "is_source": table.kind == "source",
            "is_stored": table.kind != "view",
            "owner": table.owner.get(language),
            "legal_basis": table.legal_basis.get(language),
            "origin": table.origin.get(language),
            "licence": table.licence,
            "tags": table.tags,
            "partition_by": table.partition_by,
            "columns": table.columns.iter()
                .map(|column| self.column(name, table, column, language))
                .collect::<Vec<_>>(),
            "tests": tests(table),
            "checks": self.checks[index].iter()
                .map(|check| {
                    let check = &self.catalog.checks[*check];
                    json!({
                        "name": check.name,
                        "description": check.description.get(language),
                        "result": check.outcome.result.key(),
                    })
                })
                .collect::<Vec<_>>(),
            "picture": picture(self.graph, self.reports, index, language),
            "reads": self.tree(index, true, language),
            "readers": self.tree(index, false, language),
            "unknown_reads": table.reads.iter()
                .filter(|read| self.graph.get(read).is_none())
                .collect::<Vec<_>>(),
            "reports": self.report_links(index, language),
            "column_lineage": self.column_lineage(name, table, language),
            "influences": self.influences(name, table, language),
            "freshness": table.freshness.as_ref().map(|known| freshness(known, language)),
            "sources": self.sources(index, language),
            "definition": table.definition,
            "stored": table.stored.as_ref().map(stored),
            "history": history(&table.history),
            "older_changes": table.history.len().saturating_sub(MOST_CHANGES),
            "changed": table.history.first().map(|change| json!({
                "release": change.release,
                "date": change.business_date.to_string(),
            })),
        })
    }

    fn column(
        &self,
        name: &'a str,
        table: &CatalogTable,
        column: &'a CatalogColumn,
        language: Language,
    ) -> Value {
        let here: ColumnName<'a> = (name, &column.name);
        let own = !column.title.is_empty() || !column.description.is_empty();
        let inherited = if own {
            None
        } else {
            self.columns.described_by(here)
        };
        let (title, description) = match inherited {
            Some((_, from)) => (&from.title, &from.description),
            None => (&column.title, &column.description),
        };
        let tags: Vec<Value> = column
            .tags
            .iter()
            .map(|tag| {
                let origins: Vec<ColumnName<'a>> = self.columns.tag_origins(here, tag).collect();
                json!({
                    "text": kind_text(tag, language),
                    "origins": self.column_links(&origins[..origins.len().min(2)]),
                    "more": origins.len().saturating_sub(2),
                })
            })
            .collect();
        json!({
            "name": column.name,
            "data_type": column.data_type,
            "key": table.grain.contains(&column.name),
            "title": title.get(language),
            "description": text_unless_same(description, title, language),
            "inherited": inherited.map(|(from, _)| self.column_link(from)),
            "unit": column.unit,
            "fields": column.fields.join(", "),
            "tags": tags,
            "declassified": column.declassified.as_ref().map(|lowered| json!({
                "removed": lowered.removed.iter()
                    .map(|tag| kind_text(tag, language))
                    .collect::<Vec<_>>()
                    .join(", "),
                "reason": lowered.reason,
            })),
        })
    }

    /// The picture in words: each neighbour with its own neighbours below it.
    fn tree(&self, index: usize, upwards: bool, language: Language) -> Vec<Value> {
        let next = |table: usize| {
            if upwards {
                self.graph.reads(table)
            } else {
                self.graph.readers(table)
            }
        };
        next(index)
            .iter()
            .map(|table| {
                let tables = next(*table).iter();
                let mut below: Vec<Value> = tables
                    .map(|other| self.link(&self.graph.names[*other]))
                    .collect();
                if !upwards {
                    below.extend(self.graph.reports(*table).iter().map(|report| {
                        let definition = &self.reports[*report].definition;
                        json!({
                            "text": definition.title.get(language),
                            "at": format!("../reports/{}/index.html", definition.slug),
                        })
                    }));
                }
                let more = below.len().saturating_sub(MOST_NESTED);
                below.truncate(MOST_NESTED);
                json!({
                    "link": self.link(&self.graph.names[*table]),
                    "kind": kind_text(&self.graph.tables[*table].kind, language),
                    "below": below,
                    "more": more,
                })
            })
            .collect()
    }

    fn report_links(&self, index: usize, language: Language) -> Vec<Value> {
        self.graph
            .reports(index)
            .iter()
            .map(|report| {
                let definition = &self.reports[*report].definition;
                json!({ "slug": definition.slug, "title": definition.title.get(language) })
            })
            .collect()
    }

    /// For each column what its values are computed from and who computes from them.
    fn column_lineage(
        &self,
        name: &'a str,
        table: &'a CatalogTable,
        language: Language,
    ) -> Vec<Value> {
        table
            .columns
            .iter()
            .filter_map(|column| {
                let here: ColumnName<'a> = (name, &column.name);
                let values = self.columns.values(here);
                let readers: Vec<ColumnName<'a>> = self.columns.readers(here).collect();
                if values.is_empty() && readers.is_empty() {
                    return None;
                }
                let from: Vec<Value> = values
                    .iter()
                    .take(MOST_EDGES)
                    .map(|edge| {
                        json!({
                            "link": self.column_link(source(edge)),
                            "way": kind_text(&edge.subtype, language),
                            "expression": shortened(&edge.expression),
                        })
                    })
                    .collect();
                // Where every step leads straight to a source there is nothing further to say.
                let direct: BTreeSet<ColumnName<'a>> =
                    values.iter().map(|edge| source(edge)).collect();
                let origins: Vec<ColumnName<'a>> = self
                    .columns
                    .origins(here)
                    .filter(|origin| !direct.contains(origin))
                    .collect();
                Some(json!({
                    "name": column.name,
                    "from": from,
                    "more_from": values.len().saturating_sub(MOST_EDGES),
                    "origins": self.listed_columns(&origins),
                    "readers": self.listed_columns(&readers),
                }))
            })
            .collect()
    }

    fn influences(&self, name: &str, table: &CatalogTable, language: Language) -> Vec<Value> {
        self.columns
            .influences(name)
            .into_iter()
            .map(|influence| {
                let all = influence.targets.contains(&EVERY_COLUMN)
                    || influence.targets.len() >= table.columns.len();
                json!({
                    "link": self.column_link(influence.source),
                    "way": kind_text(influence.subtype, language),
                    "expression": shortened(influence.expression),
                    "all": all,
                    "targets": if all { String::new() } else { influence.targets.join(", ") },
                })
            })
            .collect()
    }

    /// The sources a table rests on and whether they came in time.
    fn sources(&self, index: usize, language: Language) -> Vec<Value> {
        self.graph
            .sources(index)
            .iter()
            .map(|source| {
                let table = self.graph.tables[*source];
                let known = table.freshness.clone().unwrap_or_default();
                json!({
                    "link": self.link(&self.graph.names[*source]),
                    "title": table.title.get(language),
                    "last_period": known.last_period,
                    "last_known_on": known.last_known_on,
                    "state": kind_text(&known.state, language),
                    "late": known.state == "overdue",
                })
            })
            .collect()
    }

    /// The first few and how many more there are.
    fn listed_columns(&self, columns: &[ColumnName<'_>]) -> Value {
        json!({
            "links": self.column_links(&columns[..columns.len().min(MOST_LISTED)]),
            "more": columns.len().saturating_sub(MOST_LISTED),
        })
    }

    fn column_links(&self, columns: &[ColumnName<'_>]) -> Vec<Value> {
        columns
            .iter()
            .map(|column| self.column_link(*column))
            .collect()
    }

    fn column_link(&self, (table, column): ColumnName<'_>) -> Value {
        let (text, anchor) = if column == EVERY_COLUMN {
            (table.to_owned(), String::new())
        } else {
            (format!("{table}.{column}"), format!("#column-{column}"))
        };
        let at = match self.graph.get(table) {
            Some(known) => Some(format!(
                "{}/{}/index.html{anchor}",
                known.schema, known.name
            )),
            None => self.queries.get(table).cloned(),
        };
        json!({ "text": text, "at": at })
    }
}

fn text_unless_same<'a>(text: &'a Bilingual, shown: &Bilingual, language: Language) -> &'a str {
    if text == shown {
        ""
    } else {
        text.get(language)
    }
}

fn shortened(expression: &str) -> String {
    let one_line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.chars().count() <= LONGEST_EXPRESSION {
        return one_line;
    }
    let kept: String = one_line.chars().take(LONGEST_EXPRESSION - 1).collect();
    format!("{kept}…")
}

fn tests(table: &CatalogTable) -> Vec<Value> {
    table
        .tests
        .iter()
        .map(|test| {
            json!({
                "name": test.name,
                "result": test.result.key(),
                "failing_rows": grouped(i128::from(test.failing_rows)),
                "as_of": test.as_of.map(|day| day.to_string()),
            })
        })
        .collect()
}

fn freshness(known: &Freshness, language: Language) -> Value {
    json!({
        "cadence": kind_text(&known.cadence, language),
        "due_days": known.due_days,
        "state": kind_text(&known.state, language),
        "last_period": known.last_period,
        "last_known_on": known.last_known_on,
        "due_on": known.due_on,
        "days_late": known.days_late,
        "periods_missing": known.periods_missing,
        "deliveries": grouped(i128::from(known.deliveries)),
    })
}

fn stored(table: &StoredTable) -> Value {
    let hidden = table.partitions.len().saturating_sub(MOST_PARTITIONS);
    let partitions: Vec<Value> = table
        .partitions
        .iter()
        .skip(hidden)
        .rev()
        .map(|partition| {
            json!({
                "name": partition.name,
                "rows": grouped(i128::from(partition.rows)),
            })
        })
        .collect();
    json!({
        "version": table.version,
        "content_hash": table.content_hash,
        "rows": grouped(i128::from(table.rows)),
        "partition_count": table.partitions.len(),
        "partitions": partitions,
        "older_partitions": hidden,
    })
}

fn history(changes: &[CatalogChange]) -> Vec<Value> {
    changes
        .iter()
        .take(MOST_CHANGES)
        .enumerate()
        .map(|(index, change)| {
            let difference = changes
                .get(index + 1)
                .map(|before| i128::from(change.rows) - i128::from(before.rows));
            json!({
                "release": change.release,
                "date": change.business_date.to_string(),
                "version": change.version,
                "rows": grouped(i128::from(change.rows)),
                "difference": difference.map(signed),
                "content_hash": change.content_hash,
                "partitions": listed(&change.partitions),
                "more": change.partitions.len().saturating_sub(MOST_LISTED),
            })
        })
        .collect()
}

/// The newest ones.
fn listed(partitions: &[String]) -> String {
    let hidden = partitions.len().saturating_sub(MOST_LISTED);
    partitions[hidden..].join(", ")
}

fn signed(difference: i128) -> String {
    match difference {
        more if more > 0 => format!("+{}", grouped(more)),
        same_or_less => grouped(same_or_less),
    }
}

#[cfg(test)]
mod tests_of_texts {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_difference_has_its_sign() {
        assert_eq!(signed(1_234), "+1,234");
        assert_eq!(signed(-5), "−5");
        assert_eq!(signed(0), "0");
    }

    #[test]
    fn a_long_expression_is_cut_and_stands_on_one_line() {
        assert_eq!(shortened("a +\n   b"), "a + b");
        assert_eq!(
            shortened(&"x".repeat(1_000)).chars().count(),
            LONGEST_EXPRESSION
        );
    }

    #[test]
    fn the_newest_partitions_are_listed() {
        let months: Vec<String> = (1..=12).map(|month| format!("2025-{month:02}")).collect();
        assert!(listed(&months).starts_with("2025-05, "));
        assert_eq!(listed(&months[..1]), "2025-01");
    }
}
