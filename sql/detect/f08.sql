/*---
description:
  ko: F08 상실을 석 달 넘게 늦게 신고한 사업장의 이직자들이 신고 직후 수급
  en: "F08: losses reported three months late or more by a workplace whose leavers claim right after the report"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 3
legal_basis: 고용보험법 제15조 · 제61조 · 제62조 · 제116조 · 제118조
meta:
  severity: high
  evidence: late report of a loss x claim applied for within 60 days of the report; one row per claimant
  threshold: two leavers of the workplace within half a year, and a tenth of all it lost in that time; a large one is late now and then
  sources: [ei_insured_spell, ei_benefit_claim, ei_certification, ei_workplace, nts_business_registration]
  look_back: three years from separation (고용보험법 제62조 제3항)
  clears:
    - {ko: "늦은 신고가 한 건뿐이거나, 사업장 상실 신고의 10분의 1이 안 됨", en: "a single late report, or fewer than a tenth of all losses of the workplace"}
    - {ko: "그 뒤의 취업에서 이직하여 수급하였으므로, 새 사업주의 늦은 신고로 옛 상실이 드러남", en: "the claim follows a later employment, so that a new employer's own late report brought the old one to light"}
    - {ko: "그 무렵 사업이 폐업하였고, 상실을 신고하기 전에 등록부에 올라 있어 이직한 날을 다른 기관의 기록이 뒷받침함", en: "the business closed at that time and a register said so before the losses were reported, so that the day they left does not rest on the late report"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [late_loss]}]}
  evidence_from: {description: day of the loss}
  evidence_to: {description: day of application}
  fact_on: {description: day the loss was reported}
  group_size: {description: losses of the workplace within half a year before and after, tests: [{range: {min: 1}}]}
  group_matched: {description: those of them reported as late and claimed on, tests: [{range: {min: 0}}]}
  ended_workplace_no: {description: the workplace of the employment that the claim ended}
  ended_on: {description: last insured day of it}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
---*/
with insured_spell as (
  select * from {{ ref('insured_spell') }}
),
claim as (
  select * from {{ ref('claim') }}
),
paid as (
  {{ paid_claim() }}
),
business as (
  select * from {{ ref('business') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
closed as (
  select workplace.workplace_no, workplace.closed_on, workplace.known_on
  from workplace
  where workplace.closed_on is not null
  union all
  select workplace.workplace_no, business.closed_on, business.known_on
  from business
  inner join workplace
    on workplace.biz_no = business.biz_no
  where business.closed_on is not null
),
late as (
  select * from insured_spell
  where not insured_spell.cancelled
    and insured_spell.lost_reported_on >= add_months(insured_spell.lost_on, 3)
),
late_claim as (
  select
    late.person_key,
    late.workplace_no,
    late.acquired_on,
    late.lost_on,
    late.lost_reported_on,
    claim.claim_no,
    claim.applied_on,
    claim.workplace_no as ended_workplace_no,
    claim.separated_on as ended_on,
    claim.workplace_no = late.workplace_no and claim.separated_on = late.insured_to as is_for_this_loss,
    paid.paid_from,
    paid.paid_to,
    paid.amount_won,
    greatest(claim.known_on, paid.known_on, late.known_on) as known_on
  from late
  inner join claim
    on claim.person_key = late.person_key
  inner join paid
    on paid.claim_no = claim.claim_no
  where claim.applied_on between late.lost_reported_on and add_days(late.lost_reported_on, 60)
),
pattern as (
  select
    late_claim.claim_no,
    late_claim.acquired_on,
    late_claim.workplace_no,
    count(distinct other.person_key) as group_matched
  from late_claim
  left join late_claim as other
    on other.workplace_no = late_claim.workplace_no
    and other.is_for_this_loss
    and abs(days_between(late_claim.lost_on, other.lost_on)) <= 183
  group by late_claim.claim_no, late_claim.acquired_on, late_claim.workplace_no
),
losses as (
  select
    late_claim.claim_no,
    late_claim.acquired_on,
    late_claim.workplace_no,
    count(distinct insured_spell.person_key) as group_size
  from late_claim
  inner join insured_spell
    on insured_spell.workplace_no = late_claim.workplace_no
  where not insured_spell.cancelled
    and abs(days_between(late_claim.lost_on, insured_spell.lost_on)) <= 183
  group by late_claim.claim_no, late_claim.acquired_on, late_claim.workplace_no
),
judged as (
  select
    late_claim.*,
    losses.group_size,
    pattern.group_matched,
    pattern.group_matched >= 2 and 10 * pattern.group_matched >= losses.group_size as is_pattern
  from late_claim
  inner join pattern
    on pattern.claim_no = late_claim.claim_no
    and pattern.acquired_on = late_claim.acquired_on
    and pattern.workplace_no = late_claim.workplace_no
  inner join losses
    on losses.claim_no = late_claim.claim_no
    and losses.acquired_on = late_claim.acquired_on
    and losses.workplace_no = late_claim.workplace_no
),
closing as (
  select distinct judged.claim_no, judged.acquired_on, judged.workplace_no
  from judged
  inner join closed
    on closed.workplace_no = judged.workplace_no
  where closed.closed_on between add_days(judged.lost_on, -8) and add_days(judged.lost_on, 31)
    and closed.known_on < judged.lost_reported_on
),
-- a time with few enough losses is nobody's alone: two leavers have one
unexplained as (
  select judged.*
  from judged
  left join closing
    on closing.claim_no = judged.claim_no
    and closing.acquired_on = judged.acquired_on
    and closing.workplace_no = judged.workplace_no
  where judged.is_for_this_loss
    and judged.is_pattern
    and closing.claim_no is null
),
standing as (
  select one.claim_no, one.acquired_on, one.workplace_no, count(distinct other.person_key) as persons
  from unexplained as one
  inner join unexplained as other
    on other.workplace_no = one.workplace_no
  where abs(days_between(one.lost_on, other.lost_on)) <= 183
  group by one.claim_no, one.acquired_on, one.workplace_no
),
f08 as (
  select
    -- rule
    'F08' as rule_id,
    3 as rule_version,
    -- ids
    'workplace/' || judged.workplace_no as pivot_key,
    judged.person_key,
    judged.workplace_no,
    judged.claim_no,
    -- evidence
    'late_loss' as evidence_kind,
    judged.workplace_no || '/' || cast(judged.acquired_on as varchar) as evidence_key,
    judged.lost_on as evidence_from,
    judged.applied_on as evidence_to,
    judged.lost_reported_on as fact_on,
    judged.paid_from,
    judged.paid_to,
    judged.group_size,
    judged.group_matched,
    judged.amount_won as amount_at_risk_won,
    judged.known_on,
    -- what clears it
    coalesce(standing.persons < 2, true) as cleared,
    case
      when not judged.is_for_this_loss then 'the claim follows a later employment'
      when closing.claim_no is not null then 'the business had closed'
      when judged.group_matched < 2 or (standing.persons < 2 and closed_with.workplace_no is not null) then 'a single late report'
      when not judged.is_pattern or standing.persons < 2 then 'fewer than a tenth of the losses of the workplace' end as cleared_by,
    -- what derives it again
    judged.amount_won as paid_won,
    judged.ended_workplace_no,
    judged.ended_on
  from judged
  left join standing
    on standing.claim_no = judged.claim_no
    and standing.acquired_on = judged.acquired_on
    and standing.workplace_no = judged.workplace_no
  left join closing
    on closing.claim_no = judged.claim_no
    and closing.acquired_on = judged.acquired_on
    and closing.workplace_no = judged.workplace_no
  left join (select distinct workplace_no from closing) as closed_with
    on closed_with.workplace_no = judged.workplace_no
)
select * from f08
