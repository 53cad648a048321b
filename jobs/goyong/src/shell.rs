//! `goyong sql` without a statement: an interactive shell on one release.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use goyong_nightly::ReadSession;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper};

use crate::arguments::OutputFormat;
use crate::output;

const HELP: &str = "\
\\d            tables of the release
\\d TABLE      columns of a table
\\format FMT   table, csv, json or ndjson
\\timing       show or hide how long a statement took
\\q            leave
A statement ends with a semicolon and may span lines. Only queries are allowed.";

const KEYWORDS: [&str; 26] = [
    "select",
    "from",
    "where",
    "group by",
    "order by",
    "having",
    "limit",
    "join",
    "left join",
    "on",
    "as",
    "with",
    "union all",
    "distinct",
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "case",
    "when",
    "between",
    "interval",
    "date",
    "explain",
    "describe",
];

/// Runs the shell until the user leaves it.
pub async fn run(
    session: &ReadSession,
    release_id: &str,
    history_file: &Path,
    format: OutputFormat,
) -> Result<()> {
    let tables = session.tables();
    let mut names: Vec<String> = KEYWORDS.iter().map(|word| (*word).to_owned()).collect();
    for table in &tables {
        let name = table.table.to_string();
        for column in session.describe(&name).await? {
            names.push(column.name);
        }
        names.push(name);
    }
    names.sort();
    names.dedup();
    let mut editor = Editor::<ShellHelper, _>::new()?;
    editor.set_helper(Some(ShellHelper { names }));
    let _no_history_yet = editor.load_history(history_file);
    let interactive = std::io::stdin().is_terminal();
    if interactive {
        tracing::info!(
            "release {release_id}, {} tables; \\? for help, \\q to leave",
            tables.len()
        );
    }
    let mut state = ShellState {
        session,
        format,
        timing: interactive,
    };
    loop {
        match editor.readline("goyong> ") {
            Ok(line) => {
                let line = line.trim();
                if line.is_empty() {
                    continue;
                }
                editor.add_history_entry(line)?;
                if matches!(line, "\\q" | "quit" | "exit" | "quit;" | "exit;") {
                    break;
                }
                if let Err(error) = state.answer(line).await {
                    tracing::error!("{error:#}");
                }
            }
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if interactive {
        editor.save_history(history_file)?;
    }
    Ok(())
}

struct ShellState<'a> {
    session: &'a ReadSession,
    format: OutputFormat,
    timing: bool,
}

impl ShellState<'_> {
    async fn answer(&mut self, line: &str) -> Result<()> {
        let mut out = output::stdout();
        let mut words = line.trim_end_matches(';').split_whitespace();
        match (words.next(), words.next()) {
            (Some("\\?" | "\\h" | "help"), _) => writeln!(out, "{HELP}")?,
            (Some("\\d" | "\\dt"), None) => {
                let rows: Vec<Vec<String>> = self
                    .session
                    .tables()
                    .iter()
                    .map(|table| {
                        vec![
                            table.table.to_string(),
                            table.rows.to_string(),
                            table.version.to_string(),
                        ]
                    })
                    .collect();
                output::write_rows(&["table", "rows", "version"], &rows, self.format, &mut out)?;
            }
            (Some("\\d"), Some(table)) => {
                let rows: Vec<Vec<String>> = self
                    .session
                    .describe(table)
                    .await?
                    .into_iter()
                    .map(|column| vec![column.name, column.data_type, column.description])
                    .collect();
                output::write_rows(
                    &["column", "type", "description"],
                    &rows,
                    self.format,
                    &mut out,
                )?;
            }
            (Some("\\timing"), _) => {
                self.timing = !self.timing;
                writeln!(out, "timing is {}", if self.timing { "on" } else { "off" })?;
            }
            (Some("\\format"), Some(format)) => {
                self.format =
                    <OutputFormat as clap::ValueEnum>::from_str(format, true).map_err(|_| {
                        anyhow::anyhow!("no format `{format}`, use table, csv, json or ndjson")
                    })?;
            }
            (Some(command), _) if command.starts_with('\\') => {
                anyhow::bail!("no command `{command}`, \\? lists them");
            }
            _ => {
                let started = Instant::now();
                let batches = self.session.query(line.trim_end_matches(';')).await?;
                output::write_batches(&batches, self.format, &mut out)?;
                if self.timing {
                    writeln!(out, "{:.1} ms", started.elapsed().as_secs_f64() * 1000.0)?;
                }
            }
        }
        Ok(())
    }
}

struct ShellHelper {
    names: Vec<String>,
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let start = line[..position]
            .rfind(|character: char| !(character.is_alphanumeric() || "_.".contains(character)))
            .map_or(0, |before| before + 1);
        let prefix = line[start..position].to_lowercase();
        let candidates = self
            .names
            .iter()
            .filter(|name| !prefix.is_empty() && name.starts_with(&prefix))
            .map(|name| Pair {
                display: name.clone(),
                replacement: name.clone(),
            })
            .collect();
        Ok((start, candidates))
    }
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let line = context.input().trim();
        let complete = line.is_empty()
            || line.ends_with(';')
            || line.starts_with('\\')
            || matches!(line, "quit" | "exit" | "help");
        Ok(if complete {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Hinter for ShellHelper {
    type Hint = String;
}

impl Highlighter for ShellHelper {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Borrowed(hint)
    }
}

impl Helper for ShellHelper {}
