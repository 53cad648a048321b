//! One function per command: unpack the arguments, call the crates, print.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use goyong_nightly::{
    BuildMode, BuildOptions, IngestOptions, InitOptions, NightOptions, OpenProject, StepStatus,
    initialise_project,
};
use goyong_simulator::{SimulationConfig, simulate};

use crate::arguments::{
    Arguments, BuildArguments, Command, CommonArguments, EvaluateArguments, EvaluationSubject,
    IngestArguments, InitArguments, NightArguments, OutputFormat, ReportArguments, ShowArguments,
    SimulateArguments, SqlArguments,
};
use crate::progress::Console;
use crate::{
    CHECK_FAILED, ads, alerts, cluster, contract, demo, doctor, lineage, models, output, project,
    quarantine, recovery, releases, runs, schedule, shell, vault,
};

/// Runs the command and returns the exit code.
pub async fn dispatch(arguments: &Arguments) -> Result<u8> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Init(init) => run_init(common, init).await,
        Command::Simulate(simulate) => run_simulate(common, simulate),
        Command::Ingest(ingest) => run_ingest(common, ingest).await,
        Command::Quarantine(command) => quarantine::run(common, command).await,
        Command::Freshness(freshness) => quarantine::run_freshness(common, freshness).await,
        Command::Contract(command) => contract::run(common, command),
        Command::Build(build) => run_build(common, build, true).await,
        Command::Run(build) => run_build(common, build, false).await,
        Command::Test(test) => project::run_test(common, test).await,
        Command::Ls(list) => project::run_ls(common, list).await,
        Command::Backfill(backfill) => run_backfill(common, backfill).await,
        Command::Plan(plan) => run_plan(common, plan).await,
        Command::Show(show) => run_show(common, show).await,
        Command::Lineage(arguments) => lineage::run(common, arguments).await,
        Command::Night(night) => run_night(common, night).await,
        Command::Schedule(command) => schedule::run(common, command).await,
        Command::Runs(command) => runs::run(common, command).await,
        Command::RunStep(arguments) => schedule::run_step(common, arguments).await,
        Command::Doctor { output } => doctor::run(common, output).await,
        Command::Ads(command) => ads::run(common, command).await,
        Command::Sql(sql) => run_sql(common, sql).await,
        Command::Releases(command) => releases::run(common, command).await,
        Command::Models(command) => models::run(common, command).await,
        Command::Vault(command) => vault::run(common, command).await,
        Command::Alerts(command) => alerts::run(common, command).await,
        Command::Audit(command) => vault::run_audit(common, command).await,
        Command::Cluster(command) => cluster::run(common, command).await,
        Command::Verify(verify) => recovery::verify(common, verify).await,
        Command::Repair(repair) => recovery::repair(common, repair).await,
        Command::Backup(backup) => recovery::back_up(common, backup).await,
        Command::Restore(restore) => recovery::restore(common, restore).await,
        Command::Report(report) => run_report(common, report).await,
        Command::Evaluate(evaluate) => run_evaluate(common, evaluate).await,
        Command::Demo(demo) => demo::run(common, demo).await,
        Command::Completions { shell } => {
            clap_complete::generate(
                *shell,
                &mut Arguments::command(),
                "goyong",
                &mut output::stdout(),
            );
            Ok(0)
        }
    }
}

/// Opens the project named on the command line.
pub async fn open(common: &CommonArguments) -> Result<OpenProject> {
    OpenProject::open(&common.dir, common.threads).await
}

async fn run_init(common: &CommonArguments, arguments: &InitArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let options = InitOptions {
        built_in_sql: arguments.built_in_sql,
        simulated: false,
        archive_recipient: arguments.archive_recipient.clone(),
    };
    for line in initialise_project(&common.dir, &options).await? {
        console.say(&line);
    }
    console.say(&format!(
        "next: drop deliveries into {}, then run `goyong night --dir {}`",
        common.dir.join("warehouse/landing/<source>").display(),
        common.dir.display()
    ));
    Ok(0)
}

fn run_simulate(common: &CommonArguments, arguments: &SimulateArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let landing = arguments
        .landing
        .clone()
        .unwrap_or_else(|| common.dir.join("warehouse/landing"));
    let truth = arguments
        .truth
        .clone()
        .unwrap_or_else(|| common.dir.join("truth"));
    let config = simulation_config(arguments, common, landing, truth);
    simulate_with_progress(&config, &console)?;
    Ok(0)
}

