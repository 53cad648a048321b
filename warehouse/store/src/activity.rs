//! What this process read and wrote, table by table: figures for whoever watches it, read by no step.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use goyong_types::TableName;

use crate::warehouse::Warehouse;

/// What was done for one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableActivity {
    /// Commits that changed the table.
    pub commits: u64,
    /// Rows in the files these commits wrote.
    pub rows_written: u64,
    /// Length of these files in bytes.
    pub bytes_written: u64,
    /// The files.
    pub files_written: u64,
    /// Rows read from stored files to compute it; unknown when another process read some of them.
    pub rows_read: Option<u64>,
}

/// Counts until it is asked.
#[derive(Debug, Default)]
pub(crate) struct Activity(Mutex<BTreeMap<TableName, Counted>>);

#[derive(Debug, Default)]
struct Counted {
    written: TableActivity,
    read: u64,
    read_elsewhere: bool,
}

impl Activity {
    fn count(&self, table: &TableName, count: impl FnOnce(&mut Counted)) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(tables.entry(table.clone()).or_default());
    }

    pub(crate) fn wrote(&self, table: &TableName, rows: u64, bytes: u64, files: u64) {
        self.count(table, |counted| {
            counted.written.commits += 1;
            counted.written.rows_written += rows;
            counted.written.bytes_written += bytes;
            counted.written.files_written += files;
        });
    }
}

impl Warehouse {
    /// Counts rows read to compute a table; `None` when another process read them.
    pub fn count_rows_read(&self, table: &TableName, rows: Option<u64>) {
        self.activity().count(table, |counted| match rows {
            Some(rows) => counted.read += rows,
            None => counted.read_elsewhere = true,
        });
    }

    /// What was read and written since the last call, by this value and its clones.
    pub fn take_activity(&self) -> BTreeMap<TableName, TableActivity> {
        let mut tables = self
            .activity()
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *tables)
            .into_iter()
            .map(|(table, counted)| {
                let rows_read = (!counted.read_elsewhere).then_some(counted.read);
                let activity = TableActivity {
                    rows_read,
                    ..counted.written
                };
                (table, activity)
            })
            .collect()
    }
}
