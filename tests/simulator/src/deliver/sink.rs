use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::calendar::{civil, first_of};
use crate::deliver::archive::Archive;
use crate::deliver::layout::{Format, Source, period_count, period_text};
use crate::deliver::row::{BlockOutput, Buffer};
use crate::reference::cp949;
use crate::scenario::Scenario;
use crate::{SimulationError, SimulationSummary};

/// What stands beside a data file.
#[derive(Serialize)]
pub(crate) struct Manifest {
    pub source: String,
    pub period: String,
    pub revision: u32,
    pub rows: u64,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub control: serde_json::Map<String, serde_json::Value>,
    pub sha256: String,
    pub known_on: String,
    pub file: String,
}

/// Pending bytes of a file before they are appended.
const PENDING_BYTES: usize = 64 * 1024;

struct DeliveryFile {
    source: Source,
    period: usize,
    revision: u32,
    path: PathBuf,
    pending: Vec<u8>,
    hash: Sha256,
    rows: u64,
    bytes: u64,
    control: i128,
    created: bool,
    /// Where documents go that are members of an archive.
    archive: Option<Archive<File>>,
}

/// The deliveries being written. No file stays open between blocks.
pub(crate) struct Landing<'s> {
    scenario: &'s Scenario,
    files: Vec<DeliveryFile>,
    pub rows: u64,
    pub bytes: u64,
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> SimulationError + '_ {
    move |source| SimulationError::Write {
        path: path.to_owned(),
        source,
    }
}

impl DeliveryFile {
    /// Adds records, in an archive one document a line.
    fn push_records(&mut self, bytes: &[u8]) -> Result<(), SimulationError> {
        let layout = self.source.layout();
        if layout.format != Format::Zip {
            return self.push(bytes);
        }
        for document in bytes.split(|byte| *byte == b'\n') {
            if document.is_empty() {
                continue;
            }
            let archive = match &mut self.archive {
                Some(archive) => archive,
                none => none.insert(Archive::create(&self.path, layout.name, "xml")?),
            };
            archive.add(document).map_err(failed(&self.path))?;
        }
        Ok(())
    }

