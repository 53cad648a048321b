/*---
description:
  ko: F04 병역 복무 기간과 겹치는 날의 실업인정
  en: "F04: certified days that overlap military service"
grain: [claim_no, round, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 1
legal_basis: 고용보험법 제44조 · 제47조 · 제61조 · 병역법 제18조
meta:
  severity: high
  evidence: period of service x certification, day by day
  sources: [mma_service, ei_certification]
  look_back: three years from the certified days (고용보험법 제62조 제3항)
  clears:
    - {ko: "예비군 훈련", en: "reserve training"}
    - {ko: "7일 이하의 소집", en: "a call-up of no more than seven days"}
    - {ko: "그 회차에 신고함", en: "declared in that certification"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [military_service]}]}
  overlap_days: {description: days of service inside the certified days, tests: [{range: {min: 1}}]}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
---*/
with certification as (
  select * from {{ ref('certification') }}
),
service as (
  select * from {{ ref('military_service') }}
),
f04 as (
  select
    -- rule
    'F04' as rule_id,
    1 as rule_version,
    -- ids
    certification.person_key,
    certification.claim_no,
    certification.round,
    -- evidence
    'military_service' as evidence_kind,
    service.kind || '/' || cast(service.service_from as varchar) as evidence_key,
    service.service_from as evidence_from,
    service.service_to as evidence_to,
    certification.period_from as certified_from,
    certification.period_to as certified_to,
    cast(days_overlap(service.service_from, service.service_to, certification.period_from, certification.period_to) as int) as overlap_days,
    {{ amount_at_risk('days_overlap(service.service_from, service.service_to, certification.period_from, certification.period_to)') }} as amount_at_risk_won,
    greatest(certification.known_on, service.known_on) as known_on,
    -- what clears it
    service.kind = 'reserve_training'
      or days_between(service.service_from, service.service_to) < 7
      or certification.declared_work as cleared,
    case
      when service.kind = 'reserve_training' then 'reserve training'
      when days_between(service.service_from, service.service_to) < 7 then 'a call-up of no more than seven days'
      when certification.declared_work then 'declared in that certification' end as cleared_by,
    -- what derives it again
    certification.amount_won as paid_won,
    certification.benefit_daily_won,
    certification.declared_work
  from certification
  inner join service
    on service.person_key = certification.person_key
  where certification.days_paid > 0
    and service.service_from <= certification.period_to
    and service.service_to >= certification.period_from
)
select * from f04
