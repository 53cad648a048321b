/*---
description:
  ko: 아직 채워지지 않은 구인신청의 주별 충원 확률과, 그런 구인의 절반이 며칠째에 채워지는지.
  en: >-
    the chances of each open vacancy week by week, from the day after the last one delivered: of being filled in a week
    if it was not before, and of having been filled by its end; and the day by which half of such vacancies are filled,
    with the days by which a quarter and three quarters are. Days count from the opening, which is day 0
grain: [vacancy_no, open_week]
materialized: table
owner: learning
legal_basis: 직업안정법 제8조
expects:
  models.hiring_hazard:
    vacancy_no: string
    open_from: date
    purpose: string
    probability: float
    model_version: string
tests:
  - {expression: "quarter_filled_day is null or quarter_filled_day <= coalesce(half_filled_day, quarter_filled_day)"}
  - {expression: "half_filled_day is null or half_filled_day <= coalesce(three_quarters_filled_day, half_filled_day)"}
columns:
  open_week: {description: "week of the period, 1 begins on the day of opening"}
  open_from: {description: "the first day of the week of which it is not known whether the vacancy is still open"}
  open_to: {description: "the last day of the week, at the latest that of the period"}
  hazard: {description: probability of being filled on these days when it was not before, tests: [{range: {min: 0, max: 1}}]}
  filled_by_end: {description: probability of being filled by the end of this week, tests: [{range: {min: 0, max: 1}}]}
  filled_in_period: {description: probability of being filled by the end of the period, tests: [{range: {min: 0, max: 1}}]}
  quarter_filled_day: {description: "days from opening by which a quarter of such vacancies are filled; null when the period ends before"}
  half_filled_day: {description: "days from opening by which half of such vacancies are filled; null when the period ends before"}
  three_quarters_filled_day: {description: "days from opening by which three quarters of such vacancies are filled; null when the period ends before"}
---*/
with score as (
  select * from {{ table('models.hiring_hazard') }}
),
feature as (
  select * from {{ ref('hiring_hazard') }}
),
vacancy as (
  select * from {{ ref('vacancy_outcome') }}
),
delivered as (
  select * from {{ source('wn_vacancy') }}
),
observed as (
  select {{ delivered_until('delivered') }} as until from delivered
),
waiting as (
  select
    feature.vacancy_no,
    feature.opened_on,
    vacancy.closes_on,
    feature.open_week,
    greatest(feature.open_from, add_days(observed.until, 1)) as open_from,
    feature.open_to,
    feature.days_of_week,
    score.probability,
    score.model_version
  from score
  inner join feature
    on feature.vacancy_no = score.vacancy_no
    and feature.open_from = score.open_from
  inner join vacancy
    on vacancy.vacancy_no = feature.vacancy_no
  cross join observed
  where score.purpose = 'current'
    and score.probability is not null
    and vacancy.state = 'open'
    and feature.open_to > observed.until
),
-- of a week that has begun, what its last days have left of the hazard
open_week as (
  select
    waiting.*,
    days_between(waiting.open_from, waiting.open_to) + 1 as days_left,
    1.0 - exp(ln(1.0 - least(waiting.probability, 0.999999))
      * cast(days_between(waiting.open_from, waiting.open_to) + 1 as double) / cast(waiting.days_of_week as double)) as hazard
  from waiting
),
chance as (
  select
    open_week.*,
    {{ chance_by_end('open_week.hazard', 'open_week.vacancy_no', 'open_week.open_week') }} as filled_by_end
  from open_week
),
followed as (
  select
    chance.*,
    coalesce(lag(chance.filled_by_end) over (partition by chance.vacancy_no order by chance.open_week), 0.0) as filled_before
  from chance
),
reached as (
  select
    followed.*,
    days_between(followed.opened_on, followed.open_from) - 1
      + {{ day_of_share('0.25', 'followed.filled_before', 'followed.filled_by_end', 'followed.days_of_week') }} as quarter_filled_day,
    days_between(followed.opened_on, followed.open_from) - 1
      + {{ day_of_share('0.5', 'followed.filled_before', 'followed.filled_by_end', 'followed.days_of_week') }} as half_filled_day,
    days_between(followed.opened_on, followed.open_from) - 1
      + {{ day_of_share('0.75', 'followed.filled_before', 'followed.filled_by_end', 'followed.days_of_week') }} as three_quarters_filled_day
  from followed
),
of_vacancy as (
  select
    reached.vacancy_no,
    max(reached.filled_by_end) as filled_in_period,
    min(reached.quarter_filled_day) as quarter_filled_day,
    min(reached.half_filled_day) as half_filled_day,
    min(reached.three_quarters_filled_day) as three_quarters_filled_day
  from reached
  group by reached.vacancy_no
),
hiring_curve as (
  select
    -- ids and dates
    reached.vacancy_no,
    reached.opened_on,
    reached.closes_on,
    reached.open_week,
    reached.open_from,
    reached.open_to,
    -- the week
    reached.hazard,
    reached.filled_by_end,
    -- the vacancy
    of_vacancy.filled_in_period,
    of_vacancy.quarter_filled_day,
    of_vacancy.half_filled_day,
    of_vacancy.three_quarters_filled_day,
    reached.model_version
  from reached
  inner join of_vacancy
    on of_vacancy.vacancy_no = reached.vacancy_no
)
select * from hiring_curve
