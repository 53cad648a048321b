/*---
description:
  ko: F03 해외에 있는 동안 온라인으로 실업인정을 받음
  en: "F03: certified online while abroad"
grain: [claim_no, round, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 1
legal_basis: 고용보험법 제44조 · 제47조 · 제61조
meta:
  severity: high
  evidence: stay abroad x day of certification
  sources: [moj_border, ei_benefit_claim, ei_certification]
  look_back: three years from the certified days (고용보험법 제62조 제3항)
  clears:
    - {ko: "그날 입국했거나 그날 출국함", en: "entered on that day or left on that day"}
    - {ko: "방문하여 실업인정을 받음(두 기록 가운데 하나가 틀림)", en: "certified in person (then one of the two records is wrong)"}
    - {ko: "입국 기록이 없으나 그 뒤 방문하여 신청하거나 인정받은 기록이 있어, 입국 기록이 빠진 것임", en: "a stay without return in which the person applied or certified in person later, so the return is missing on record"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [border_stay]}]}
  fact_on: {description: day of certification}
  overlap_days: {description: days abroad inside the certified days, tests: [{range: {min: 0}}]}
  seen_on: {description: last day on which the person stood in a centre}
  abroad_until: {description: "day of return, or the last day covered by deliveries while there is none"}
  amount_at_risk_won: {description: the whole round since the certification itself is void, tests: [{range: {min: 0}}]}
---*/
with certification as (
  select * from {{ ref('certification') }}
),
stay as (
  select * from {{ ref('border_stay') }}
),
claim as (
  select * from {{ ref('claim') }}
),
-- days on which the person stood in a centre: claims are filed in person, visits are certified there
presence as (
  select person_key, max(present_on) as present_on
  from (
    select claim.person_key, claim.applied_on as present_on from claim
    union all
    select certification.person_key, certification.certified_on as present_on
    from certification
    where certification.channel = 'visit'
  ) as seen
  group by person_key
),
f03 as (
  select
    -- rule
    'F03' as rule_id,
    1 as rule_version,
    -- ids
    certification.person_key,
    certification.claim_no,
    certification.round,
    -- evidence
    'border_stay' as evidence_kind,
    cast(stay.left_on as varchar) as evidence_key,
    stay.left_on as evidence_from,
    stay.entered_on as evidence_to,
    certification.period_from as certified_from,
    certification.period_to as certified_to,
    certification.certified_on as fact_on,
    cast(days_overlap(stay.left_on, stay.abroad_until, certification.period_from, certification.period_to) as int) as overlap_days,
    certification.amount_won as amount_at_risk_won,
    greatest(certification.known_on, stay.known_on) as known_on,
    -- what clears it
    stay.left_on = certification.certified_on
      or coalesce(stay.entered_on = certification.certified_on, false)
      or certification.channel = 'visit'
      or coalesce(stay.entered_on is null and presence.present_on > stay.left_on, false) as cleared,
    case
      when coalesce(stay.entered_on = certification.certified_on, false) then 'entered on that day'
      when stay.left_on = certification.certified_on then 'left on that day'
      when certification.channel = 'visit' then 'certified in person'
      when stay.entered_on is null and presence.present_on > stay.left_on then 'seen in person later, return not on record'
      end as cleared_by,
    -- what derives it again
    certification.amount_won as paid_won,
    certification.benefit_daily_won,
    certification.channel,
    presence.present_on as seen_on,
    stay.abroad_until
  from certification
  inner join stay
    on stay.person_key = certification.person_key
  left join presence
    on presence.person_key = certification.person_key
  where certification.days_paid > 0
    and certification.certified_on >= stay.left_on
    -- an open stay proves absence only as far as the border deliveries reach
    and certification.certified_on <= stay.abroad_until
)
select * from f03
