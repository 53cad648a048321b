/*---
description: {ko: 노무제공자·예술인 피보험자격의 최신 신고, en: "latest report of each contractor, artist or platform spell"}
grain: [person_key, workplace_no, acquired_on]
materialized: table
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
versions as (
  select
    changes.person_key,
    changes.workplace_no,
    changes.acquired_on,
    max({{ row_version('changes') }}) as version
  from changes
  group by changes.person_key, changes.workplace_no, changes.acquired_on
),
contractor_spell as (
  select
    -- ids
    changes.person_key,
    changes.workplace_no,
    workplace.biz_no,
    workplace.sido,
    -- person
    changes.birth_date,
    changes.sex,
    -- dates
    changes.acquired_on,
    changes.lost_on,
    changes.acquired_on as insured_from,
    add_days(changes.lost_on, -1) as insured_to,
    changes._known_on as known_on,
    -- terms
    changes.kind,
    coalesce(changes.lost_on <= changes.acquired_on, false) as cancelled,
    -- amounts
    changes.monthly_pay_won
  from changes
  inner join versions
    on versions.person_key = changes.person_key
    and versions.workplace_no = changes.workplace_no
    and versions.acquired_on = changes.acquired_on
    and versions.version = {{ row_version('changes') }}
  left join workplace
    on workplace.workplace_no = changes.workplace_no
)
select * from contractor_spell
