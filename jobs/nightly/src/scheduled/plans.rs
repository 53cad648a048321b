//! Plans and calendars: the built-in ones, and those of the warehouse folder instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goyong_scheduler::{Calendar, Plan};
use goyong_types::nearest_name;

use crate::configuration::{Configuration, SQL_FOLDER};
use crate::figures::Totals;
use crate::plan::PLAN;

/// The plan of a project that has none of its own by that name.
pub const BUILT_IN_PLAN: (&str, &str) = ("night", include_str!("../../../plans/night.toml"));
/// The calendar of a project that has none of its own by that name.
pub const BUILT_IN_CALENDAR: (&str, &str) = ("kr", include_str!("../../../calendars/kr.toml"));
/// The days of the built-in calendar: the seed that models read.
const HOLIDAYS: (&str, &str) = (
    "holiday.csv",
    include_str!("../../../../sql/seeds/holiday.csv"),
);

/// The steps of the night as it is built in, which `goyong night` runs whatever plans say.
pub(crate) fn built_in_night() -> Result<Plan> {
    let (name, text) = BUILT_IN_PLAN;
    Ok(Plan::parse(name, name, text)?)
}

/// Every plan, each step of which names a job there is.
pub(super) fn plans(configuration: &Configuration) -> Result<Vec<Plan>> {
    let folder = configuration.warehouse.join("jobs/plans");
    let mut plans = Vec::new();
    for (name, (file, text)) in files(&folder, BUILT_IN_PLAN)? {
        let plan = Plan::parse(&name, &file, &text)?;
        check_jobs(&plan, &file)?;
        check_notices(&plan, &file, configuration)?;
        plans.push(plan);
    }
    Ok(plans)
}

fn check_jobs(plan: &Plan, file: &str) -> Result<()> {
    let jobs = || PLAN.iter().map(|step| step.name);
    for step in &plan.steps {
        if !jobs().any(|job| job == step.job) {
            let hint = nearest_name(&step.job, jobs()).map_or_else(
                || format!("there are {}", jobs().collect::<Vec<_>>().join(", ")),
                |nearest| format!("did you mean `{nearest}`?"),
            );
            bail!(
                "{file}: step {} names no job `{}`; {hint}",
                step.name,
                step.job
            );
        }
    }
    Ok(())
}

/// Whether everybody who is to be told has an address, and every limit is of a figure there is.
fn check_notices(plan: &Plan, file: &str, configuration: &Configuration) -> Result<()> {
    for target in &plan.notify {
        if !configuration.notify.contains_key(target) {
            let known = configuration.notify.keys().map(String::as_str);
            let hint = nearest_name(target, known).map_or_else(
                || format!("add [notify.{target}] to goyong.toml"),
                |nearest| format!("did you mean `{nearest}`?"),
            );
            bail!("{file}: `notify` names `{target}`, which goyong.toml does not know; {hint}");
        }
    }
    for figure in plan.notify_above.keys() {
        if !Totals::NAMES.contains(&figure.as_str()) {
            let hint = nearest_name(figure, Totals::NAMES.iter().copied()).map_or_else(
                || format!("there are {}", Totals::NAMES.join(", ")),
                |nearest| format!("did you mean `{nearest}`?"),
            );
            bail!("{file}: [notify_above] names `{figure}`, which no step tells; {hint}");
        }
    }
    Ok(())
}

/// Every calendar by name.
pub(super) fn calendars(configuration: &Configuration) -> Result<BTreeMap<String, Calendar>> {
    let folder = configuration.warehouse.join("calendars");
    let seeds = configuration
        .sql
        .clone()
        .unwrap_or_else(|| PathBuf::from(SQL_FOLDER))
        .join("seeds");
    // A list beside the calendar, the project's seed, the built-in seed.
    let dates_of = |file: &str| {
        let is_name = Path::new(file).components().count() == 1;
        [folder.join(file), seeds.join(file)]
            .iter()
            .filter(|_| is_name)
            .find_map(|path| std::fs::read_to_string(path).ok())
            .or_else(|| (file == HOLIDAYS.0).then(|| HOLIDAYS.1.to_owned()))
    };
    let mut calendars = BTreeMap::new();
    for (name, (file, text)) in files(&folder, BUILT_IN_CALENDAR)? {
        let calendar = Calendar::parse(&name, &file, &text, &dates_of)?;
        calendars.insert(name, calendar);
    }
    Ok(calendars)
}