fn simulation_config(
    arguments: &SimulateArguments,
    common: &CommonArguments,
    landing: PathBuf,
    truth: PathBuf,
) -> SimulationConfig {
    SimulationConfig {
        seed: arguments.seed,
        persons: arguments.persons,
        start: arguments.start,
        months: arguments.months,
        landing,
        truth,
        threads: worker_threads(common),
        fraud_rate: arguments.fraud_rate,
        survey_one_in: arguments.survey_one_in,
    }
}

/// Threads asked for, or every core.
pub fn worker_threads(common: &CommonArguments) -> usize {
    match common.threads {
        None | Some(0) => std::thread::available_parallelism().map_or(1, usize::from),
        Some(threads) => threads,
    }
}

/// Runs the simulator with a moving line.
pub fn simulate_with_progress(config: &SimulationConfig, console: &Console) -> Result<()> {
    let summary = simulate(config, &|progress| {
        console.working_on(&format!(
            "simulating {} of {} persons",
            progress.persons_done, progress.persons_total
        ));
    })
    .context("simulate a country")?;
    console.say(&format!(
        "{} persons, {} months: {} deliveries, {} rows, {:.1} MB in {}; truth in {}",
        config.persons,
        config.months,
        summary.deliveries,
        summary.rows,
        summary.bytes as f64 / 1e6,
        config.landing.display(),
        config.truth.display()
    ));
    Ok(())
}

async fn run_ingest(common: &CommonArguments, arguments: &IngestArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let project = open(common).await?;
    let options = IngestOptions {
        path: arguments.path.clone(),
        source: arguments.source.clone(),
        known_on: arguments.known_on,
    };
    let intake = project
        .ingest(&options, &|event| console.show(&event))
        .await?;
    console.finish();
    output::write_rows(
        &goyong_nightly::DELIVERY_HEADER,
        &intake.rows(),
        arguments.output.format,
        &mut output::stdout(),
    )?;
    for file in &intake.unmatched {
        // A name from outside: quoted, so that it steers no terminal.
        console.say(&format!("no contract matches {file:?}"));
    }
    Ok(if intake.refused() > 0 {
        CHECK_FAILED
    } else {
        0
    })
}

fn build_options(arguments: &BuildArguments, test: bool) -> BuildOptions {
    BuildOptions {
        select: arguments.selection.select.clone(),
        exclude: arguments.selection.exclude.clone(),
        as_of: arguments.as_of,
        full_refresh: arguments.full_refresh,
        mode: BuildMode {
            run: true,
            test,
            fail_fast: arguments.fail_fast,
        },
        state: arguments.selection.state.clone(),
        event_time: arguments.event_time_start.zip(arguments.event_time_end),
    }
}

async fn run_build(common: &CommonArguments, arguments: &BuildArguments, test: bool) -> Result<u8> {
    build_with(common, arguments, build_options(arguments, test)).await
}

async fn build_with(
    common: &CommonArguments,
    arguments: &BuildArguments,
    options: BuildOptions,
) -> Result<u8> {
    if arguments.dry_run {
        return plan_with(common, arguments, options).await;
    }
    let console = Console::new(common.quiet);
    let project = OpenProject::open_with(&common.dir, common.threads, &arguments.vars).await?;
    let report = project
        .build(&options, &|event| console.show(&event))
        .await?;
    console.finish();
    output::write_rows(
        &goyong_nightly::BUILD_HEADER,
        &report.rows,
        arguments.output.format,
        &mut output::stdout(),
    )?;
    Ok(if report.failed { CHECK_FAILED } else { 0 })
}

async fn run_plan(common: &CommonArguments, arguments: &BuildArguments) -> Result<u8> {
    plan_with(common, arguments, build_options(arguments, true)).await
}

async fn plan_with(
    common: &CommonArguments,
    arguments: &BuildArguments,
    options: BuildOptions,
) -> Result<u8> {
    let project = OpenProject::open_with(&common.dir, common.threads, &arguments.vars).await?;
    let plan = project.plan(&options).await?;
    if let Some(interval) = &plan.interval {
        Console::new(common.quiet).say(interval);
    }
    let format = arguments.output.format;
    let mut out = output::stdout();
    let code = if plan.failed { CHECK_FAILED } else { 0 };
    if format != OutputFormat::Table {
        output::write_rows(&goyong_nightly::PLAN_HEADER, &plan.rows, format, &mut out)?;
        return Ok(code);
    }
    // A line has no room for everything.
    let shown = |column: &&&str| !matches!(**column, "follows" | "bytes_to_write" | "affects");
    let header: Vec<&str> = goyong_nightly::PLAN_HEADER
        .iter()
        .filter(shown)
        .copied()
        .collect();
    let rows: Vec<Vec<String>> = plan
        .rows
        .into_iter()
        .map(|row| {
            let cells = goyong_nightly::PLAN_HEADER.iter().zip(row);
            cells
                .filter(|(column, _)| shown(column))
                .map(|(_, cell)| cell)
                .collect()
        })
        .collect();
    output::write_rows(&header, &rows, format, &mut out)?;
    Ok(code)
}

