/*---
description:
  ko: 사각지대 사람·월의 수가 신고가 늦게 들어오면서 어떻게 바뀌었는지
  en: >-
    how many persons of a month stood as uninsured, by how many months had passed since its first statements came: late
    reports of acquisition and of daily work take people out, late statements bring them in
grain: [month, class, age_months]
materialized: partitioned
partition_by: month
partitions_from: coverage_month
reads: {coverage_month: [0, 0], income_month: [0, 0], daily_work: [0, 0]}
during:
  insured_spell: [insured_from, insured_to]
  contractor_spell: [insured_from, insured_to]
owner: coverage
meta:
  assumptions:
    - the insurance knows an acquisition and daily work from the day they were reported, a contract from the day its first report was delivered
    - a person insured by a late report stood in the class of the income paid before the report
columns:
  class: {tests: [{accepted_values: [covered_uninsured, daily_unreported, contractor_outside]}]}
  age_months: {description: "0 is the day the first statements of this kind came", tests: [{range: {min: 0, max: 6}}]}
  known_by: {description: "the day of that age; readers take those up to the business date"}
  persons: {description: persons who stood as uninsured at that age, tests: [{range: {min: 0}}]}
---*/
with coverage as (
  select * from {{ ref('coverage_month') }}
),
income as (
  select * from {{ ref('income_month') }}
),
daily_work as (
  select * from {{ ref('daily_work') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
contractor_spell as (
  select * from {{ ref('contractor_spell') }}
),
kind as (
  select t.income_kind, t.class
  from (values ('wage', 'covered_uninsured'), ('daily', 'daily_unreported'), ('business', 'contractor_outside')) as t (income_kind, class)
),
-- the day the first statement of each kind told of the person
told as (
  select income.person_key, kind.class, min(income.known_on) as told_on
  from income
  inner join kind
    on kind.income_kind = income.income_kind
  where income.month = date '{{ var('partition_start') }}'
  group by income.person_key, kind.class
),
first_told as (
  select told.class, min(told.told_on) as first_on from told group by told.class
),
-- the day the insurance first knew of any insured day of the month
reported as (
  select report.person_key, min(report.reported_on) as reported_on
  from (
    select insured_spell.person_key, insured_spell.acquired_reported_on as reported_on
    from insured_spell
    where not insured_spell.cancelled
      and insured_spell.insured_from < date '{{ var('partition_end') }}'
      and (insured_spell.insured_to is null or insured_spell.insured_to >= date '{{ var('partition_start') }}')
    union all
    select daily_work.person_key, daily_work.reported_on
    from daily_work
    where daily_work.month = date '{{ var('partition_start') }}'
    union all
    select contractor_spell.person_key, contractor_spell.first_known_on as reported_on
    from contractor_spell
    where not contractor_spell.cancelled
      and contractor_spell.insured_from < date '{{ var('partition_end') }}'
      and (contractor_spell.insured_to is null or contractor_spell.insured_to >= date '{{ var('partition_start') }}')
  ) as report
  group by report.person_key
),
-- from which day to which each person stood as uninsured
standing as (
  select told.class, told.told_on, cast(null as date) as until
  from coverage
  inner join told
    on told.person_key = coverage.person_key
    and told.class = coverage.class
  where coverage.month = date '{{ var('partition_start') }}'
  union all
  select told.class, told.told_on, reported.reported_on as until
  from coverage
  inner join told
    on told.person_key = coverage.person_key
  inner join reported
    on reported.person_key = coverage.person_key
  where coverage.month = date '{{ var('partition_start') }}'
    and coverage.class = 'insured'
    and reported.reported_on > told.told_on
),
age as (
  select first_told.class, age.age_months, add_months(first_told.first_on, age.age_months) as known_by
  from first_told
  cross join (values (0), (1), (2), (3), (4), (5), (6)) as age (age_months)
),
coverage_development as (
  select
    date '{{ var('partition_start') }}' as month,
    age.class,
    cast(age.age_months as int) as age_months,
    age.known_by,
    count(standing.told_on) filter (where standing.told_on <= age.known_by
      and (standing.until is null or standing.until > age.known_by)) as persons
  from age
  left join standing
    on standing.class = age.class
  group by age.class, age.age_months, age.known_by
)
select * from coverage_development
