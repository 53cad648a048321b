/*---
description: {ko: 공공기관 사업과 예산, en: what public institutions run in a year with budget and spending}
grain: [business_no]
materialized: table
owner: core
columns:
  institution_no: {tests: [{relationships: {to: institution, field: institution_no}}]}
  budget_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('alio_business') }}
),
latest as (
  {{ latest_version('changes', ['business_no']) }}
),
public_business as (
  select
    -- ids
    latest.business_no,
    latest.institution_no,
    latest.title,
    -- dates
    latest.year,
    latest._known_on as known_on,
    -- amounts
    latest.budget_won,
    latest.spent_won
  from latest
)
select * from public_business
