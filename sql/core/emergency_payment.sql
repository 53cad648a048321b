/*---
description: {ko: 긴급고용안정지원금 지급, en: emergency support paid to contractors and freelancers}
grain: [person_key, round]
materialized: table
owner: core
legal_basis: 고용정책 기본법 제25조
columns:
  person_key: {tags: [pseudonym]}
  month: {description: month of payment}
  amount_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('ees_payment') }}
),
latest as (
  {{ latest_version('changes', ['person_key', 'round']) }}
),
emergency_payment as (
  select
    -- ids
    latest.person_key,
    latest.round,
    latest.trade,
    -- dates
    latest.applied_on,
    latest.paid_on,
    month_start(latest.paid_on) as month,
    latest._known_on as known_on,
    -- amounts
    latest.amount_won
  from latest
)
select * from emergency_payment
