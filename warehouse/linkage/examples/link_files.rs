//! Links files: the benchmark's way to the crate.
//!
//! ```text
//! link_files normalise IN.parquet OUT.parquet          adds name_core, branch, sido, sigungu, road
//! link_files link SETTINGS.yml OUT.parquet THREADS SOURCE=FILE…   files are .parquet or .csv
//! ```

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use goyong_linkage::address::Address;
use goyong_linkage::firm_name::FirmName;
use goyong_linkage::{LinkageError, LinkerBuilder, Settings};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["normalise", from, to] => normalise(Path::new(from), Path::new(to)),
        ["link", settings, out, threads, sources @ ..] => {
            let threads = threads.parse().context("THREADS is a number")?;
            link(Path::new(settings), Path::new(out), threads, sources)
        }
        _ => bail!("usage: link_files normalise IN OUT | link SETTINGS OUT THREADS SOURCE=FILE…"),
    }
}

fn link(settings: &Path, out: &Path, threads: usize, sources: &[&str]) -> Result<()> {
    let text = std::fs::read_to_string(settings)
        .with_context(|| format!("reading {}", settings.display()))?;
    let mut builder = LinkerBuilder::new(Settings::from_yaml(&text)?)?;
    for source in sources {
        let (name, file) = source.split_once('=').context("sources are NAME=FILE")?;
        let number = builder.add_source(name);
        let wanted: Vec<String> = builder.columns().into_iter().map(str::to_owned).collect();
        read(Path::new(file), Some(&wanted), |batch| {
            Ok(builder.push(number, &batch)?)
        })?;
    }
    let linker = builder.finish(threads)?;
    let parameters = linker.estimate()?;
    let mut writer = writer(out, Arc::new(linker.schema()))?;
    let summary = linker.link(&parameters, |pairs| -> Result<()> {
        let batch = linker.record_batch(&pairs)?;
        writer.write(&batch)?;
        Ok(())
    })?;
    writer.close()?;
    let stem = out.with_extension("parameters.json");
    std::fs::write(stem, serde_json::to_string_pretty(&parameters)?)?;
    for rule in &summary.rules {
        let (compared, pairs) = (rule.compared, rule.pairs);
        println!("{compared:>12} compared {pairs:>10} pairs  {}", rule.rule);
    }
    println!("{} pairs in skipped blocks", summary.skipped_pairs);
    Ok(())
}

fn normalise(from: &Path, to: &Path) -> Result<()> {
    let mut out: Option<ArrowWriter<File>> = None;
    read(from, None, |batch| {
        let batch = with_normalised(&batch)?;
        let writer = match &mut out {
            Some(writer) => writer,
            None => out.insert(writer(to, batch.schema())?),
        };
        writer.write(&batch)?;
        Ok(())
    })?;
    if let Some(writer) = out {
        writer.close()?;
    }
    Ok(())
}

fn with_normalised(batch: &RecordBatch) -> Result<RecordBatch> {
    let text = |name: &str| {
        let column = batch
            .column_by_name(name)
            .context("needs name and address")?;
        arrow_cast::cast(column, &DataType::Utf8).map_err(anyhow::Error::from)
    };
    let (names, addresses) = (text("name")?, text("address")?);
    let added = ["name_core", "branch", "sido", "sigungu", "road"];
    let mut builders: Vec<StringBuilder> = added.iter().map(|_| StringBuilder::new()).collect();
    for (name, address) in names
        .as_string::<i32>()
        .iter()
        .zip(addresses.as_string::<i32>())
    {
        let name = FirmName::parse(name.unwrap_or_default());
        let address = Address::parse(address.unwrap_or_default());
        let core = Some(name.core).filter(|core| !core.is_empty());
        let values = [
            core,
            name.branch,
            address.sido,
            address.sigungu,
            address.road,
        ];
        for (builder, value) in builders.iter_mut().zip(values) {
            builder.append_option(value);
        }
    }
    let mut fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .map(|f| (**f).clone())
        .collect();
    fields.extend(added.map(|name| Field::new(name, DataType::Utf8, true)));
    let mut columns = batch.columns().to_vec();
    columns.extend(
        builders
            .iter_mut()
            .map(|builder| Arc::new(builder.finish()) as ArrayRef),
    );
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

/// Hands over a file batch by batch; of Parquet only the wanted columns are read.
fn read(
    path: &Path,
    wanted: Option<&[String]>,
    mut sink: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let context = || format!("reading {}", path.display());
    let file = File::open(path).with_context(context)?;
    if path.extension().is_some_and(|extension| extension == "csv") {
        let header = std::fs::read_to_string(path).with_context(context)?;
        let names = header.lines().next().unwrap_or_default().split(',');
        let fields: Vec<Field> = names
            .map(|name| Field::new(name.trim(), DataType::Utf8, true))
            .collect();
        let reader = arrow_csv::ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_header(true)
            .build(file)
            .with_context(context)?;
        for batch in reader {
            sink(batch.with_context(context)?)?;
        }
        return Ok(());
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).with_context(context)?;
    let mask = match wanted {
        None => parquet::arrow::ProjectionMask::all(),
        Some(wanted) => {
            let names = wanted.iter().map(String::as_str);
            parquet::arrow::ProjectionMask::columns(builder.parquet_schema(), names)
        }
    };
    for batch in builder
        .with_projection(mask)
        .with_batch_size(8192)
        .build()?
    {
        sink(batch.map_err(LinkageError::from).with_context(context)?)?;
    }
    Ok(())
}

fn writer(path: &Path, schema: Arc<Schema>) -> Result<ArrowWriter<File>> {
    let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .build();
    Ok(ArrowWriter::try_new(file, schema, Some(properties))?)
}
