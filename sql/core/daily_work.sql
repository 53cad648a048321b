/*---
description:
  ko: 일용근로의 월별 신고. 일한 날의 표시와 첫날·마지막 날을 함께 둔다.
  en: reported daily work by person, workplace and month, with the marks of the days worked and their first and last day
grain: [person_key, workplace_no, month]
materialized: partitioned
partition_by: month
key: person_key
reads: {ei_daily_work: [0, 0]}
owner: core
known_on: reported_on
legal_basis: 고용보험법 제15조
columns:
  person_key: {tags: [pseudonym]}
  worked_days: {description: 31 marks; the n-th is 1 when the n-th day of the month was worked}
  days: {tests: [{range: {min: 0, max: 31}}]}
---*/
with reports as (
  select * from {{ source('ei_daily_work') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
latest as (
  {{ latest_version('reports', ['person_key', 'workplace_no', 'work_month']) }}
),
daily_work as (
  select
    -- ids
    latest.person_key,
    latest.workplace_no,
    workplace.biz_no,
    -- person
    latest.birth_date,
    latest.sex,
    -- dates
    latest.work_month as month,
    case when strpos(latest.worked_days, '1') > 0
         then add_days(latest.work_month, cast(strpos(latest.worked_days, '1') as int) - 1) end as first_worked_on,
    case when strpos(latest.worked_days, '1') > 0
         then add_days(latest.work_month, 31 - cast(strpos(reverse(latest.worked_days), '1') as int)) end as last_worked_on,
    latest.reported_on,
    latest._known_on as known_on,
    -- work
    latest.worked_days,
    latest.days,
    latest.job_name,
    -- amounts
    latest.gross_won
  from latest
  left join workplace
    on workplace.workplace_no = latest.workplace_no
  where latest.work_month = date '{{ var('partition_start') }}'
)
select * from daily_work
