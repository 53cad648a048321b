/*---
description:
  ko: F02 지급기간이 실업인정 기간 안에 온전히 들어오는 근로소득이 있으나 신고하지 않음
  en: "F02: wage income whose first and last paid day both lie inside the certified days and was not declared"
grain: [claim_no, round, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 1
legal_basis: 고용보험법 제47조 · 제61조 · 제62조
meta:
  severity: medium
  evidence: statement x certification, refused unless the paid days are inside the certified days
  context_only: statements that straddle the certified days, whole-month statements, daily and business income without paid days
  clears:
    - work or income declared in that certification
    - pay for earlier work (its paid days then lie before the certified days)
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [wage_statement]}]}
  overlap_days: {tests: [{range: {min: 1}}]}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
---*/
with certification as (
  select * from {{ ref('certification') }}
),
income as (
  select * from {{ ref('income_month') }}
),
dated as (
  select * from income
  where income.income_kind = 'wage'
    and income.paid_from is not null
    and income.paid_to >= income.paid_from
    and income.gross_won > 0
),
f02 as (
  select
    -- rule
    'F02' as rule_id,
    1 as rule_version,
    -- ids
    certification.person_key,
    certification.claim_no,
    certification.round,
    -- evidence
    'wage_statement' as evidence_kind,
    dated.payer_biz_no || '/' || cast(dated.month as varchar) as evidence_key,
    dated.paid_from as evidence_from,
    dated.paid_to as evidence_to,
    certification.period_from as certified_from,
    certification.period_to as certified_to,
    cast(days_between(dated.paid_from, dated.paid_to) + 1 as int) as overlap_days,
    {{ amount_at_risk('(days_between(dated.paid_from, dated.paid_to) + 1)') }} as amount_at_risk_won,
    greatest(certification.known_on, dated.known_on) as known_on,
    -- what clears it
    certification.declared_work or certification.declared_income_won > 0 as cleared,
    case
      when certification.declared_work then 'work declared in that certification'
      when certification.declared_income_won > 0 then 'income declared in that certification' end as cleared_by
  from certification
  inner join dated
    on dated.person_key = certification.person_key
  where certification.days_paid > 0
    and dated.paid_from >= certification.period_from
    and dated.paid_to <= certification.period_to
)
select * from f02
