/*---
description:
  ko: F02 지급기간의 모든 날이 실업인정을 받은 날인 근로소득이 있으나 신고하지 않음
  en: "F02: wage income all of whose paid days are certified days of one claim and that was not declared"
grain: [claim_no, round, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 2
legal_basis: 고용보험법 제47조 · 제61조 · 제62조
meta:
  severity: medium
  evidence: statement x certification, refused unless every paid day is a certified day of the claim, in one round or in rounds that follow each other
  context_only: statements that straddle the first or last certified day, whole-month statements, daily and business income without paid days
  sources: [nts_wage_statement, ei_certification]
  look_back: three years from the certified days (고용보험법 제62조 제3항)
  clears:
    - {ko: "이 날들의 실업인정 신청서에 근로나 소득을 신고함", en: "work or income declared in a certification of these days"}
    - {ko: "먼저 한 일의 대가임(지급 대상 기간이 인정받은 날보다 앞섬)", en: "pay for earlier work (its paid days then lie before the certified days)"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [wage_statement]}]}
  overlap_days: {description: paid days inside the certified days of the round, tests: [{range: {min: 1}}]}
  paid_won: {description: what the round was paid}
  declared_work: {description: in any round that certifies one of the paid days}
  declared_income_won: {description: the highest income declared in one of these rounds}
  income_won: {description: pay of the statement}
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
paid as (
  select * from certification
  where certification.days_paid > 0
),
touched as (
  select
    paid.claim_no,
    paid.round,
    dated.payer_biz_no,
    dated.month,
    dated.paid_from,
    dated.paid_to,
    dated.gross_won,
    dated.known_on,
    days_overlap(dated.paid_from, dated.paid_to, paid.period_from, paid.period_to) as overlap_days,
    paid.declared_work,
    paid.declared_income_won
  from paid
  inner join dated
    on dated.person_key = paid.person_key
  where dated.paid_from <= paid.period_to
    and dated.paid_to >= paid.period_from
),
-- every paid day is a certified one of the claim, be it of one round or of rounds that follow each other; what was
-- declared in any of these rounds explains the statement in all of them
inside as (
  select
    touched.claim_no,
    touched.payer_biz_no,
    touched.month,
    bool_or(touched.declared_work) as declared_work,
    bool_or(touched.declared_income_won > 0) as declared_income,
    max(touched.declared_income_won) as declared_income_won
  from touched
  group by touched.claim_no, touched.payer_biz_no, touched.month, touched.paid_from, touched.paid_to
  having sum(touched.overlap_days) = days_between(touched.paid_from, touched.paid_to) + 1
),
f02 as (
  select
    -- rule
    'F02' as rule_id,
    2 as rule_version,
    -- ids
    certification.person_key,
    certification.claim_no,
    certification.round,
    -- evidence
    'wage_statement' as evidence_kind,
    touched.payer_biz_no || '/' || cast(touched.month as varchar) as evidence_key,
    touched.paid_from as evidence_from,
    touched.paid_to as evidence_to,
    certification.period_from as certified_from,
    certification.period_to as certified_to,
    cast(touched.overlap_days as int) as overlap_days,
    {{ amount_at_risk('touched.overlap_days') }} as amount_at_risk_won,
    greatest(certification.known_on, touched.known_on) as known_on,
    -- what clears it
    inside.declared_work or inside.declared_income as cleared,
    case
      when inside.declared_work then 'work declared in that certification'
      when inside.declared_income then 'income declared in that certification' end as cleared_by,
    -- what derives it again
    certification.amount_won as paid_won,
    certification.benefit_daily_won,
    inside.declared_work,
    inside.declared_income_won,
    touched.gross_won as income_won
  from inside
  inner join touched
    on touched.claim_no = inside.claim_no
    and touched.payer_biz_no = inside.payer_biz_no
    and touched.month = inside.month
  inner join certification
    on certification.claim_no = touched.claim_no
    and certification.round = touched.round
)
select * from f02
