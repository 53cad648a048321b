/*---
description:
  ko: F01 실업인정 기간에 피보험자격 또는 신고된 일용근로가 있으나 신고하지 않음
  en: "F01: an insured spell or reported daily work on certified days that was not declared"
grain: [claim_no, round, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 2
legal_basis: 고용보험법 제47조 · 제61조 · 제62조
meta:
  severity: high
  evidence: spell or work days x certification, day by day
  sources: [ei_insured_spell, ei_daily_work, ei_benefit_claim, ei_certification]
  look_back: three years from the certified days (고용보험법 제62조 제3항)
  clears:
    - {ko: "그 회차의 실업인정 신청서에 신고함", en: "declared in that certification"}
    - {ko: "자격이 나중에 취소됨(취소된 자격은 하루도 보험에 들지 않은 것이어서 증거가 되지 않음)", en: "spell cancelled later (such a spell insures no day and gives no evidence)"}
    - {ko: "수급의 바탕이 된 이직으로 끝난 취업인데 상실 기록이 없음(늦었거나 격리됨)", en: "the spell the claim itself ended whose loss is not on record (late or in quarantine)"}
    - {ko: "다른 곳에서 먼저 시작하여 상실 기록이 없는 취업이고, 그 뒤의 취업에서 이직하여 수급함(한 사람은 한 곳에서만 피보험자, 제18조)", en: "a spell without loss that began before the employment the claim ended, elsewhere; one is insured in one place (제18조)"}
    - {ko: "취득 신고가 날짜를 고쳐 다시 들어옴", en: "acquisition reported again with a corrected date"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [insured_spell, daily_work]}]}
  overlap_days: {description: worked or insured days inside the certified days, tests: [{range: {min: 1}}]}
  paid_won: {description: what the round was paid}
  ended_workplace_no: {description: the workplace of the employment that the claim ended}
  ended_acquired_on: {description: acquisition of that employment; null when its spell is not on record}
  ended_on: {description: last insured day of it}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
  cleared: {description: a fact on record already explains the row; it is shown and not counted}
---*/
with certification as (
  select * from {{ ref('certification') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
daily_work as (
  select * from {{ ref('daily_work') }}
),
claim as (
  select * from {{ ref('claim') }}
),
paid as (
  select * from certification
  where certification.days_paid > 0
),
-- the spell each claim ended: who is insured again elsewhere has left the employment before (법 제18조)
ended as (
  select claim.claim_no, max(insured_spell.acquired_on) as acquired_on
  from claim
  inner join insured_spell
    on insured_spell.person_key = claim.person_key
    and insured_spell.workplace_no = claim.workplace_no
    and insured_spell.insured_to = claim.separated_on
  group by claim.claim_no
),
spell_overlap as (
  select
    paid.claim_no,
    paid.round,
    'insured_spell' as evidence_kind,
    insured_spell.workplace_no || '/' || cast(insured_spell.acquired_on as varchar) as evidence_key,
    insured_spell.insured_from as evidence_from,
    insured_spell.insured_to as evidence_to,
    cast(days_overlap(insured_spell.insured_from, insured_spell.insured_to, paid.period_from, paid.period_to) as int) as overlap_days,
    -- the decision on the claim says this employment ended; only its report of loss is missing
    coalesce(
      insured_spell.insured_to is null
        and claim.workplace_no = insured_spell.workplace_no
        and insured_spell.acquired_on <= claim.separated_on, false) as ended_by_claim,
    coalesce(
      insured_spell.insured_to is null
        and claim.workplace_no <> insured_spell.workplace_no
        and insured_spell.acquired_on < ended.acquired_on, false) as is_superseded,
    insured_spell.known_on
  from paid
  inner join insured_spell
    on insured_spell.person_key = paid.person_key
  left join claim
    on claim.claim_no = paid.claim_no
  left join ended
    on ended.claim_no = paid.claim_no
  where not insured_spell.cancelled
    and insured_spell.insured_from <= paid.period_to
    and (insured_spell.insured_to is null or insured_spell.insured_to >= paid.period_from)
),
-- the marks of the certified days only: first and last position inside the month, both from 1 to 31
work_window as (
  select
    paid.claim_no,
    paid.round,
    daily_work.workplace_no,
    daily_work.month,
    daily_work.known_on,
    greatest(1, days_between(daily_work.month, paid.period_from) + 1) as first_position,
    substr(
      daily_work.worked_days,
      greatest(1, days_between(daily_work.month, paid.period_from) + 1),
      -- never negative, even for pairs the filter below drops: the planner may compute before it filters
      greatest(0, least(31, days_between(daily_work.month, paid.period_to) + 1)
        - greatest(1, days_between(daily_work.month, paid.period_from) + 1) + 1)) as marks
  from paid
  inner join daily_work
    on daily_work.person_key = paid.person_key
  where daily_work.first_worked_on <= paid.period_to
    and daily_work.last_worked_on >= paid.period_from
),
work_overlap as (
  select
    work_window.claim_no,
    work_window.round,
    'daily_work' as evidence_kind,
    work_window.workplace_no || '/' || cast(work_window.month as varchar) as evidence_key,
    add_days(work_window.month, cast(work_window.first_position + strpos(work_window.marks, '1') - 2 as int)) as evidence_from,
    add_days(work_window.month, cast(work_window.first_position + character_length(work_window.marks)
      - strpos(reverse(work_window.marks), '1') - 1 as int)) as evidence_to,
    cast(character_length(replace(work_window.marks, '0', '')) as int) as overlap_days,
    false as ended_by_claim,
    false as is_superseded,
    work_window.known_on
  from work_window
  where strpos(work_window.marks, '1') > 0
),
overlap_row as (
  select claim_no, round, evidence_kind, evidence_key, evidence_from, evidence_to, overlap_days, ended_by_claim, is_superseded, known_on from spell_overlap
  union all
  select claim_no, round, evidence_kind, evidence_key, evidence_from, evidence_to, overlap_days, ended_by_claim, is_superseded, known_on from work_overlap
),
f01 as (
  select
    -- rule
    'F01' as rule_id,
    2 as rule_version,
    -- ids
    certification.person_key,
    certification.claim_no,
    certification.round,
    -- evidence
    overlap_row.evidence_kind,
    overlap_row.evidence_key,
    overlap_row.evidence_from,
    overlap_row.evidence_to,
    certification.period_from as certified_from,
    certification.period_to as certified_to,
    overlap_row.overlap_days,
    {{ amount_at_risk('overlap_row.overlap_days') }} as amount_at_risk_won,
    greatest(certification.known_on, overlap_row.known_on) as known_on,
    -- what clears it
    certification.declared_work or overlap_row.ended_by_claim or overlap_row.is_superseded as cleared,
    case
      when certification.declared_work then 'declared in that certification'
      when overlap_row.ended_by_claim then 'ended by the claim itself, loss not on record'
      when overlap_row.is_superseded then 'followed by the employment the claim ended, loss not on record' end as cleared_by,
    -- what derives it again
    certification.amount_won as paid_won,
    certification.benefit_daily_won,
    certification.declared_work,
    claim.workplace_no as ended_workplace_no,
    ended.acquired_on as ended_acquired_on,
    claim.separated_on as ended_on
  from overlap_row
  inner join certification
    on certification.claim_no = overlap_row.claim_no
    and certification.round = overlap_row.round
  left join claim
    on claim.claim_no = overlap_row.claim_no
  left join ended
    on ended.claim_no = overlap_row.claim_no
)
select * from f01
