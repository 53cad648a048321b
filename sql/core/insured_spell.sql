/*---
description:
  ko: 피보험자격의 최신 신고. 겹침을 풀기 전이며 취소된 취득도 남긴다.
  en: latest report of each insured spell, before overlaps are resolved; cancelled acquisitions stay, marked
grain: [person_key, workplace_no, acquired_on]
materialized: keyed
key: person_key
owner: core
known_on: acquired_reported_on
legal_basis: 고용보험법 제13조 · 제14조 · 제15조
sort_by: [person_key, acquired_on, workplace_no]
tests:
  - {expression: "cancelled or insured_to is null or insured_to >= insured_from"}
columns:
  person_key: {tags: [pseudonym]}
  insured_to: {description: "last insured day, the day before lost_on; null while insured"}
  cancelled: {description: the loss is dated on or before the acquisition so no day was insured}
---*/
with changes as (
  select * from {{ source('ei_insured_spell') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
latest as (
  {{ latest_version('changes', ['person_key', 'workplace_no', 'acquired_on']) }}
),
insured_spell as (
  select
    -- ids
    latest.person_key,
    latest.workplace_no,
    workplace.biz_no,
    workplace.sido,
    workplace.section,
    -- person
    latest.birth_date,
    latest.sex,
    -- dates
    latest.acquired_on,
    latest.lost_on,
    latest.acquired_on as insured_from,
    add_days(latest.lost_on, -1) as insured_to,
    latest.acquired_reported_on,
    latest.lost_reported_on,
    latest._known_on as known_on,
    -- terms
    coalesce(latest.lost_on <= latest.acquired_on, false) as cancelled,
    latest.loss_reason,
    latest.weekly_hours,
    latest.occupation,
    latest.contract_kind,
    -- amounts
    latest.monthly_wage_won
  from latest
  left join workplace
    on workplace.workplace_no = latest.workplace_no
)
select * from insured_spell
