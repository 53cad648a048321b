//! Reads a stored table through the engine and the same Parquet files through bare DataFusion, in one process.
//!
//! usage: `read_path WAREHOUSE ROUNDS` on a warehouse with `core.bench_spell_sorted`. Answers are compared; the best of
//! the rounds, taken in turns, is printed with its ratio. The engine's time includes finding the newest version.
//! `read_path WAREHOUSE STATEMENT` prints the answer of one statement on the newest versions as CSV.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use chrono::NaiveDate;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use goyong_catalog::Project;
use goyong_engine::{Engine, EngineConfig, block_on};
use goyong_store::{StoreConfig, Warehouse};
use goyong_types::TableName;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TABLE: &str = "core.bench_spell_sorted";
const THREADS: usize = 2;

/// A name and a statement; KEY and UPPER stand for keys of the table.
const QUERIES: [(&str, &str); 8] = [
    ("count", "select count(*) from TABLE"),
    (
        "scan",
        "select max(spell_no), max(end_on), max(monthly_wage_won), max(weekly_hours) from TABLE",
    ),
    (
        "scan of text",
        "select max(workplace_no), min(loss_reason), count(occupation) from TABLE",
    ),
    (
        "look-up of a key",
        "select * from TABLE where person_key = KEY order by spell_no",
    ),
    (
        "range of keys",
        "select count(*), max(end_on) from TABLE where person_key between KEY and UPPER",
    ),
    (
        "filter of another column",
        "select count(*), max(end_on) from TABLE where weekly_hours = 40",
    ),
    (
        "group by few",
        "select loss_reason, count(*), max(end_on) from TABLE group by loss_reason order by loss_reason",
    ),
    (
        "group by key",
        "select count(*), max(n) from (select person_key, count(*) as n from TABLE group by person_key)",
    ),
];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(task)) = (arguments.next(), arguments.next()) else {
        return Err("usage: read_path WAREHOUSE ROUNDS | WAREHOUSE STATEMENT".into());
    };
    block_on(THREADS, async move {
        let warehouse = Warehouse::open(&StoreConfig {
            root: folder.into(),
        })
        .await?;
        let config = EngineConfig {
            threads: THREADS,
            ..EngineConfig::default()
        };
        let engine = Engine::new(warehouse.clone(), Project::embedded()?, config)?;
        match task.parse() {
            Ok(rounds) => compare(&warehouse, &engine, rounds).await,
            Err(_) => print(&engine, &task).await,
        }
    })?
}

async fn print(engine: &Engine, statement: &str) -> Result<(), Failure> {
    let mut writer = arrow_csv::Writer::new(std::io::stdout());
    for batch in engine.query_latest(statement, day()).await? {
        writer.write(&batch)?;
    }
    Ok(())
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 12, 31).unwrap_or_default()
}

async fn compare(warehouse: &Warehouse, engine: &Engine, rounds: usize) -> Result<(), Failure> {
    let table: TableName = TABLE.parse()?;
    let snapshot = warehouse.snapshot(&table).await?.ok_or("no such table")?;
    let files: Vec<String> = snapshot
        .files
        .iter()
        .map(|file| file.path.to_string_lossy().into_owned())
        .collect();

    let bare =
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(THREADS));
    let frame = bare
        .read_parquet(files, ParquetReadOptions::default())
        .await?;
    bare.register_table("bare", frame.into_view())?;
    let keys = bare
        .sql("select cast(approx_percentile_cont(person_key, 0.5) as bigint) from bare")
        .await?
        .collect()
        .await?;
    let middle = first_key(&bare, &keys).await?;
    println!("{:<26}{:>10}{:>10}{:>8}", "", "ours ms", "bare ms", "ratio");
    for (name, sql) in QUERIES {
        let sql = sql
            .replace("KEY", &middle.to_string())
            .replace("UPPER", &(middle.saturating_add(i64::MAX / 64)).to_string());
        let (our_sql, bare_sql) = (sql.replace("TABLE", TABLE), sql.replace("TABLE", "bare"));
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..rounds {
            let started = Instant::now();
            let answer = engine.query_latest(&our_sql, day()).await?;
            ours = ours.min(started.elapsed());
            let started = Instant::now();
            let expected = bare.sql(&bare_sql).await?.collect().await?;
            theirs = theirs.min(started.elapsed());
            let (answer, expected) = (text(&answer)?, text(&expected)?);
            if answer != expected {
                return Err(format!("{name}: the answers differ\n{answer}\n{expected}").into());
            }
        }
        let (ours, theirs) = (ours.as_secs_f64() * 1e3, theirs.as_secs_f64() * 1e3);
        println!("{name:<26}{ours:>10.2}{theirs:>10.2}{:>8.2}", ours / theirs);
    }
    Ok(())
}

/// A key that is in the table, near the middle.
async fn first_key(bare: &SessionContext, near: &[RecordBatch]) -> Result<i64, Failure> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let near = near[0].column(0).as_primitive::<Int64Type>().value(0);
    let found = bare
        .sql(&format!(
            "select min(person_key) from bare where person_key >= {near}"
        ))
        .await?
        .collect()
        .await?;
    Ok(found[0].column(0).as_primitive::<Int64Type>().value(0))
}

/// The rows, without the names of the columns.
fn text(batches: &[RecordBatch]) -> Result<String, Failure> {
    let mut text = Vec::new();
    let mut writer = arrow_csv::WriterBuilder::new()
        .with_header(false)
        .build(&mut text);
    for batch in batches {
        writer.write(batch)?;
    }
    drop(writer);
    Ok(String::from_utf8(text)?)
}