/// Months computed again, whatever is remembered of them.
async fn run_backfill(common: &CommonArguments, arguments: &BuildArguments) -> Result<u8> {
    let Some(event_time) = arguments.event_time_start.zip(arguments.event_time_end) else {
        bail!(
            "a backfill says which months: --event-time-start 2024-01 --event-time-end 2024-07, \
             the end excluded"
        );
    };
    let options = BuildOptions {
        full_refresh: true,
        event_time: Some(event_time),
        ..build_options(arguments, true)
    };
    build_with(common, arguments, options).await
}

async fn run_show(common: &CommonArguments, arguments: &ShowArguments) -> Result<u8> {
    let project = open(common).await?;
    let sql = project.compile(&arguments.model, arguments.as_of).await?;
    writeln!(output::stdout(), "{}", sql.trim())?;
    Ok(0)
}

async fn run_night(common: &CommonArguments, arguments: &NightArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let project = open(common).await?;
    let options = NightOptions {
        as_of: arguments.as_of,
        full_refresh: arguments.full_refresh,
    };
    let report = project
        .run_night(&options, &|event| console.show(&event))
        .await?;
    console.finish();
    console.say(&report.closing_line());
    Ok(match report.status {
        StepStatus::Failed => CHECK_FAILED,
        StepStatus::Done | StepStatus::Nothing => 0,
    })
}

async fn run_sql(common: &CommonArguments, arguments: &SqlArguments) -> Result<u8> {
    let project = open(common).await?;
    let (session, release) = project.read_session(arguments.release.as_deref()).await?;
    let session = match &arguments.role {
        Some(role) => project.restricted_to(session, role).await?,
        None => session,
    };
    let statement = match (&arguments.statement, &arguments.file) {
        (Some(statement), _) => Some(statement.clone()),
        (None, Some(file)) => Some(
            std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?,
        ),
        (None, None) => None,
    };
    let format = arguments.output.format;
    match statement {
        Some(statement) => {
            let batches = session
                .query(statement.trim().trim_end_matches(';'))
                .await?;
            output::write_batches(&batches, format, &mut output::stdout())?;
        }
        None => shell::run(&session, &release.id, &project.sql_history(), format).await?,
    }
    Ok(0)
}

async fn run_report(common: &CommonArguments, arguments: &ReportArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let project = open(common).await?;
    let folder = project.render_reports(arguments.out.as_deref()).await?;
    console.say(&format!("open {}", index_of(&folder)));
    Ok(0)
}

async fn run_evaluate(common: &CommonArguments, arguments: &EvaluateArguments) -> Result<u8> {
    let project = open(common).await?;
    let truth = arguments
        .truth
        .clone()
        .unwrap_or_else(|| common.dir.join("truth"));
    if !truth.is_dir() {
        bail!(
            "truth folder {} not found; name it with --truth (`goyong simulate` writes it)",
            truth.display()
        );
    }
    let rows = match arguments.subject {
        EvaluationSubject::All => project.evaluate_against_truth(&truth).await?,
        EvaluationSubject::Detection => project.evaluate_detection(&truth).await?,
        EvaluationSubject::BlindSpot => project.evaluate_blind_spot(&truth).await?,
        EvaluationSubject::Advertisements => project.evaluate_advertisements(&truth).await?,
        EvaluationSubject::Predictions => project.evaluate_predictions(&truth).await?,
        EvaluationSubject::Ranking => project.evaluate_ranking(&truth).await?,
    };
    output::write_rows(
        &goyong_nightly::EVALUATION_HEADER,
        &rows,
        arguments.output.format,
        &mut output::stdout(),
    )?;
    Ok(0)
}

/// The first page of a rendered site.
pub fn index_of(folder: &Path) -> String {
    folder.join("index.html").display().to_string()
}
