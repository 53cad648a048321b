//! Who may receive which tags, and the refusal that says how a tag came to a column.

use goyong_types::TableName;

use crate::lineage::{ColumnRef, LineageNode, ProjectLineage};
use crate::policy::point_in_time::Leak;

/// The tag of digests of accounts and devices.
pub const ACCOUNT_TAG: &str = "account";

/// What no report receives, protected or not.
pub const REPORT_NEVER: [&str; 4] = ["direct_identifier", "pseudonym", ACCOUNT_TAG, "free_text"];

/// What a report receives only through disclosure control.
const REPORT_PROTECTED: [&str; 2] = ["quasi_identifier", "sensitive"];

/// What a reader receives that is above the clearance: column, tag, and the way from the contract.
fn refused_by<'a>(
    lineage: &ProjectLineage,
    node: &'a LineageNode,
    allow: impl Fn(&str) -> bool,
) -> Vec<(&'a str, String, Vec<ColumnRef>)> {
    let mut refused = Vec::new();
    for column in &node.columns {
        for tag in node.tags.get(column).into_iter().flatten() {
            if allow(tag) {
                continue;
            }
            let values = node.lineage.values_of(column);
            let source = values.iter().find(|(source, carry)| {
                let of_source = lineage.tags(&source.table, &source.column);
                super::inherited(&of_source, **carry).contains(tag)
            });
            let chain = source
                .map(|(source, _)| lineage.chain(&source.table, &source.column, tag))
                .unwrap_or_default();
            refused.push((column.as_str(), tag.clone(), chain));
        }
    }
    refused
}

impl ProjectLineage {
    /// What a report query would receive above its clearance, one line each.
    pub(crate) fn report_problems(&self, table: &TableName, place: &str) -> Vec<String> {
        let Some(node) = self.node(table) else {
            return Vec::new();
        };
        let is_allowed = |tag: &str| node.is_protected && REPORT_PROTECTED.contains(&tag);
        refused_by(self, node, is_allowed)
            .into_iter()
            .map(|(column, tag, chain)| {
                let advice = if REPORT_NEVER.contains(&tag.as_str()) {
                    "leave it out, count it, or declassify it in the model with a reason"
                } else {
                    "let the table pass `disclosure`, or declassify the column in its model with a reason"
                };
                format!(
                    "{place}: column `{column}` is {}: {}; {advice}",
                    word(&tag),
                    arrows(column, &chain)
                )
            })
            .collect()
    }

    /// What is wrong with the reports of the project, one line each.
    pub fn problems_of_reports(&self) -> Vec<&str> {
        let nodes = self.nodes();
        let reports = nodes.filter(|(_, node)| node.kind == crate::lineage::NodeKind::Report);
        reports
            .flat_map(|(_, node)| node.problems.iter().map(String::as_str))
            .collect()
    }

    /// What is wrong with a table's header or select, as one line.
    pub fn problem_of(&self, table: &TableName) -> Option<String> {
        let node = self.node(table)?;
        (!node.problems.is_empty()).then(|| node.problems.join("; "))
    }
}

impl LineageNode {
    /// Says of a feature what it reads that was not known yet.
    pub(crate) fn add_point_in_time_problems(&mut self, table: &TableName) {
        const MOST_SHOWN: usize = 8;
        if let Some(label) = &self.depends_on_label {
            self.problems.push(format!(
                "{}: a feature reads the label {label}, which was not known at as_of",
                self.file
            ));
        }
        let of_columns: Vec<&Leak> = self
            .leaks
            .iter()
            .filter(|leak| leak.column.is_some())
            .collect();
        let of_rows = self.leaks.iter().filter(|leak| leak.column.is_none());
        // A row that should not be there says more than the columns it fills.
        let mut shown: Vec<&Leak> = of_rows.collect();
        for leak in of_columns {
            let same = |other: &&Leak| other.table == leak.table && other.known_by == leak.known_by;
            if !shown.iter().any(same) {
                shown.push(leak);
            }
        }
        for leak in shown.iter().take(MOST_SHOWN) {
            let target = match &leak.column {
                Some(column) => format!("{table}.{column}"),
                None => format!("{table} (which rows it has)"),
            };
            let steps: Vec<&str> = std::iter::once(target.as_str())
                .chain(leak.path.iter().map(String::as_str))
                .collect();
            let (what, advice) = match &leak.known_by {
                Some(known_by) => (
                    format!("{} without a bound on {known_by}", leak.table),
                    format!(
                        "before rows are put together keep those with `{known_by} <= date '{{{{ var('as_of') }}}}'`, or at most a date that is bounded itself"
                    ),
                ),
                None => (
                    format!("{}, of which no column says when it was known", leak.table),
                    "carry the day of knowledge through, or name it in the header with `known_on`"
                        .to_owned(),
                ),
            };
            self.problems.push(format!(
                "{}: reads what was not known at as_of: {} ← {what}; {advice}",
                self.file,
                steps.join(" ← ")
            ));
        }
    }
}

fn word(tag: &str) -> String {
    match tag {
        "direct_identifier" => "a direct identifier".into(),
        "pseudonym" => "a pseudonym".into(),
        "account" => "the digest of an account".into(),
        "quasi_identifier" => "a quasi identifier".into(),
        "free_text" => "free text".into(),
        other => other.to_owned(),
    }
}

/// `column ← table.column ← table.column`.
pub(crate) fn arrows(column: &str, chain: &[ColumnRef]) -> String {
    let mut steps = vec![column.to_owned()];
    steps.extend(chain.iter().map(ToString::to_string));
    steps.join(" ← ")
}
