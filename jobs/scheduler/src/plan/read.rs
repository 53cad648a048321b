//! A plan out of its file.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::{Catchup, DEFAULT_POOL, Deadline, OnHoliday, Overlap, Plan, Step};
use crate::document::{Document, Placed, Section, parse_duration};
use crate::error::{Problem, nearest};
use crate::schedule::Schedule;

const DEFAULT_TIMEZONE: &str = "Asia/Seoul";
const DEFAULT_BACKOFF: Duration = Duration::from_secs(60);

/// What a step takes from its plan.
struct Defaults {
    pool: String,
    retries: u32,
    retry_backoff: Duration,
}

pub(super) fn plan(name: &str, file: &str, text: &str) -> Result<Plan, Problem> {
    let document = Document { file, text };
    if !is_plain(name) {
        return Err(document.problem(
            0,
            format!("a plan's name is lower-case letters, digits, `-` and `_`, not `{name}`"),
        ));
    }
    let table = document.parse()?;
    let mut section = document.section(table.get_ref(), 0);
    let description = section.text("description")?;
    let timezone = timezone(&mut section)?;
    let schedule = match section.text("schedule")? {
        None => None,
        Some(text) => Some(
            Schedule::parse(&text.value, timezone)
                .map_err(|message| section.problem(text.offset, message))?,
        ),
    };
    let calendar = section.text("calendar")?;
    let on_holiday_words = [
        ("run", OnHoliday::Run),
        ("skip", OnHoliday::Skip),
        ("next_business_day", OnHoliday::NextBusinessDay),
    ];
    let on_holiday = section.word("on_holiday", &on_holiday_words)?;
    if on_holiday.is_some_and(|what| what != OnHoliday::Run) && calendar.is_none() {
        return Err(section.lacks("`on_holiday` needs a `calendar`"));
    }
    let catchup_words = [
        ("latest", Catchup::Latest),
        ("all", Catchup::All),
        ("skip", Catchup::Skip),
    ];
    let overlap_words = [
        ("skip", Overlap::Skip),
        ("queue", Overlap::Queue),
        ("replace", Overlap::Replace),
        ("allow", Overlap::Allow),
    ];
    let catchup = section.word("catchup", &catchup_words)?;
    let catchup_window = section.duration("catchup_window")?;
    let overlap = section.word("overlap", &overlap_words)?;
    let defaults = Defaults {
        retries: section.number("retries")?.unwrap_or(0),
        retry_backoff: section
            .duration("retry_backoff")?
            .unwrap_or(DEFAULT_BACKOFF),
        pool: section
            .text("pool")?
            .map_or_else(|| DEFAULT_POOL.to_owned(), |pool| pool.value),
    };
    let timeout = section.duration("timeout")?;
    let deadline = deadline(&mut section)?;
    let pause_on_failure = section.boolean("pause_on_failure")?;
    let notify = section.texts("notify")?;
    let notify_above = section.numbers("notify_above")?;
    let steps = steps(&mut section, &defaults)?;
    section.finish()?;
    Ok(Plan {
        name: name.to_owned(),
        description: description.map(|text| text.value).unwrap_or_default(),
        schedule,
        timezone,
        calendar: calendar.map(|text| text.value),
        on_holiday: on_holiday.unwrap_or(OnHoliday::Run),
        catchup: catchup.unwrap_or(Catchup::Latest),
        catchup_window,
        overlap: overlap.unwrap_or(Overlap::Skip),
        timeout,
        deadline,
        pause_on_failure: pause_on_failure.unwrap_or(false),
        notify: notify.into_iter().map(|text| text.value).collect(),
        notify_above: notify_above
            .into_iter()
            .map(|(figure, limit)| (figure, i64::from(limit)))
            .collect(),
        steps,
    })
}

/// Fit for a file's name everywhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

fn timezone(section: &mut Section<'_>) -> Result<Tz, Problem> {
    let text = section.text("timezone")?;
    let name = text
        .as_ref()
        .map_or(DEFAULT_TIMEZONE, |text| text.value.as_str());
    name.parse().map_err(|_| {
        let hint = nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()))
            .map_or_else(String::new, |nearest| {
                format!("; did you mean `{nearest}`?")
            });
        let offset = text.as_ref().map_or(0, |text| text.offset);
        section.problem(offset, format!("no time zone `{name}`{hint}"))
    })
}