    /// Writes what stands after the records; hash and bytes are then those of the file.
    fn close(&mut self) -> Result<(), SimulationError> {
        let Some(archive) = self.archive.take() else {
            let foot = foot(self);
            self.push(&foot)?;
            return self.flush();
        };
        archive.finish().map_err(failed(&self.path))?;
        let mut file = File::open(&self.path).map_err(failed(&self.path))?;
        let mut part = vec![0; PENDING_BYTES];
        loop {
            let read = file.read(&mut part).map_err(failed(&self.path))?;
            if read == 0 {
                return Ok(());
            }
            self.hash.update(&part[..read]);
            self.bytes += read as u64;
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), SimulationError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.pending.len() + bytes.len() > PENDING_BYTES {
            self.flush()?;
            if bytes.len() > PENDING_BYTES {
                return self.append(bytes);
            }
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SimulationError> {
        let pending = std::mem::take(&mut self.pending);
        self.append(&pending)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), SimulationError> {
        let mut file = if self.created {
            OpenOptions::new().append(true).open(&self.path)
        } else {
            File::create(&self.path)
        }
        .map_err(failed(&self.path))?;
        self.created = true;
        file.write_all(bytes).map_err(failed(&self.path))
    }
}

impl<'s> Landing<'s> {
    /// Makes the folders and opens a delivery for every source, period and revision.
    pub(crate) fn create(scenario: &'s Scenario, landing: &Path) -> Result<Self, SimulationError> {
        let mut files = Vec::new();
        for source in Source::ALL {
            let layout = source.layout();
            let folder = landing.join(layout.name);
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
            for period in 0..period_count(scenario, layout.cadence) {
                let revisions = if layout.corrected_period == Some(period) {
                    2
                } else {
                    1
                };
                for revision in 1..=revisions {
                    let (text, _) = period_text(scenario, layout.cadence, period);
                    let extension = match layout.format {
                        Format::Csv => "csv",
                        Format::Fixed => "dat",
                        Format::Xml => "xml",
                        Format::Json => "json",
                        Format::Zip => "zip",
                    };
                    let name = format!(
                        "{}_{}_r{revision}.{extension}",
                        layout.name,
                        text.replace('-', "")
                    );
                    let path = folder.join(name);
                    let mut file = DeliveryFile {
                        source,
                        period,
                        revision,
                        path,
                        archive: None,
                        pending: Vec::new(),
                        hash: Sha256::new(),
                        rows: 0,
                        bytes: 0,
                        control: 0,
                        created: false,
                    };
                    file.push(&head(source))?;
                    files.push(file);
                }
            }
        }
        Ok(Self {
            scenario,
            files,
            rows: 0,
            bytes: 0,
        })
    }

    /// Appends what a block delivers. Blocks must come in their order.
    pub(crate) fn append(&mut self, output: &BlockOutput) -> Result<(), SimulationError> {
        for file in &mut self.files {
            let corrected = file.source.layout().corrected_period == Some(file.period);
            let buffer: &Buffer = if corrected && file.revision == 1 {
                &output.drafts[file.source as usize]
            } else {
                &output.buffers[output.slot(file.source, file.period)]
            };
            if file.source.layout().format == Format::Json && file.rows > 0 && buffer.rows > 0 {
                file.push(b",\n")?;
            }
            file.push_records(&buffer.bytes)?;
            file.rows += buffer.rows;
            file.control += buffer.control;
            self.rows += buffer.rows;
            self.bytes += buffer.bytes.len() as u64;
        }
        Ok(())
    }

    /// Rows of a source that belong to no block, in full.
    pub(crate) fn append_rows(
        &mut self,
        source: Source,
        period: usize,
        buffer: &Buffer,
    ) -> Result<(), SimulationError> {
        for file in self
            .files
            .iter_mut()
            .filter(|file| file.source == source && file.period == period)
        {
            file.push(&buffer.bytes)?;
            file.rows += buffer.rows;
            file.control += buffer.control;
            self.rows += buffer.rows;
            self.bytes += buffer.bytes.len() as u64;
        }
        Ok(())
    }

    /// Closes every file and writes its manifest.
    pub(crate) fn finish(mut self, summary: &mut SimulationSummary) -> Result<(), SimulationError> {
        for source in Source::ALL {
            let rows = self
                .files
                .iter()
                .filter(|file| file.source == source)
                .map(|file| file.rows)
                .sum();
            summary
                .rows_by_source
                .push((source.layout().name.to_owned(), rows));
        }
        for mut file in self.files.drain(..) {
            // Where no document was asked for there is no archive either.
            if file.source.layout().format == Format::Zip && file.rows == 0 {
                continue;
            }
            file.close()?;
            let layout = file.source.layout();
            let (period, last_month) = period_text(self.scenario, layout.cadence, file.period);
            let delay = file.revision as i32;
            let mut control = serde_json::Map::new();
            if let Some(column) = layout.control {
                control.insert(
                    column.to_owned(),
                    decimal(file.control, layout.control_decimals).into(),
                );
            }
            let manifest = Manifest {
                source: layout.name.to_owned(),
                period,
                revision: file.revision,
                rows: file.rows,
                control,
                sha256: hex(&file.hash.finalize()),
                known_on: iso(first_of(last_month + delay) + layout.known_day as i32 - 1),
                file: file_name(&file.path),
            };
            write_manifest(&file.path, &manifest)?;
            summary.deliveries += 1;
            summary.rows += file.rows;
            summary.bytes += file.bytes;
        }
        Ok(())
    }
}

/// Writes a whole delivery at once: the data and its manifest. `manifest` comes without sum,
/// and file name.
pub(crate) fn write_delivery(
    path: &Path,
    data: &[u8],
    mut manifest: Manifest,
) -> Result<(), SimulationError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    fs::write(path, data).map_err(failed(path))?;
    manifest.sha256 = hex(&Sha256::digest(data));
    manifest.file = file_name(path);
    write_manifest(path, &manifest)
}

/// Writes a manifest beside its data file.
pub(crate) fn write_manifest(path: &Path, manifest: &Manifest) -> Result<(), SimulationError> {
    let beside = path.with_file_name(format!("{}.manifest.json", file_name(path)));
    let mut text = serde_json::to_string_pretty(manifest)
        .map_err(|error| failed(&beside)(std::io::Error::other(error)))?;
    text.push('\n');
    fs::write(&beside, text).map_err(failed(&beside))
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn head(source: Source) -> Vec<u8> {
    let layout = source.layout();
    if layout.format != Format::Csv {
        return layout.envelope.0.as_bytes().to_vec();
    }
    let mut line = cp949(&layout.header.join(","));
    line.push(b'\n');
    line
}

fn foot(file: &DeliveryFile) -> Vec<u8> {
    let foot = file.source.layout().envelope.1;
    foot.replace("{rows}", &file.rows.to_string())
        .replace("{control}", &file.control.to_string())
        .into_bytes()
}

/// A number of units of the last of `decimals` places.
fn decimal(units: i128, decimals: u32) -> String {
    if decimals == 0 {
        return units.to_string();
    }
    let scale = 10i128.pow(decimals);
    let sign = if units < 0 { "-" } else { "" };
    let magnitude = units.abs();
    format!(
        "{sign}{}.{:0width$}",
        magnitude / scale,
        magnitude % scale,
        width = decimals as usize
    )
}

pub(crate) fn iso(day: i32) -> String {
    let (year, month, day_of_month) = civil(day);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
