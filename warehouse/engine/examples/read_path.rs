//! Reads stored tables through the engine and the same Parquet files through bare DataFusion, in one process.
//!
//! usage: `read_path WAREHOUSE ROUNDS [STATEMENT'S NAME]` on a warehouse with `core.bench_spell_sorted`, which is first copied by month of
//! its start into `core.bench_spell_month`. Three contenders answer in turns: a session on a release, the engine on
//! the newest versions, and DataFusion over the files. Answers are compared; the best wall and CPU time of the rounds
//! is printed with our ratios. What a session on the newest versions takes to see whether they still are counts.
//! `read_path WAREHOUSE STATEMENT` prints the answer of one statement on the newest versions as CSV.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use chrono::NaiveDate;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use goyong_catalog::Project;
use goyong_engine::{Engine, EngineConfig, ReadLimits, ReadSession, block_on};
use goyong_store::{
    CommitDetails, CommitMode, ReleaseRequest, StoreConfig, Warehouse, WriteOptions,
};
use goyong_types::TableName;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SORTED: &str = "core.bench_spell_sorted";
const BY_MONTH: &str = "core.bench_spell_month";
const THREADS: usize = 2;
/// A statement is repeated in a round until it took so long, so that the CPU clock's steps do not show.
const LEAST_MEASURED: Duration = Duration::from_millis(300);

