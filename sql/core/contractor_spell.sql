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
    -- terms
    latest.kind,
    coalesce(latest.lost_on <= latest.acquired_on, false) as cancelled,
    -- amounts
    latest.monthly_pay_won
  from latest
  left join workplace
    on workplace.workplace_no = latest.workplace_no
)
select * from contractor_spell
