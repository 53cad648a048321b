//! Rows to Parquet files: one open file per partition, rolled by rows, hashed and stored as it is written.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use goyong_types::TableName;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::xxh3_64;

use crate::data_file::{CreatedFiles, HashingFile, Target};
use crate::durable::sync_all;
use crate::error::{Result, StoreError};
use crate::fault;
use crate::lake::{Completion, Lake, REQUESTS_TOGETHER};
use crate::statistics::file_statistics;

/// Files open at once; beyond it the one written longest ago is closed.
const MAX_OPEN_FILES: usize = 96;
/// The same for an object store, where an open file keeps a part of its bytes in memory.
const MAX_OPEN_UPLOADS: usize = 32;
/// Bytes of unfinished row groups held in memory; beyond it the largest is written out.
const MAX_BUFFERED_BYTES: usize = 384 << 20;
/// Batches that may wait for the encoding thread.
const WAITING_BATCHES: usize = 4;

/// A finished and synced data file.
#[derive(Debug, Clone)]
pub(crate) struct FinishedFile {
    /// Path below the table's folder, as Delta's log names it.
    pub(crate) relative_path: String,
    pub(crate) size: u64,
    pub(crate) rows: u64,
    pub(crate) partition: Option<String>,
    pub(crate) sha256: String,
    pub(crate) statistics: String,
}

/// What a file encoder needs to know.
#[derive(Debug, Clone)]
pub(crate) struct EncoderSettings {
    pub(crate) table: TableName,
    pub(crate) lake: Lake,
    pub(crate) table_directory: PathBuf,
    pub(crate) partition_column: Option<String>,
    pub(crate) data_schema: SchemaRef,
    /// Columns whose values the log must not hold.
    pub(crate) withheld_columns: BTreeSet<String>,
    /// First part of every file name; unique to this writer.
    pub(crate) file_prefix: String,
    pub(crate) rows_per_file: usize,
    /// Position of a column of which equal neighbours stay in one file.
    pub(crate) keep_together: Option<usize>,
    pub(crate) row_group_rows: usize,
    pub(crate) compression_level: i32,
}

/// Encodes on the calling thread or on one of its own.
pub(crate) enum Encoder {
    Here(Box<FileEncoder>),
    Background {
        sender: Option<SyncSender<(Option<String>, RecordBatch)>>,
        thread: Option<JoinHandle<Result<Vec<FinishedFile>>>>,
    },
}

