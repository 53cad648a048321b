/*---
description: {ko: 민간위탁 인증기관의 최신 상태, en: latest listing of each certified employment agency}
grain: [agency_no]
materialized: table
owner: core
legal_basis: 직업안정법 제4조의5
columns:
  agency_no: {tests: [not_null, unique]}
  grade: {tests: [{accepted_values: [A, B, C, D]}]}
  year: {description: year of the listing}
---*/
with changes as (
  select * from {{ source('agency') }}
),
latest as (
  {{ latest_version('changes', ['agency_no']) }}
),
agency as (
  select
    -- ids
    latest.agency_no,
    latest.agency_name,
    latest.sido,
    latest.grade,
    -- dates
    latest.certified_on,
    cast(date_part('year', latest._period) as int) as year,
    latest._known_on as known_on,
    -- size
    latest.counsellors
  from latest
)
select * from agency