/// The TOML files of a folder by name, each with its path and text, and the built-in one where none has its name.
fn files(folder: &Path, built_in: (&str, &str)) -> Result<BTreeMap<String, (String, String)>> {
    let mut files = BTreeMap::from([(
        built_in.0.to_owned(),
        (
            format!("built-in {}.toml", built_in.0),
            built_in.1.to_owned(),
        ),
    )]);
    if !folder.is_dir() {
        return Ok(files);
    }
    let listed = || format!("list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(listed)? {
        let path = entry.with_context(listed)?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        files.insert(name, (path.display().to_string(), text));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use goyong_scheduler::HolidayKind;

    use super::*;

    fn in_folder(folder: &Path) -> Configuration {
        Configuration {
            warehouse: folder.to_owned(),
            ..Configuration::default()
        }
    }

    #[test]
    fn the_built_in_night_is_the_ordered_list_of_steps() {
        let folder = tempfile::tempdir().unwrap();
        let plans = plans(&in_folder(folder.path())).unwrap();
        let jobs: Vec<&str> = plans[0]
            .steps
            .iter()
            .map(|step| step.job.as_str())
            .collect();
        let list: Vec<&str> = PLAN.iter().map(|step| step.name).collect();
        assert_eq!(jobs, list);
        for (index, step) in plans[0].steps.iter().enumerate().skip(1) {
            assert!(
                step.upstream.contains(&(index - 1)),
                "{} follows",
                step.name
            );
        }
    }

    #[test]
    fn a_plan_of_the_folder_stands_in_for_the_built_in_one_and_names_jobs_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("jobs/plans");
        std::fs::create_dir_all(&own).unwrap();
        let write = |text: &str| std::fs::write(own.join("night.toml"), text).unwrap();
        write("schedule = \"0 4 * * *\"\n[[step]]\nname = \"reports\"\njob = \"render_reports\"\n");
        let configuration = in_folder(folder.path());
        let read = plans(&configuration).unwrap();
        assert_eq!((read.len(), read[0].steps.len()), (1, 1));
        write("[[step]]\nname = \"render_report\"\n");
        let error = plans(&configuration).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "step render_report names no job `render_report`; did you mean `render_reports`?"
            ),
            "{error}"
        );
        write("scedule = \"0 4 * * *\"\n[[step]]\nname = \"render_reports\"\n");
        let error = plans(&configuration).unwrap_err().to_string();
        assert!(
            error.ends_with("night.toml, line 1: unknown key `scedule`; did you mean `schedule`?"),
            "{error}"
        );
    }

    #[test]
    fn koreas_holidays_are_the_seeds_with_kind_and_day_of_becoming_known() {
        let folder = tempfile::tempdir().unwrap();
        let calendars = calendars(&in_folder(folder.path())).unwrap();
        let korea = &calendars["kr"];
        assert_eq!(korea.holidays().count(), HOLIDAYS.1.lines().count() - 1);
        let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
        let kind = |text: &str| korea.holiday(day(text), day("2027-12-31")).unwrap().kind;
        assert_eq!(kind("2025-10-06"), HolidayKind::Lunar);
        assert_eq!(kind("2024-02-12"), HolidayKind::Substitute);
        assert_eq!(kind("2024-10-01"), HolidayKind::Temporary);
        assert_eq!(kind("2026-08-15"), HolidayKind::Fixed);
        // Decided on 3 September: a day before nobody could know.
        assert_eq!(korea.free_day(day("2024-10-01"), day("2024-09-02")), None);
        assert!(
            korea
                .free_day(day("2024-10-01"), day("2024-09-03"))
                .is_some()
        );
        for year in 2023..=2027 {
            let lunar = korea.holidays().filter(|(day, holiday)| {
                chrono::Datelike::year(day) == year && holiday.kind == HolidayKind::Lunar
            });
            assert!(lunar.count() >= 6, "{year}");
        }
        // Every temporary holiday has the day it became known.
        let unknown = korea.holidays().filter(|(day, holiday)| {
            chrono::Datelike::year(day) >= 2023
                && holiday.kind == HolidayKind::Temporary
                && holiday.known_on.is_none()
        });
        assert_eq!(unknown.count(), 0);
    }
}
