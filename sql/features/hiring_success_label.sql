/*---
description:
  ko: 구인신청이 모집기간 안에 채워졌는지와 걸린 날. 아직 알 수 없으면 비어 있다.
  en: >-
    whether a vacancy was filled within its period, and after how many days. Null while it cannot be known: a censored
    vacancy is not an unfilled one. Null for ever where it is older than the first delivered month, because of those
    only the ones came that were still open
grain: [vacancy_no]
materialized: table
owner: learning
label: true
legal_basis: 직업안정법 제8조
sort_by: [vacancy_no]
meta:
  label_known_on: >-
    a filling is delivered with the month it happened in, before the next month ends, so the answer is known on the
    last day of the month after the period, for success and failure alike
columns:
  vacancy_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
  days_to_fill: {description: "days from opening to the filling, where the label is true", tags: [label], tests: [{range: {min: 0}}]}
  followed_days: {description: "days of the period that were observed: of a vacancy that is not filled yet, how long it waited", tests: [{range: {min: 0}}]}
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
dated as (
  select
    vacancy.vacancy_no,
    vacancy.opened_on,
    vacancy.month,
    vacancy.closes_on,
    case when vacancy.filled_on <= vacancy.closes_on then vacancy.filled_on end as filled_on,
    {{ outcome_known_on('vacancy.closes_on') }} as label_known_on
  from vacancy
  where vacancy.opened_on <= date '{{ var('as_of') }}'
),
hiring_success_label as (
  select
    dated.vacancy_no,
    dated.opened_on,
    dated.month,
    {{ known_outcome('dated.filled_on is not null', 'dated.opened_on', 'dated.closes_on') }} as label,
    case
      when dated.label_known_on <= date '{{ var('as_of') }}' and dated.closes_on <= covered.until
        and dated.opened_on >= covered.first_month
      then days_between(dated.opened_on, dated.filled_on) end as days_to_fill,
    greatest(0, days_between(dated.opened_on,
      least(dated.closes_on, covered.until, coalesce(dated.filled_on, dated.closes_on)))) as followed_days,
    dated.label_known_on
  from dated
  cross join covered
)
select * from hiring_success_label
