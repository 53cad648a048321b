/*---
description: {ko: 노무제공자·예술인 피보험자격의 최신 신고, en: "latest report of each contractor, artist or platform spell"}
grain: [person_key, workplace_no, acquired_on]
materialized: keyed
key: person_key
owner: core
legal_basis: 고용보험법 제77조의2 · 제77조의6
columns:
  person_key: {tags: [pseudonym]}
  kind: {tests: [{accepted_values: [contractor, artist, platform]}]}
  first_known_on: {description: "the day the first report of the spell became known; known_on is that of the latest"}
  insured_to: {description: "last insured day, the day before lost_on; null while insured"}
---*/
with changes as (
  select * from {{ source('ei_contractor_spell') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
latest as (
  {{ latest_version('changes', ['person_key', 'workplace_no', 'acquired_on']) }}
),
first_report as (
  select changes.person_key, changes.workplace_no, changes.acquired_on, min(changes._known_on) as first_known_on
  from changes
  group by changes.person_key, changes.workplace_no, changes.acquired_on
),
contractor_spell as (
  select
    -- ids
    latest.person_key,
    latest.workplace_no,
    workplace.biz_no,
    workplace.sido,
    -- person
    latest.birth_date,
    latest.sex,
    -- dates
    latest.acquired_on,
    latest.lost_on,
    latest.acquired_on as insured_from,
    add_days(latest.lost_on, -1) as insured_to,
    latest._known_on as known_on,
    first_report.first_known_on,
    -- terms
    latest.kind,
    coalesce(latest.lost_on <= latest.acquired_on, false) as cancelled,
    -- amounts
    latest.monthly_pay_won
  from latest
  inner join first_report
    on first_report.person_key = latest.person_key
    and first_report.workplace_no = latest.workplace_no
    and first_report.acquired_on = latest.acquired_on
  left join workplace
    on workplace.workplace_no = latest.workplace_no
)
select * from contractor_spell
