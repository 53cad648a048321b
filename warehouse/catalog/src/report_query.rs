//! What the engine has to know of a report: its queries, and whether small cells are protected.

use serde::Deserialize;

use crate::files::stem;
use crate::problem::Problem;
use crate::project::Project;

/// One query of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportQuery {
    /// The file below `reports/`.
    pub file: String,
    /// The report, `labour-market`.
    pub report: String,
    /// The table of the report.
    pub table: String,
    /// The query before rendering.
    pub sql: String,
    /// Whether what it gives passes disclosure control before anybody sees it.
    pub is_protected: bool,
    /// Line of the table's name in the file.
    pub line: Option<usize>,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    sql: String,
    #[serde(default)]
    disclosure: Option<serde_yaml_ng::Value>,
}

impl Project {
    /// The queries of every report, in the order of the files.
    pub fn report_queries(&self) -> Result<Vec<ReportQuery>, Problem> {
        let mut queries = Vec::new();
        for (file, text) in self.files().below("reports", "yml") {
            let report: Report = serde_yaml_ng::from_str(text)
                .map_err(|error| Problem::new(file, error.to_string()))?;
            for table in report.tables {
                let name = format!("name: {}", table.name);
                let line = text
                    .lines()
                    .position(|line| line.trim_end().ends_with(&name));
                queries.push(ReportQuery {
                    file: file.to_owned(),
                    report: stem(file).to_owned(),
                    line: line.map(|line| line + 1),
                    is_protected: table.disclosure.is_some(),
                    table: table.name,
                    sql: table.sql,
                });
            }
        }
        Ok(queries)
    }
}
