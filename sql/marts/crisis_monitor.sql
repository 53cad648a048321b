/*---
description:
  ko: 주별 신청·상실·구인을 지난해들의 같은 주로 만든 기준선과 구간에 견주고, 거짓 발견율을 통제해 이상을 표시한다.
  en: >-
    weekly claims, losses and vacancies against a baseline from the same weeks of earlier years, with its 95 % interval,
    and flags at a false discovery rate of 5 %
grain: [measure, level, area, section, age_band, week_from]
materialized: table
owner: labour_market
legal_basis: 고용정책 기본법 제15조 · 제32조
meta:
  method: >-
    Farrington, Andrews, Beale and Catchpole (A statistical algorithm for the early detection of outbreaks of infectious
    disease, JRSS A 159, 1996) with the quasi-Poisson and 2/3 power of their paper: reference weeks are the same week
    and three on each side in up to five earlier years; a holiday that moves stays inside them. An offset of the model is
    the week of the month, by what the nation counts in such weeks: people leave at a month's end
  trend: >-
    the ratio of the nation's counts of the measure in the half year that ended eight weeks before to the same weeks a
    year earlier, so that a crisis does not enter its own baseline; 1 where a year earlier was not delivered
  flags: >-
    Benjamini and Hochberg (JRSS B 57, 1995) over all cells of a measure, level and week that are tested; a cell is
    tested when its reference weeks hold five or more. Claims and losses are flagged when there are too many, vacancies when there are too few
columns:
  measure: {tests: [{accepted_values: [claims, losses, vacancies]}]}
  observed: {tests: [{range: {min: 0}}]}
  expected: {description: "persons the baseline gives", tests: [{range: {min: 0}}]}
  expected_low: {description: lower end of the 95 % interval of one week's count, tests: [{range: {min: 0}}]}
  expected_high: {description: upper end}
  reference_weeks: {description: weeks of earlier years, tests: [{range: {min: 4, max: 35}}]}
  dispersion: {description: "Pearson's statistic of the reference weeks over its degrees of freedom; at least 1", tests: [{range: {min: 1}}]}
  trend: {tests: [{range: {min: 0.25, max: 4}}]}
  z_score: {description: "above zero is the direction of a crisis"}
  p_value: {tests: [{range: {min: 0, max: 1}}]}
  q_value: {description: "Benjamini–Hochberg", tests: [{range: {min: 0, max: 1}}]}
  is_flagged: {description: q_value at most 0.05}
---*/
with weekly as (
  select * from {{ ref('crisis_weekly') }}
),
week as (
  select distinct week_from from {{ ref('labour_market_weekly') }}
),
back as (
  select years.years * 364 + weeks.weeks * 7 as days
  from (values (1), (2), (3), (4), (5)) as years (years)
  cross join (values (-3), (-2), (-1), (0), (1), (2), (3)) as weeks (weeks)
),
reference_week as (
  select week.week_from, add_days(week.week_from, -back.days) as reference_from
  from week
  cross join back
  inner join week as earlier
    on earlier.week_from = add_days(week.week_from, -back.days)
),
-- at least half of one year's seven weeks
nation as (
  select measure, week_from, persons from weekly where level = 'nation'
),
-- weeks since the one that holds the first of a month: people leave at its end and claim in its first half
phased as (
  select
    week.week_from,
    (cast(date_part('day', add_days(week.week_from, 6)) as int) - 1) / 7 as phase
  from week
),
measured as (
  select distinct measure from nation
),
phase_total as (
  select measured.measure, phased.phase, coalesce(sum(nation.persons), 0) as persons, count(*) as weeks
  from phased
  cross join measured
  left join nation
    on nation.week_from = phased.week_from
    and nation.measure = measured.measure
  group by measured.measure, phased.phase
),
measure_total as (
  select measure, sum(persons) as persons, sum(weeks) as weeks from phase_total group by measure
),
-- how many a week of the phase counts, in thousandths of the average week
phase_factor as (
  select
    phase_total.measure,
    phased.week_from,
    greatest(50, cast(phase_total.persons * measure_total.weeks * 1000 / nullif(phase_total.weeks * measure_total.persons, 0) as bigint)) as factor
  from phased
  inner join phase_total
    on phase_total.phase = phased.phase
  inner join measure_total
    on measure_total.measure = phase_total.measure
),
-- at least half of one year's seven weeks
referred as (
  select
    reference_week.week_from,
    phase_factor.measure,
    count(*) as reference_weeks,
    cast(sum(phase_factor.factor) as bigint) as factors
  from reference_week
  inner join phase_factor
    on phase_factor.week_from = reference_week.reference_from
  group by reference_week.week_from, phase_factor.measure
  having count(*) >= 4
),
paired as (
  select week.week_from, add_days(week.week_from, -shift.weeks * 7) as recent_from
  from week
  cross join (
    values (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20), (21), (22), (23), (24), (25),
      (26), (27), (28), (29), (30), (31), (32), (33)
  ) as shift (weeks)
  inner join week as earlier
    on earlier.week_from = add_days(week.week_from, cast(-shift.weeks * 7 - 364 as int))
),
-- no trend beyond a factor of four is believed
trend as (
  select
    paired.week_from,
    nation.measure,
    greatest(0.25, least(4.0, cast(sum(nation.persons) as double) / cast(sum(earlier.persons) as double))) as trend
  from paired
  inner join nation
    on nation.week_from = paired.recent_from
  inner join nation as earlier
    on earlier.week_from = add_days(paired.recent_from, -364)
    and earlier.measure = nation.measure
  group by paired.week_from, nation.measure
),
-- whole numbers throughout, so that the order of adding up does not matter: squares are millionths
past as (
  select
    weekly.measure,
    weekly.level,
    weekly.area,
    weekly.section,
    weekly.age_band,
    reference_week.week_from,
    sum(weekly.persons) as persons,
    sum(weekly.persons * weekly.persons * 1000000 / phase_factor.factor) as squares
  from weekly
  inner join reference_week
    on reference_week.reference_from = weekly.week_from
  inner join phase_factor
    on phase_factor.week_from = weekly.week_from
    and phase_factor.measure = weekly.measure
  group by weekly.measure, weekly.level, weekly.area, weekly.section, weekly.age_band, reference_week.week_from
  having sum(weekly.persons) >= 5
),
-- Pearson's statistic of counts y about m f, m = sum(y) / sum(f): sum(f) / sum(y) x sum(y y / f) - sum(y)
estimated as (
  select
    past.*,
    referred.reference_weeks,
    coalesce(trend.trend, 1.0) as trend,
    coalesce(weekly.persons, 0) as observed,
    cast(past.persons as double) * cast(phase_factor.factor as double) / cast(referred.factors as double) * coalesce(trend.trend, 1.0) as expected,
    greatest(1.0,
      (cast(referred.factors as double) / cast(past.persons as double) * cast(past.squares as double) / 1000000.0 - cast(past.persons as double))
        / cast(referred.reference_weeks - 1 as double)) as dispersion
  from past
  inner join referred
    on referred.week_from = past.week_from
    and referred.measure = past.measure
  inner join phase_factor
    on phase_factor.week_from = past.week_from
    and phase_factor.measure = past.measure
  left join trend
    on trend.week_from = past.week_from
    and trend.measure = past.measure
  left join weekly
    on weekly.measure = past.measure
    and weekly.level = past.level
    and weekly.area = past.area
    and weekly.section = past.section
    and weekly.age_band = past.age_band
    and weekly.week_from = past.week_from
),
-- relative variance of a week's count about the estimated mean: that of the week and that of the reference weeks
varied as (
  select
    estimated.*,
    sqrt(estimated.dispersion * (1.0 / estimated.expected + 1.0 / cast(estimated.persons as double))) as error
  from estimated
),
scored as (
  select
    varied.*,
    2.0 / 3.0 * varied.error as spread,
    case when varied.measure = 'vacancies' then -1.5 else 1.5 end
      * (power(cast(varied.observed as double) / varied.expected, 2.0 / 3.0) - 1.0) / varied.error as z_score
  from varied
),
tested as (
  select
    scored.*,
    {{ normal_tail('scored.z_score') }} as p_value
  from scored
),
ranked as (
  select
    tested.*,
    row_number() over (
      partition by tested.measure, tested.level, tested.week_from
      order by tested.p_value, tested.area, tested.section, tested.age_band) as place,
    count(*) over (partition by tested.measure, tested.level, tested.week_from) as tests
  from tested
),
discovered as (
  select
    ranked.*,
    least(1.0, min(ranked.p_value * cast(ranked.tests as double) / cast(ranked.place as double)) over (
      partition by ranked.measure, ranked.level, ranked.week_from
      order by ranked.place desc rows between unbounded preceding and current row)) as q_value
  from ranked
),
crisis_monitor as (
  select
    -- ids
    discovered.measure,
    discovered.level,
    discovered.area,
    discovered.section,
    discovered.age_band,
    discovered.week_from,
    concat(
      cast({{ iso_year('discovered.week_from') }} as varchar), '-W',
      lpad(cast({{ iso_week('discovered.week_from') }} as varchar), 2, '0')) as week,
    -- counts
    discovered.observed,
    discovered.expected,
    discovered.expected * power(greatest(0.0, 1.0 - 1.96 * discovered.spread), 1.5) as expected_low,
    discovered.expected * power(1.0 + 1.96 * discovered.spread, 1.5) as expected_high,
    -- baseline
    discovered.reference_weeks,
    discovered.dispersion,
    discovered.trend,
    -- flag
    discovered.z_score,
    discovered.p_value,
    discovered.q_value,
    discovered.tests,
    discovered.q_value <= 0.05 as is_flagged
  from discovered
)
select * from crisis_monitor
