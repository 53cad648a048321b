//! `goyong demo`: the main job in one folder, for a person who sees it for the first time.

use std::io::Write;

use anyhow::{Context, Result, bail};
use goyong_nightly::{
    IngestOptions, InitOptions, NightOptions, OpenProject, StepStatus, initialise_project,
};
use goyong_simulator::SimulationConfig;
use goyong_types::Month;

use crate::arguments::{CommonArguments, DemoArguments, Language, OutputFormat};
use crate::commands::{index_of, simulate_with_progress, worker_threads};
use crate::progress::Console;
use crate::{CHECK_FAILED, output};

/// Runs the demo; the folder must be new, or one an earlier demo made with the same parameters.
pub async fn run(common: &CommonArguments, arguments: &DemoArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    // A demo never runs in the current folder: it would scatter a warehouse over a checkout.
    let folder = if common.dir.as_os_str() == "." {
        std::path::PathBuf::from("demo")
    } else {
        common.dir.clone()
    };
    let parameters = format!(
        "seed {} persons {} months {}\n",
        arguments.seed, arguments.persons, arguments.months
    );
    let marker = folder.join("demo.txt");
    let known = std::fs::read_to_string(&marker).ok();
    match &known {
        Some(earlier) if *earlier != parameters => bail!(
            "{} holds a demo with other parameters ({}); remove it or choose another folder with --dir",
            folder.display(),
            earlier.trim()
        ),
        None if folder.join("goyong.toml").exists() => bail!(
            "{} is a project already; choose another folder with --dir",
            folder.display()
        ),
        _ => {}
    }
    let init = InitOptions {
        built_in_sql: true,
        simulated: true,
        archive_recipient: None,
    };
    initialise_project(&folder, &init).await?;
    let truth = folder.join("truth");
    let project = OpenProject::open(&folder, common.threads).await?;
    let start = Month::new(2024, 1)?;
    let end = start.plus(i32::try_from(arguments.months)?);
    if known.is_none() {
        console.say("simulating a country: persons, firms, claims, taxes, borders, frauds …");
        let config = SimulationConfig {
            seed: arguments.seed,
            persons: arguments.persons,
            start,
            months: arguments.months,
            landing: project.landing(),
            truth: truth.clone(),
            threads: worker_threads(common),
            fraud_rate: 1.0,
            survey_one_in: 40,
        };
        simulate_with_progress(&config, &console)?;
        std::fs::write(&marker, &parameters)
            .with_context(|| format!("write {}", marker.display()))?;
    }
    if let Some(open_data) = &arguments.open_data {
        let options = IngestOptions {
            path: Some(open_data.clone()),
            source: None,
            known_on: Some(end.first_day()),
        };
        let intake = project
            .ingest(&options, &|event| console.show(&event))
            .await
            .with_context(|| format!("ingest open data in {}", open_data.display()))?;
        console.say(&format!("open data: {}", intake.summary()));
    }
    let report = project
        .run_night(&NightOptions::default(), &|event| console.show(&event))
        .await?;
    console.finish();
    if report.status == StepStatus::Failed {
        console.say(&report.closing_line());
        return Ok(CHECK_FAILED);
    }
    let mut out = output::stdout();
    let evaluation = project.evaluate_against_truth(&truth).await?;
    writeln!(
        out,
        "\nAgainst the simulator's truth, which no job has read:"
    )?;
    output::write_rows(
        &goyong_nightly::EVALUATION_HEADER,
        &evaluation,
        OutputFormat::Table,
        &mut out,
    )?;
    let program = format!("goyong --dir {}", folder.display());
    let site = index_of(&project.site());
    let closing = report.closing_line();
    let summary = match common.lang {
        Language::En => format!(
            "{closing}\n\
             reports     {site}\n\
             tables      {program} sql              (\\d lists them)\n\
             alerts      {program} sql \"select * from alerts.candidate order by amount_at_risk_won desc limit 10\"\n\
             cases       {program} alerts ls --listed    (what each centre is to do)\n\
             blind spot  {program} sql \"select * from marts.blind_spot_monthly order by month desc, class limit 6\"\n\
             deliveries  {program} sql \"select source, period, status, rows_delivered, rows_quarantined from ops.deliveries limit 20\"\n\
             release     {program} releases show\n\
             once more   {program} night            (nothing new: it says so and ends)\n"
        ),
        Language::Ko => format!(
            "{closing}\n\
             보고서    {site}\n\
             표        {program} sql              (\\d 로 목록)\n\
             경보      {program} sql \"select * from alerts.candidate order by amount_at_risk_won desc limit 10\"\n\
             사건      {program} alerts ls --listed    (센터별 오늘의 목록)\n\
             사각지대  {program} sql \"select * from marts.blind_spot_monthly order by month desc, class limit 6\"\n\
             전달      {program} sql \"select source, period, status, rows_delivered, rows_quarantined from ops.deliveries limit 20\"\n\
             릴리스    {program} releases show\n\
             다시 실행 {program} night            (새것이 없으면 그렇게 말하고 끝남)\n"
        ),
    };
    write!(out, "\n{summary}")?;
    Ok(0)
}
