/*---
description:
  ko: 늦은 신고가 들어온 뒤의 사각지대 인원 예측과 그 예측의 과거 오차
  en: >-
    what the count of a month is expected to become when late reports have come (chain ladder), beside what earlier
    counts became, and how far the same method was off for months that are complete
grain: [month, class]
materialized: table
owner: coverage
meta:
  formula:
    - "development factor of age a = sum of persons at age a + 1 / sum of persons at age a, over the months known at both (chain ladder, Mack 1993)"
    - "expected = persons now * product of the factors from the present age to 5"
    - "past error = mean over complete months of |persons at the age * product of factors without that month / persons at age 6 - 1|"
columns:
  age_months: {description: "months since the first statements of the month came, at most 6"}
  first_persons: {description: persons in the first count of the month}
  persons_now: {description: persons in the count of the business date}
  expected_persons: {description: "persons when 6 months have passed; null before any month has reached the next age"}
  past_error: {description: "relative; null until three months are complete"}
---*/
with development as (
  select * from {{ ref('coverage_development') }}
  where known_by <= date '{{ var('as_of') }}'
),
step as (
  select
    earlier.class, earlier.month, earlier.age_months,
    cast(earlier.persons as bigint) as persons,
    cast(later.persons as bigint) as later_persons
  from development as earlier
  inner join development as later
    on later.class = earlier.class
    and later.month = earlier.month
    and later.age_months = earlier.age_months + 1
),
step_total as (
  select step.class, step.age_months, sum(step.persons) as persons, sum(step.later_persons) as later_persons
  from step
  group by step.class, step.age_months
),
-- logarithms add up where factors multiply; each is rounded, so that the order of rows cannot matter
factor as (
  select
    step_total.class,
    step_total.age_months,
    cast(ln(cast(step_total.later_persons as double) / cast(step_total.persons as double)) as decimal(18, 12)) as log_factor
  from step_total
  where step_total.persons > 0
    and step_total.later_persons > 0
),
present as (
  select development.class, development.month, max(development.age_months) as age_months
  from development
  group by development.class, development.month
),
remaining as (
  select
    present.class, present.month, present.age_months,
    count(factor.log_factor) as factors,
    sum(factor.log_factor) as log_factor
  from present
  left join factor
    on factor.class = present.class
    and factor.age_months >= present.age_months
  group by present.class, present.month, present.age_months
),
-- complete months again, from every age, with factors that do not know them
left_out as (
  select
    step.class,
    step.month,
    step.age_months,
    cast(ln(cast(step_total.later_persons - step.later_persons as double)
      / cast(step_total.persons - step.persons as double)) as decimal(18, 12)) as log_factor
  from step
  inner join step_total
    on step_total.class = step.class
    and step_total.age_months = step.age_months
  where step_total.persons > step.persons
    and step_total.later_persons > step.later_persons
),
past as (
  select
    start.class, start.month, start.age_months,
    max(start.persons) as persons,
    max(complete.persons) as complete_persons,
    sum(left_out.log_factor) as log_factor,
    count(left_out.log_factor) as factors
  from development as start
  inner join development as complete
    on complete.class = start.class
    and complete.month = start.month
    and complete.age_months = 6
  inner join left_out
    on left_out.class = start.class
    and left_out.month = start.month
    and left_out.age_months >= start.age_months
  where start.age_months < 6
    and complete.persons > 0
  group by start.class, start.month, start.age_months
),
past_error as (
  select
    past.class,
    past.age_months,
    count(*) as months,
    sum(cast(abs(cast(past.persons as double) * exp(cast(past.log_factor as double)) / cast(past.complete_persons as double) - 1.0) as decimal(18, 8))) as error
  from past
  where past.factors = 6 - past.age_months
  group by past.class, past.age_months
),
blind_spot_revision as (
  select
    -- ids
    remaining.month,
    remaining.class,
    cast(remaining.age_months as int) as age_months,
    -- persons
    first_count.persons as first_persons,
    present_count.persons as persons_now,
    case when remaining.factors = 6 - remaining.age_months
         then cast(round(cast(present_count.persons as double) * exp(cast(coalesce(remaining.log_factor, 0) as double))) as bigint) end as expected_persons,
    -- error
    case when remaining.age_months = 6 then cast(0 as decimal(12, 6))
         when past_error.months >= 3 then cast(past_error.error / past_error.months as decimal(12, 6)) end as past_error,
    coalesce(past_error.months, 0) as months_compared
  from remaining
  inner join development as first_count
    on first_count.class = remaining.class
    and first_count.month = remaining.month
    and first_count.age_months = 0
  inner join development as present_count
    on present_count.class = remaining.class
    and present_count.month = remaining.month
    and present_count.age_months = remaining.age_months
  left join past_error
    on past_error.class = remaining.class
    and past_error.age_months = remaining.age_months
)
select * from blind_spot_revision