fn deadline(section: &mut Section<'_>) -> Result<Option<Deadline>, Problem> {
    let Some(text) = section.text("deadline")? else {
        return Ok(None);
    };
    let at = NaiveTime::parse_from_str(&text.value, "%H:%M").map(Deadline::At);
    match at.ok().or_else(|| parse_duration(&text.value).map(Deadline::After)) {
        Some(deadline) => Ok(Some(deadline)),
        None => Err(section.problem(
            text.offset,
            format!(
                "`deadline` is a time of day such as 06:00 or a length of time such as 3h30m, not `{}`",
                text.value
            ),
        )),
    }
}

fn steps(section: &mut Section<'_>, defaults: &Defaults) -> Result<Vec<Step>, Problem> {
    let tables = section.sections("step")?;
    if tables.is_empty() {
        return Err(section.lacks("a plan has at least one [[step]]"));
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut inputs: Vec<Vec<Placed<String>>> = Vec::new();
    let mut makers: BTreeMap<String, usize> = BTreeMap::new();
    for (index, mut table) in tables.into_iter().enumerate() {
        let name = table
            .text("name")?
            .ok_or_else(|| table.lacks("a [[step]] has a `name`"))?;
        if !is_plain(&name.value) {
            let message = "a step's name is lower-case letters, digits, `-` and `_`";
            return Err(table.problem(name.offset, message));
        }
        if steps.iter().any(|step| step.name == name.value) {
            return Err(table.problem(name.offset, format!("a second step `{}`", name.value)));
        }
        let wanted = table.texts("inputs")?;
        let outputs = table.texts("outputs")?;
        for output in &outputs {
            if makers.insert(output.value.clone(), index).is_some() {
                let message = format!("`{}` is put out by another step as well", output.value);
                return Err(table.problem(output.offset, message));
            }
        }
        steps.push(Step {
            job: table
                .text("job")?
                .map_or_else(|| name.value.clone(), |job| job.value),
            name: name.value,
            reason: table
                .text("reason")?
                .map(|text| text.value)
                .unwrap_or_default(),
            inputs: wanted.iter().map(|input| input.value.clone()).collect(),
            outputs: outputs.into_iter().map(|output| output.value).collect(),
            upstream: Vec::new(),
            pool: table
                .text("pool")?
                .map_or_else(|| defaults.pool.clone(), |pool| pool.value),
            timeout: table.duration("timeout")?,
            retries: table.number("retries")?.unwrap_or(defaults.retries),
            retry_backoff: table
                .duration("retry_backoff")?
                .unwrap_or(defaults.retry_backoff),
        });
        inputs.push(wanted);
        table.finish()?;
    }
    for (index, wanted) in inputs.iter().enumerate() {
        for input in wanted {
            let Some(maker) = makers.get(&input.value) else {
                let hint = nearest(&input.value, makers.keys().map(String::as_str))
                    .map_or_else(String::new, |nearest| {
                        format!("; did you mean `{nearest}`?")
                    });
                let message = format!("no step puts out `{}`{hint}", input.value);
                return Err(section.problem(input.offset, message));
            };
            if !steps[index].upstream.contains(maker) {
                steps[index].upstream.push(*maker);
            }
        }
    }
    if let Some(index) = in_a_circle(&steps) {
        let offset = inputs[index].first().map_or(0, |input| input.offset);
        let message = format!(
            "step `{}` needs, in the end, what it makes itself",
            steps[index].name
        );
        return Err(section.problem(offset, message));
    }
    Ok(steps)
}

/// A step that can never start.
fn in_a_circle(steps: &[Step]) -> Option<usize> {
    let mut done = vec![false; steps.len()];
    loop {
        let ready = (0..steps.len())
            .find(|index| !done[*index] && steps[*index].upstream.iter().all(|up| done[*up]));
        match ready {
            Some(index) => done[index] = true,
            None => return done.iter().position(|done| !done),
        }
    }
}
