//! The records of all sources, column by column, every distinct text held once.

use std::sync::{Mutex, OnceLock, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::dictionary::{Dictionary, NULL};
use crate::error::LinkageError;

/// A batch with fewer records is taken in by one thread.
const WORTH_A_THREAD: usize = 4096;

/// A source, numbered in the order of [`crate::LinkerBuilder::add_source`].
pub type SourceNo = u8;

/// One column: for every row the number of its text.
#[derive(Debug, Default)]
pub(crate) struct Column {
    pub(crate) dictionary: Dictionary,
    pub(crate) numbers: Vec<u32>,
}

impl Column {
    pub(crate) fn text(&self, row: u32) -> Option<&str> {
        self.dictionary.get(self.numbers[row as usize])
    }
}

/// The rows of a source are a range of all rows.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// The records of all sources.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) sources: Vec<Source>,
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Column>,
    /// The columns once more, row by row: a pair is compared in all of them.
    cells: Vec<u32>,
    id_name: String,
    pub(crate) ids: Column,
    /// The rows by the number of their identifier, built at the first look-up.
    rows_by_id: OnceLock<Vec<(u32, u32)>>,
}

impl Records {
    pub(crate) fn new(id_name: String, names: Vec<String>) -> Self {
        let columns = names.iter().map(|_| Column::default()).collect();
        Self {
            sources: Vec::new(),
            names,
            columns,
            cells: Vec::new(),
            id_name,
            ids: Column::default(),
            rows_by_id: OnceLock::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.numbers.len()
    }

    pub(crate) fn add_source(&mut self, name: &str) -> SourceNo {
        let start = self.len() as u32;
        self.sources.push(Source {
            name: name.to_owned(),
            start,
            end: start,
        });
        (self.sources.len() - 1) as SourceNo
    }

    /// Takes in a batch of the newest source; columns are numbered by two threads.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), LinkageError> {
        let Some(source) = self.sources.last_mut() else {
            return Ok(());
        };
        let source_name = source.name.clone();
        let rows = self.ids.numbers.len() + batch.num_rows();
        if rows >= NULL as usize {
            return Err(LinkageError::Records {
                source_name,
                problem: "more than four billion records, link them in parts".to_owned(),
            });
        }
        let ids = text_column(batch, &self.id_name, &source_name)?;
        if ids.null_count() > 0 {
            return Err(LinkageError::Records {
                source_name,
                problem: format!("a record has no {}", self.id_name),
            });
        }
        let texts: Vec<ArrayRef> = self
            .names
            .iter()
            .map(|name| text_column(batch, name, &source_name))
            .collect::<Result<_, _>>()?;
        source.end = rows as u32;
        let mut work: Vec<(&mut Column, &ArrayRef, bool)> = vec![(&mut self.ids, &ids, true)];
        let named = self.columns.iter_mut().zip(&texts);
        work.extend(named.map(|(column, text)| (column, text, false)));
        if batch.num_rows() < WORTH_A_THREAD {
            for (column, text, is_id) in work {
                intern(column, text, is_id);
            }
            return Ok(());
        }
        // columns are numbered one by one, so it does not matter who takes which
        let work = Mutex::new(work);
        let take = || work.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let intern_some = || {
            while let Some((column, text, is_id)) = take() {
                intern(column, text, is_id);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(intern_some);
            intern_some();
        });
        Ok(())
    }

    /// Gives up what only new rows need, and refuses an identifier that stands twice in a source.
    pub(crate) fn freeze(&mut self) -> Result<(), LinkageError> {
        let mut seen = vec![NULL; self.ids.dictionary.len()];
        for (number, source) in self.sources.iter().enumerate() {
            for row in source.start..source.end {
                let id = self.ids.numbers[row as usize] as usize;
                if seen[id] == number as u32 {
                    return Err(LinkageError::Records {
                        source_name: source.name.clone(),
                        problem: format!(
                            "{} is not unique, row {} has that of an earlier row",
                            self.id_name,
                            row - source.start + 1
                        ),
                    });
                }
                seen[id] = number as u32;
            }
        }
        for column in self.columns.iter_mut().chain([&mut self.ids]) {
            column.dictionary.freeze();
            column.numbers.shrink_to_fit();
        }
        let width = self.columns.len();
        self.cells = vec![NULL; width * self.len()];
        for (at, column) in self.columns.iter().enumerate() {
            let cells = self.cells.iter_mut().skip(at).step_by(width);
            for (cell, &number) in cells.zip(&column.numbers) {
                *cell = number;
            }
        }
        Ok(())
    }

    /// The number of a row's text in a column.
    pub(crate) fn number(&self, row: u32, column: usize) -> u32 {
        self.cells[row as usize * self.columns.len() + column]
    }

    pub(crate) fn source_of(&self, row: u32) -> SourceNo {
        self.sources.partition_point(|source| source.end <= row) as SourceNo
    }

    pub(crate) fn row(&self, source: SourceNo, id: &str) -> Option<u32> {
        let rows = self.rows_by_id.get_or_init(|| {
            let numbered = self.ids.numbers.iter().zip(0_u32..);
            let mut rows: Vec<(u32, u32)> = numbered.map(|(&number, row)| (number, row)).collect();
            rows.sort_unstable_by(|a, b| {
                let texts = (self.ids.dictionary.text(a.0), self.ids.dictionary.text(b.0));
                texts.0.cmp(texts.1).then(a.1.cmp(&b.1))
            });
            rows
        });
        let first = rows.partition_point(|&(number, _)| self.ids.dictionary.text(number) < id);
        rows[first..]
            .iter()
            .take_while(|&&(number, _)| self.ids.dictionary.text(number) == id)
            .map(|&(_, row)| row)
            .find(|&row| self.source_of(row) == source)
    }

    pub(crate) fn check_row(&self, row: u32) -> Result<(), LinkageError> {
        if (row as usize) < self.len() {
            return Ok(());
        }
        Err(LinkageError::Row(row))
    }
}

/// A column as text.
fn text_column(
    batch: &RecordBatch,
    name: &str,
    source_name: &str,
) -> Result<ArrayRef, LinkageError> {
    let Some(column) = batch.column_by_name(name) else {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        return Err(LinkageError::Column {
            source_name: source_name.to_owned(),
            column: name.to_owned(),
            columns: names.join(", "),
        });
    };
    match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Ok(column.clone()),
        _ => Ok(cast(column, &DataType::Utf8)?),
    }
}

fn intern(column: &mut Column, text: &ArrayRef, is_id: bool) {
    column.numbers.reserve(text.len());
    match text.data_type() {
        DataType::LargeUtf8 => intern_all(column, text.as_string::<i64>().iter(), is_id),
        _ => intern_all(column, text.as_string::<i32>().iter(), is_id),
    }
}

/// Blank text is no value, except in an identifier.
fn intern_all<'a>(column: &mut Column, values: impl Iterator<Item = Option<&'a str>>, is_id: bool) {
    for value in values {
        let number = match value {
            Some(text) if is_id => column.dictionary.intern(text),
            Some(text) if !text.trim().is_empty() => column.dictionary.intern(text),
            _ => NULL,
        };
        column.numbers.push(number);
    }
}
