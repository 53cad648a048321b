/*---
description:
  ko: 그 주가 시작될 때 비어 있던 자리가 그 주 안에 채워졌는지. 아직 알 수 없으면 비어 있다.
  en: >-
    whether a vacancy that was still open was filled within this week of its period. A vacancy has no week after the one
    it was filled in or the one its period ends in. Null while it cannot be known, so last month's vacancies teach with
    the weeks that are known of them
grain: [vacancy_no, open_from]
materialized: table
owner: learning
label: true
legal_basis: 직업안정법 제8조
sort_by: [vacancy_no]
meta:
  label_known_on: as that of hiring_success, for the last day of the week
columns:
  vacancy_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
  label_known_on: {tests: [not_null]}
---*/
with vacancy as (
  select * from {{ ref('vacancy') }}
),
delivered as (
  select * from {{ source('wn_vacancy') }}
),
covered as (
  select min(delivered._period) as first_month, {{ delivered_until('delivered') }} as until from delivered
),
weeks as (
  select * from (values (1), (2), (3), (4), (5), (6), (7), (8), (9)) as weeks (open_week)
),
open_week as (
  select
    vacancy.vacancy_no,
    vacancy.opened_on,
    vacancy.filled_on,
    add_days(vacancy.opened_on, 7 * (weeks.open_week - 1)) as open_from,
    least(add_days(vacancy.opened_on, 7 * weeks.open_week - 1), vacancy.closes_on) as open_to
  from vacancy
  cross join weeks
  where vacancy.opened_on <= date '{{ var('as_of') }}'
    and add_days(vacancy.opened_on, 7 * (weeks.open_week - 1)) <= vacancy.closes_on
),
hiring_hazard_label as (
  select
    open_week.vacancy_no,
    open_week.opened_on,
    open_week.open_from,
    {{ known_outcome('coalesce(open_week.filled_on <= open_week.open_to, false)', 'open_week.opened_on', 'open_week.open_to') }} as label,
    {{ outcome_known_on('open_week.open_to') }} as label_known_on
  from open_week
  cross join covered
  where open_week.filled_on is null
    or open_week.filled_on >= open_week.open_from
    -- a week that is missing would tell of a filling before it is known
    or {{ outcome_known_on('open_week.filled_on') }} > date '{{ var('as_of') }}'
)
select * from hiring_hazard_label
