/*---
description:
  ko: 일용근로의 월별 신고. 일한 날의 표시와 첫날·마지막 날을 함께 둔다.
  en: reported daily work by person, workplace and month, with the marks of the days worked and their first and last day
grain: [person_key, workplace_no, month]
materialized: partitioned
partition_by: month
reads: {ei_daily_work: [0, 0]}
owner: core
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
versions as (
  select
    reports.person_key,
    reports.workplace_no,
    reports.work_month,
    max({{ row_version('reports') }}) as version
  from reports
  group by reports.person_key, reports.workplace_no, reports.work_month
),
daily_work as (
  select
    -- ids
    reports.person_key,
    reports.workplace_no,
    workplace.biz_no,
    -- person
    reports.birth_date,
    reports.sex,
    -- dates
    reports.work_month as month,
    case when strpos(reports.worked_days, '1') > 0
         then add_days(reports.work_month, cast(strpos(reports.worked_days, '1') as int) - 1) end as first_worked_on,
    case when strpos(reports.worked_days, '1') > 0
         then add_days(reports.work_month, 31 - cast(strpos(reverse(reports.worked_days), '1') as int)) end as last_worked_on,
    reports.reported_on,
    reports._known_on as known_on,
    -- work
    reports.worked_days,
    reports.days,
    reports.job_name,
    -- amounts
    reports.gross_won
  from reports
  inner join versions
    on versions.person_key = reports.person_key
    and versions.workplace_no = reports.workplace_no
    and versions.work_month = reports.work_month
    and versions.version = {{ row_version('reports') }}
  left join workplace
    on workplace.workplace_no = reports.workplace_no
  where reports.work_month = date '{{ var('partition_start') }}'
)
select * from daily_work