/// A name and a statement over the tables; KEY and UPPER stand for keys of a person.
const QUERIES: [(&str, &str); 17] = [
    ("count", "select count(*) from SORTED"),
    ("count of months", "select count(*) from BY_MONTH"),
    (
        "lowest and highest",
        "select min(person_key), max(person_key), min(start_on), max(end_on) from SORTED",
    ),
    (
        "scan",
        "select max(spell_no % 7), max(end_on - start_on), max(monthly_wage_won % 7), max(weekly_hours % 7) from SORTED",
    ),
    (
        "scan of text",
        "select max(right(workplace_no, 3)), min(right(loss_reason, 1)), count(occupation || 'x') from SORTED",
    ),
    (
        "look-up of a key",
        "select * from SORTED where person_key = KEY order by spell_no",
    ),
    (
        "look-up, some columns",
        "select start_on, end_on from SORTED where person_key = KEY order by spell_no",
    ),
    (
        "range of keys",
        "select count(*), max(end_on) from SORTED where person_key between KEY and UPPER",
    ),
    (
        "one month",
        "select count(*), sum(monthly_wage_won) from BY_MONTH where month = date '2015-03-01'",
    ),
    (
        "a year of months",
        "select month, count(*), max(end_on) from BY_MONTH \
         where month between date '2015-01-01' and date '2015-12-01' group by month order by month",
    ),
    (
        "key in the months",
        "select * from BY_MONTH where person_key = KEY order by spell_no",
    ),
    (
        "filter of a column",
        "select count(*), max(end_on) from SORTED where weekly_hours = 40",
    ),
    (
        "group by few",
        "select loss_reason, count(*), max(end_on) from SORTED group by loss_reason order by loss_reason",
    ),
    (
        "group by key",
        "select count(*), max(n) from (select person_key, count(*) as n from SORTED group by person_key)",
    ),
    (
        "join by key",
        "select count(*), max(later.start_on - earlier.end_on) from SORTED as earlier \
         join SORTED as later on later.person_key = earlier.person_key and later.start_on > earlier.end_on",
    ),
    (
        "join with a month",
        "select count(*), max(spell.end_on) from SORTED as spell \
         join BY_MONTH as begun on begun.person_key = spell.person_key where begun.month = date '2015-03-01'",
    ),
    (
        "highest few",
        "select person_key, spell_no, monthly_wage_won from SORTED order by monthly_wage_won desc, spell_no limit 20",
    ),
];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(task)) = (arguments.next(), arguments.next()) else {
        return Err("usage: read_path WAREHOUSE ROUNDS | WAREHOUSE STATEMENT".into());
    };
    let begins = arguments.next().unwrap_or_default();
    block_on(THREADS, async move {
        let warehouse = Warehouse::open(&StoreConfig::in_folder(folder)).await?;
        let config = EngineConfig {
            threads: THREADS,
            ..EngineConfig::default()
        };
        let engine = Engine::new(warehouse.clone(), Project::embedded()?, config)?;
        match task.parse() {
            Ok(rounds) => compare(&warehouse, &engine, rounds, &begins).await,
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

/// Who answers.
struct Contenders<'a> {
    release: ReadSession,
    newest: &'a Engine,
    bare: SessionContext,
}

impl Contenders<'_> {
    const NAMES: [&'static str; 3] = ["release", "newest", "bare"];

    async fn answer(&self, contender: usize, sql: &str) -> Result<Vec<RecordBatch>, Failure> {
        Ok(match contender {
            0 => self.release.query(sql).await?,
            1 => self.newest.query_latest(sql, day()).await?,
            _ => self.bare.sql(sql).await?.collect().await?,
        })
    }
}

/// Compares the statements whose names begin so.
async fn compare(
    warehouse: &Warehouse,
    engine: &Engine,
    rounds: usize,
    begins: &str,
) -> Result<(), Failure> {
    let (sorted, by_month): (TableName, TableName) = (SORTED.parse()?, BY_MONTH.parse()?);
    if warehouse.snapshot(&by_month).await?.is_none() {
        copy_by_month(warehouse, engine, &by_month).await?;
    }
    let mut tables = Vec::new();
    for table in [&sorted, &by_month] {
        let snapshot = warehouse.snapshot(table).await?.ok_or("no such table")?;
        tables.push((table.clone(), snapshot.version));
    }
    let request = ReleaseRequest {
        business_date: day(),
        tables,
        note: String::new(),
        ..ReleaseRequest::default()
    };
    let limits = ReadLimits {
        threads: THREADS,
        ..ReadLimits::default()
    };
    let release = warehouse.publish(request).await?;
    let contenders = Contenders {
        release: ReadSession::open_with(warehouse, &release, limits).await?,
        newest: engine,
        bare: bare_session(warehouse, &sorted, &by_month).await?,
    };
    let key = middle_key(&contenders.bare).await?;
    let upper = key.saturating_add(i64::MAX / 64);
    println!(
        "{:<24}{:>9}{:>9}{:>9}  {:>8}{:>8}  {:>8}{:>8}",
        "", "release", "newest", "bare", "release", "newest", "release", "newest"
    );
    println!(
        "{:<24}{:>9}{:>9}{:>9}  {:>16}  {:>16}",
        "best of the rounds", "wall ms", "wall ms", "wall ms", "wall ratio", "CPU ratio"
    );
    for (name, sql) in QUERIES
        .into_iter()
        .filter(|(name, _)| name.starts_with(begins))
    {
        let sql = sql
            .replace("KEY", &key.to_string())
            .replace("UPPER", &upper.to_string())
            .replace("SORTED", SORTED)
            .replace("BY_MONTH", BY_MONTH);
        let (mut wall, mut cpu) = ([f64::MAX; 3], [f64::MAX; 3]);
        for round in 0..rounds {
            let mut answers = Vec::new();
            for turn in 0..3 {
                let contender = (turn + round) % 3;
                let (mut taken, mut times) = (Duration::ZERO, 0);
                let cpu_before = cpu_ms()?;
                while taken < LEAST_MEASURED {
                    let started = Instant::now();
                    let answer = contenders.answer(contender, &sql).await?;
                    let elapsed = started.elapsed();
                    wall[contender] = wall[contender].min(elapsed.as_secs_f64() * 1e3);
                    taken += elapsed;
                    times += 1;
                    if times == 1 {
                        answers.push((contender, text(&answer)?));
                    }
                }
                let cpu_each = (cpu_ms()? - cpu_before) / f64::from(times);
                cpu[contender] = cpu[contender].min(cpu_each);
            }
            if let Some((contender, answer)) =
                answers.iter().find(|(_, text)| *text != answers[0].1)
            {
                return Err(format!(
                    "{name}: the answer of {} differs\n{answer}\n{}",
                    Contenders::NAMES[*contender],
                    answers[0].1
                )
                .into());
            }
        }
        let ratio = |of: &[f64; 3], contender: usize| of[contender] / of[2];
        println!(
            "{name:<24}{:>9.2}{:>9.2}{:>9.2}  {:>8.2}{:>8.2}  {:>8.2}{:>8.2}",
            wall[0],
            wall[1],
            wall[2],
            ratio(&wall, 0),
            ratio(&wall, 1),
            ratio(&cpu, 0),
            ratio(&cpu, 1)
        );
    }
    Ok(())
}

/// Spells by the month in which they start, each month in files of its own.
async fn copy_by_month(
    warehouse: &Warehouse,
    engine: &Engine,
    table: &TableName,
) -> Result<(), Failure> {
    let months = "select distinct date_trunc('month', start_on)::date::text as month from SORTED order by month";
    let months = engine
        .query_latest(&months.replace("SORTED", SORTED), day())
        .await?;
    let months: Vec<String> = months
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten())
        .map(ToOwned::to_owned)
        .collect();
    let rows = |month: &str| {
        let sql = format!(
            "select date '{month}' as month, * from {SORTED} \
             where date_trunc('month', start_on) = date '{month}' order by person_key, start_on, spell_no"
        );
        async move { engine.query_latest(&sql, day()).await }
    };
    let first = rows(months.first().ok_or("no spells")?).await?;
    let schema = first.first().ok_or("no spells")?.schema();
    let options = WriteOptions {
        partition_column: Some("month".into()),
        ..WriteOptions::default()
    };
    let mut writer = warehouse.writer(table, schema, options).await?;
    for month in &months {
        for batch in rows(month).await? {
            writer.write(Some(month), &batch)?;
        }
    }
    let mode = CommitMode::ReplacePartitions(months.into_iter().map(Some).collect());
    writer.commit(mode, CommitDetails::default()).await?;
    Ok(())
}

/// DataFusion as it comes, over the files of the tables.
async fn bare_session(
    warehouse: &Warehouse,
    sorted: &TableName,
    by_month: &TableName,
) -> Result<SessionContext, Failure> {
    let config = SessionConfig::new().with_target_partitions(THREADS);
    let bare = SessionContext::new_with_config(config);
    bare.sql("create schema core").await?.collect().await?;
    let files = |table: TableName| async move {
        let snapshot = warehouse.snapshot(&table).await?.ok_or("no such table")?;
        let files = snapshot.files.iter();
        let paths = files.map(|file| file.path.to_string_lossy().into_owned());
        Ok::<Vec<String>, Failure>(paths.collect())
    };
    let frame = bare
        .read_parquet(files(sorted.clone()).await?, ParquetReadOptions::default())
        .await?;
    bare.register_table(SORTED, frame.into_view())?;
    let folder = warehouse
        .root()
        .join("lake")
        .join(by_month.schema())
        .join(by_month.table());
    let folder = ListingTableUrl::parse(format!("{}/", folder.display()))?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension(".parquet")
        .with_table_partition_cols(vec![("month".into(), DataType::Date32)]);
    let config = ListingTableConfig::new(folder)
        .with_listing_options(options)
        .infer_schema(&bare.state())
        .await?;
    bare.register_table(BY_MONTH, Arc::new(ListingTable::try_new(config)?))?;
    Ok(bare)
}

/// A key that is in the table, near the middle.
async fn middle_key(bare: &SessionContext) -> Result<i64, Failure> {
    let number = async |sql: String| {
        let found = bare.sql(&sql).await?.collect().await?;
        Ok::<i64, Failure>(found[0].column(0).as_primitive::<Int64Type>().value(0))
    };
    let near =
        format!("select cast(approx_percentile_cont(person_key, 0.5) as bigint) from {SORTED}");
    let near = number(near).await?;
    number(format!(
        "select min(person_key) from {SORTED} where person_key >= {near}"
    ))
    .await
}

/// CPU time of this process, in steps of the kernel's clock.
fn cpu_ms() -> Result<f64, Failure> {
    const TICK_MS: f64 = 10.0;
    let text = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may hold spaces.
    let fields = text.rsplit_once(')').ok_or("an odd /proc/self/stat")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() * TICK_MS)
}

/// The rows, without the names of the columns.
fn text(batches: &[RecordBatch]) -> Result<String, Failure> {
    let mut text = Vec::new();
    let mut writer = arrow_csv::WriterBuilder::new()
        .with_header(false)
        .build(&mut text);
    for batch in batches {
        let columns = batch.columns().iter();
        if columns.map(|column| column.len()).sum::<usize>() > 0 {
            writer.write(batch)?;
        }
    }
    drop(writer);
    Ok(String::from_utf8(text)?)
}