impl Encoder {
    pub(crate) fn start(
        settings: EncoderSettings,
        created: CreatedFiles,
        background: bool,
    ) -> Result<Self> {
        let encoder = FileEncoder::new(settings, created)?;
        if !background {
            return Ok(Self::Here(Box::new(encoder)));
        }
        let (sender, receiver) = sync_channel(WAITING_BATCHES);
        let thread = std::thread::Builder::new()
            .name("parquet-encoder".to_owned())
            .spawn(move || encode_all(encoder, &receiver))
            .map_err(StoreError::io("start an encoding thread for", "Parquet"))?;
        Ok(Self::Background {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    pub(crate) fn write(&mut self, partition: Option<&str>, batch: RecordBatch) -> Result<()> {
        match self {
            Self::Here(encoder) => encoder.write(partition, &batch),
            Self::Background { sender, thread } => {
                let item = (partition.map(str::to_owned), batch);
                let sent = sender
                    .as_ref()
                    .is_some_and(|sender| sender.send(item).is_ok());
                if sent {
                    return Ok(());
                }
                // The thread has ended: its answer says why.
                join(thread).and(Err(StoreError::Stopped {
                    task: "encoding thread",
                }))
            }
        }
    }

    /// Closes every file and makes it durable.
    pub(crate) fn finish(&mut self) -> Result<Vec<FinishedFile>> {
        match self {
            Self::Here(encoder) => encoder.finish(),
            Self::Background { sender, thread } => {
                drop(sender.take());
                join(thread)
            }
        }
    }

    /// Ends without an answer.
    pub(crate) fn stop(&mut self) {
        match self {
            Self::Here(encoder) => encoder.give_up(),
            Self::Background { sender, thread } => {
                drop(sender.take());
                let _ = join(thread);
            }
        }
    }
}

fn join(thread: &mut Option<JoinHandle<Result<Vec<FinishedFile>>>>) -> Result<Vec<FinishedFile>> {
    match thread.take().map(JoinHandle::join) {
        Some(Ok(outcome)) => outcome,
        _ => Err(StoreError::Stopped {
            task: "encoding thread",
        }),
    }
}

fn encode_all(
    mut encoder: FileEncoder,
    receiver: &Receiver<(Option<String>, RecordBatch)>,
) -> Result<Vec<FinishedFile>> {
    while let Ok((partition, batch)) = receiver.recv() {
        encoder.write(partition.as_deref(), &batch)?;
    }
    encoder.finish()
}

struct OpenFile {
    writer: ArrowWriter<HashingFile>,
    relative_path: String,
    rows: usize,
    last_written: u64,
    /// The last value of the column that is kept together.
    last_value: Option<ArrayRef>,
}

impl OpenFile {
    /// Where the value that stands before a row of the column ends, and whether another one follows in the batch.
    fn end_of_value(&self, column: &ArrayRef, row: usize) -> (usize, bool) {
        let before = match row {
            0 => self.last_value.clone(),
            row => Some(column.slice(row - 1, 1)),
        };
        let Some(before) = before else {
            return (row, true);
        };
        let mut end = row;
        while end < column.len() && column.slice(end, 1).as_ref() == before.as_ref() {
            end += 1;
        }
        (end, end < column.len())
    }
}

/// Encodes batches into the files of one writer.
pub(crate) struct FileEncoder {
    settings: EncoderSettings,
    properties: WriterProperties,
    created: CreatedFiles,
    open: BTreeMap<Option<String>, OpenFile>,
    finished: Vec<FinishedFile>,
    directories: BTreeSet<PathBuf>,
    unsynced: Vec<PathBuf>,
    uploading: VecDeque<(PathBuf, Completion)>,
    files: usize,
    writes: u64,
}

impl FileEncoder {
    fn new(settings: EncoderSettings, created: CreatedFiles) -> Result<Self> {
        let level = ZstdLevel::try_new(settings.compression_level)
            .map_err(StoreError::parquet("configure", &settings.table))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(settings.row_group_rows))
            .build();
        Ok(Self {
            settings,
            properties,
            created,
            open: BTreeMap::new(),
            finished: Vec::new(),
            directories: BTreeSet::new(),
            unsynced: Vec::new(),
            uploading: VecDeque::new(),
            files: 0,
            writes: 0,
        })
    }

    fn write(&mut self, partition: Option<&str>, batch: &RecordBatch) -> Result<()> {
        let key = partition.map(str::to_owned);
        let mut first = 0;
        while first < batch.num_rows() {
            if !self.open.contains_key(&key) {
                let file =
                    self.open_file(partition, &batch.slice(first, batch.num_rows() - first))?;
                self.open.insert(key.clone(), file);
            }
            let Some(file) = self.open.get_mut(&key) else {
                break;
            };
            let left = self.settings.rows_per_file.saturating_sub(file.rows);
            let full = first + left.min(batch.num_rows() - first);
            let (end, is_border) = match self.settings.keep_together {
                Some(column) => file.end_of_value(batch.column(column), full),
                None => (full, true),
            };
            let rows = end - first;
            if rows == 0 {
                self.close_file(&key)?;
                continue;
            }
            file.writer
                .write(&batch.slice(first, rows))
                .map_err(StoreError::parquet("write", &self.settings.table))?;
            file.rows += rows;
            self.writes += 1;
            file.last_written = self.writes;
            first += rows;
            if let Some(column) = self.settings.keep_together {
                file.last_value = Some(batch.column(column).slice(end - 1, 1));
            }
            if is_border && file.rows >= self.settings.rows_per_file {
                self.close_file(&key)?;
            }
        }
        self.limit_memory()
    }

    /// Creates a file for rows like those of `sample`.
    fn open_file(&mut self, partition: Option<&str>, sample: &RecordBatch) -> Result<OpenFile> {
        let name = format!(
            "{}-{:04}.zstd.parquet",
            self.settings.file_prefix, self.files
        );
        self.files += 1;
        let relative_path = match &self.settings.partition_column {
            None => name,
            Some(column) => {
                format!("{column}={}/{name}", partition.unwrap_or(NULL_PARTITION))
            }
        };
        let path = self.settings.table_directory.join(&relative_path);
        let target = self.open_target(&path)?;
        self.created.push(path);
        let hashing = HashingFile::new(target);
        // Readers take the types from Parquet itself; the embedded Arrow schema would only repeat them.
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties_for(sample))
            .with_skip_arrow_metadata(true);
        let schema: Arc<Schema> = Arc::clone(&self.settings.data_schema);
        let writer = ArrowWriter::try_new_with_options(hashing, schema, options)
            .map_err(StoreError::parquet("start", &self.settings.table))?;
        Ok(OpenFile {
            writer,
            relative_path,
            rows: 0,
            last_written: 0,
            last_value: None,
        })
    }

    fn open_target(&mut self, path: &Path) -> Result<Target> {
        if self.settings.lake.is_remote() {
            let upload = self.settings.lake.upload(path);
            return upload
                .map(Target::Store)
                .map_err(StoreError::io("store", path));
        }
        let directory = path.parent().unwrap_or(&self.settings.table_directory);
        if self.directories.insert(directory.to_path_buf()) {
            std::fs::create_dir_all(directory).map_err(StoreError::io("create", directory))?;
        }
        let create = || OpenOptions::new().write(true).create_new(true).open(path);
        let file = fault::step(path, create).map_err(StoreError::io("create", path))?;
        Ok(Target::File(file))
    }

    /// Columns whose values hardly repeat are written without a dictionary: looking every value up costs more than
    /// all the rest of the encoding, and Parquet would give the dictionary up in the end.
    fn properties_for(&self, sample: &RecordBatch) -> WriterProperties {
        let mut properties = self.properties.clone().into_builder();
        for (field, column) in sample.schema_ref().fields().iter().zip(sample.columns()) {
            if hardly_repeats(column) {
                let path = ColumnPath::new(vec![field.name().clone()]);
                properties = properties.set_column_dictionary_enabled(path, false);
            }
        }
        properties.build()
    }

    fn close_file(&mut self, key: &Option<String>) -> Result<()> {
        let Some(mut open) = self.open.remove(key) else {
            return Ok(());
        };
        let metadata = open
            .writer
            .finish()
            .map_err(StoreError::parquet("finish", &self.settings.table))?;
        let path = self.settings.table_directory.join(&open.relative_path);
        let written = open.writer.inner_mut();
        match written.close() {
            Target::Store(upload) => {
                let completion = upload.complete().map_err(StoreError::io("store", &path))?;
                self.uploading.push_back((path, completion));
            }
            Target::File(_) | Target::Closed => self.unsynced.push(path),
        }
        self.finished.push(FinishedFile {
            size: written.size(),
            sha256: written.sha256(),
            statistics: file_statistics(
                &self.settings.data_schema,
                &metadata,
                &self.settings.withheld_columns,
            ),
            rows: open.rows as u64,
            partition: key.clone(),
            relative_path: open.relative_path,
        });
        self.wait_for_uploads(REQUESTS_TOGETHER)
    }

    /// Waits until no more than so many finished files are still on their way.
    fn wait_for_uploads(&mut self, most: usize) -> Result<()> {
        while self.uploading.len() > most
            && let Some((path, completion)) = self.uploading.pop_front()
        {
            completion.wait().map_err(StoreError::io("store", &path))?;
        }
        Ok(())
    }

    /// Leaves nothing on its way that could arrive after the files were removed.
    fn give_up(&mut self) {
        self.open.clear();
        for (_, completion) in self.uploading.drain(..) {
            let _ = completion.wait();
        }
    }

    /// Closes the file written longest ago, or writes out the largest row group, while limits are exceeded.
    fn limit_memory(&mut self) -> Result<()> {
        let most = match self.settings.lake.is_remote() {
            true => MAX_OPEN_UPLOADS,
            false => MAX_OPEN_FILES,
        };
        while self.open.len() > most {
            let oldest = self
                .open
                .iter()
                .min_by_key(|(_, file)| file.last_written)
                .map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.close_file(&oldest)?;
        }
        let buffered: usize = self
            .open
            .values()
            .map(|file| file.writer.memory_size())
            .sum();
        if buffered > MAX_BUFFERED_BYTES
            && let Some(largest) = self
                .open
                .values_mut()
                .max_by_key(|file| file.writer.memory_size())
        {
            largest
                .writer
                .flush()
                .map_err(StoreError::parquet("write", &self.settings.table))?;
        }
        Ok(())
    }

    /// Makes the files and every directory above them, up to the lake, durable.
    fn sync(&mut self) -> Result<()> {
        let mut paths = std::mem::take(&mut self.unsynced);
        paths.extend(std::mem::take(&mut self.directories));
        if !paths.is_empty() {
            let table_directory = self.settings.table_directory.ancestors();
            paths.extend(table_directory.take(3).map(Path::to_path_buf));
        }
        sync_all(&paths).map_err(|(path, source)| StoreError::io("sync", path)(source))
    }

    fn finish(&mut self) -> Result<Vec<FinishedFile>> {
        let keys: Vec<_> = self.open.keys().cloned().collect();
        for key in keys {
            self.close_file(&key)?;
        }
        self.wait_for_uploads(0)?;
        self.sync()?;
        let mut finished = std::mem::take(&mut self.finished);
        finished.sort_by(|left, right| {
            (&left.partition, &left.relative_path).cmp(&(&right.partition, &right.relative_path))
        });
        Ok(finished)
    }
}

impl Drop for FileEncoder {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Rows looked at to tell whether a column's values repeat.
const SAMPLED_ROWS: usize = 4096;

/// Whether more than a third of the first values of a plain column differ from all before them.
fn hardly_repeats(column: &ArrayRef) -> bool {
    let rows = column.len().min(SAMPLED_ROWS);
    let mut seen = HashSet::new();
    if let Some(text) = column.as_string_opt::<i32>() {
        seen.extend((0..rows).map(|row| xxh3_64(text.value(row).as_bytes())));
    } else {
        let data = column.to_data();
        let (Some(width), [values]) = (column.data_type().primitive_width(), data.buffers()) else {
            return false;
        };
        let bytes = &values.as_slice()[data.offset() * width..];
        seen.extend(bytes.chunks_exact(width).take(rows).map(xxh3_64));
    }
    rows == SAMPLED_ROWS && seen.len() > SAMPLED_ROWS / 3
}

/// The folder name Delta and Hive readers know as null.
pub(crate) const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The absolute path of a file of a table.
pub(crate) fn absolute(table_directory: &Path, relative_path: &str) -> PathBuf {
    table_directory.join(relative_path)
}
