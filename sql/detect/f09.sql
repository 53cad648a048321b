/*---
description:
  ko: F09 실업인정 기간에 사업을 시작하고 신고하지 않음
  en: "F09: a business opened on certified days and not declared"
grain: [claim_no, round, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 1
legal_basis: 고용보험법 제47조 · 제61조 · 제62조 · 같은 법 시행규칙 제92조
meta:
  severity: medium
  evidence: registration x certification from the round of the opening on, while the business is open
  revenue: >-
    no source states what a business took in on which days. Statements of business income (nts_business_income) are by
    month, of what others paid the owner, with or without the business; returns of value added and income tax are by
    half-year and year and are not delivered. So revenue proves nothing here and its absence is not asked for:
    preparation that was declared clears, and what was stated for the months stands beside the row as context
  sources: [nts_business_registration, nts_business_income, ei_certification]
  look_back: three years from the certified days (고용보험법 제62조 제3항)
  clears:
    - {ko: "개업한 뒤 그 회차나 그 전 회차에 근로나 창업 준비로 신고함(매출이 있었는지는 조사관이 확인함)", en: "declared as work or as preparation in that certification or an earlier one since the opening; whether there was revenue is for the officer to ask"}
    - {ko: "개업한 날 폐업함", en: "closed on the day it opened"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [business]}]}
  overlap_days: {description: days of the open business inside the certified days, tests: [{range: {min: 1}}]}
  declared_work: {description: in that certification or an earlier one since the opening}
  income_won: {description: "context, never proof: business income that others stated for the owner in the months of these days; null when none did"}
  claim_paid_from: {description: first day that the claim was paid for}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
---*/
with certification as (
  select * from {{ ref('certification') }}
),
business as (
  select * from {{ ref('business') }}
),
income as (
  select * from {{ ref('income_month') }}
  where income_kind = 'business'
),
paid as (
  {{ paid_claim() }}
),
-- only a business opened on certified days: one that was open before is a question of the claim itself
opened as (
  select
    paid.claim_no,
    paid.paid_from,
    business.biz_no,
    business.opened_on,
    business.closed_on,
    business.known_on
  from paid
  inner join business
    on business.owner_key = paid.person_key
  where business.opened_on between paid.paid_from and paid.paid_to
),
declared as (
  select opened.claim_no, opened.biz_no, min(certification.period_from) as declared_from
  from opened
  inner join certification
    on certification.claim_no = opened.claim_no
  where certification.declared_work
    and certification.period_to >= opened.opened_on
  group by opened.claim_no, opened.biz_no
),
-- by months, which reach beyond the certified days: shown, and decides nothing
stated as (
  select opened.claim_no, opened.biz_no, certification.round, sum(income.gross_won) as income_won
  from opened
  inner join certification
    on certification.claim_no = opened.claim_no
  inner join income
    on income.person_key = certification.person_key
  where income.month >= month_start(greatest(opened.opened_on, certification.period_from))
    and income.month <= month_start(least(coalesce(opened.closed_on, certification.period_to), certification.period_to))
  group by opened.claim_no, opened.biz_no, certification.round
),
f09 as (
  select
    -- rule
    'F09' as rule_id,
    1 as rule_version,
    -- ids
    certification.person_key,
    certification.claim_no,
    certification.round,
    -- evidence
    'business' as evidence_kind,
    opened.biz_no as evidence_key,
    opened.opened_on as evidence_from,
    opened.closed_on as evidence_to,
    certification.period_from as certified_from,
    certification.period_to as certified_to,
    cast(days_overlap(opened.opened_on, opened.closed_on, certification.period_from, certification.period_to) as int) as overlap_days,
    {{ amount_at_risk('days_overlap(opened.opened_on, opened.closed_on, certification.period_from, certification.period_to)') }} as amount_at_risk_won,
    greatest(certification.known_on, opened.known_on) as known_on,
    -- what clears it
    coalesce(certification.period_from >= declared.declared_from, false)
      or coalesce(opened.closed_on = opened.opened_on, false) as cleared,
    case
      when certification.period_from >= declared.declared_from then 'declared in that certification or an earlier one'
      when opened.closed_on = opened.opened_on then 'closed on the day it opened' end as cleared_by,
    -- what derives it again
    certification.amount_won as paid_won,
    certification.benefit_daily_won,
    coalesce(certification.period_from >= declared.declared_from, false) as declared_work,
    opened.paid_from as claim_paid_from,
    stated.income_won
  from opened
  inner join certification
    on certification.claim_no = opened.claim_no
  left join declared
    on declared.claim_no = opened.claim_no
    and declared.biz_no = opened.biz_no
  left join stated
    on stated.claim_no = opened.claim_no
    and stated.biz_no = opened.biz_no
    and stated.round = certification.round
  where certification.days_paid > 0
    and certification.period_to >= opened.opened_on
    and (opened.closed_on is null or opened.closed_on >= certification.period_from)
)
select * from f09
