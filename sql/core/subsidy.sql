/*---
description: {ko: 사업주에게 지급한 고용유지지원금·고용장려금, en: "retention and hiring subsidies paid to employers, one row per decision"}
grain: [decision_no]
materialized: table
owner: core
legal_basis: 고용보험법 제20조 · 제21조 · 제23조 · 제25조
sort_by: [workplace_no, from_month, decision_no]
columns:
  workplace_no: {tests: [{relationships: {to: workplace, field: workplace_no}}]}
  entity_id: {description: "the business the workplace belongs to, null while it is not linked", tags: [firm]}
  programme: {tests: [{accepted_values: [retention, youth_hire, older_continued, parental_leave, regular_conversion]}]}
  month: {description: month of payment}
  months: {description: months the decision covers, tests: [{range: {min: 1}}]}
  heads: {tests: [{range: {min: 1}}]}
  amount_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('ei_subsidy') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
entity as (
  select * from {{ ref('workplace_entity') }}
),
latest as (
  {{ latest_version('changes', ['decision_no']) }}
),
subsidy as (
  select
    -- ids
    latest.decision_no,
    latest.workplace_no,
    workplace.biz_no,
    entity.entity_id,
    latest.programme,
    workplace.sido,
    workplace.section,
    -- dates
    latest.from_month,
    latest.to_month,
    latest.paid_on,
    month_start(latest.paid_on) as month,
    latest._known_on as known_on,
    -- amounts
    cast(months_between(latest.from_month, latest.to_month) + 1 as int) as months,
    latest.heads,
    latest.amount_won
  from latest
  left join workplace
    on workplace.workplace_no = latest.workplace_no
  left join entity
    on entity.source = 'ei_workplace'
    and entity.source_id = latest.workplace_no
)
select * from subsidy
