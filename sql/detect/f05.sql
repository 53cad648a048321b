/*---
description:
  ko: F05 같은 날 함께 이직해 수급한 뒤 수급 중에 같은 사업주에게 다시 고용됨
  en: "F05: left the same workplace on the same day, claimed, and were hired back by the same business, or another one of its owner, while the benefit could still be paid"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 3
legal_basis: 고용보험법 제40조 · 제58조 · 제61조 · 제62조 · 제116조
meta:
  severity: critical
  evidence: separation x claim x the next spell at the same business group (linked_business); one row per claimant who came back
  threshold: three claimants and half of those who left together came back, so that hires by chance do not count
  sources: [ei_insured_spell, ei_benefit_claim, ei_certification, ei_workplace, nts_business_registration, centre_closure]
  look_back: three years from separation (고용보험법 제62조 제3항)
  clears:
    - {ko: "이직 전에 사업장이 센터에 계절 휴업을 알렸고, 끝나기로 한 날보다 일찍 돌아오지 않음", en: "the workplace told its centre of a seasonal closure before they left, and they came back no earlier than it was to end"}
    - {ko: "계절 휴업 뒤처럼, 급여를 받을 수 있는 기간이 지난 뒤 재고용됨", en: "hired back after the benefit could be paid, as after a seasonal closure"}
    - {ko: "다시 고용한 사업장이 번호가 아닌 연계로 같은 사업주의 것이고 그 확률이 0.95보다 낮음", en: "the workplace that hired belongs to the business by linkage without a number, with a probability below 0.95"}
    - {ko: "받을 수 있는 동안 돌아온 사람이 세 사람 또는 절반이 안 됨", en: "fewer than three, or fewer than half, came back while it could"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [mass_rehire]}]}
  evidence_from: {description: last insured day before the claim}
  evidence_to: {description: last day on which the claim could be paid}
  fact_on: {description: day of the new acquisition}
  group_size: {description: claimants who left on that day, tests: [{range: {min: 3}}]}
  group_matched: {description: those of them hired back while the benefit could be paid}
  link_probability: {description: "that the workplace left and the one that hired are one business, where no number says so"}
  reopens_on: {description: when the seasonal closure that the centre was told of before was to end}
  amount_at_risk_won: {description: the whole claim since the separation itself is false, tests: [{range: {min: 0}}]}
---*/
with insured_spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
),
claim as (
  select * from {{ ref('claim') }}
),
linked as (
  select * from {{ ref('linked_business') }}
),
closure as (
  select * from {{ ref('centre_closure') }}
),
paid as (
  {{ paid_claim() }}
),
leaver as (
  select
    claim.claim_no,
    claim.person_key,
    claim.workplace_no,
    coalesce(linked.business_group, claim.workplace_no) as business,
    linked.link_probability,
    claim.separated_on,
    {{ entitled_until('claim') }} as payable_until,
    paid.paid_from,
    paid.paid_to,
    paid.amount_won,
    greatest(claim.known_on, paid.known_on) as known_on
  from claim
  inner join paid
    on paid.claim_no = claim.claim_no
  left join linked
    on linked.workplace_no = claim.workplace_no
),
separation as (
  select leaver.workplace_no, leaver.separated_on, count(*) as group_size
  from leaver
  group by leaver.workplace_no, leaver.separated_on
  having count(*) >= 3
),
season as (
  {{ told_closure('leaver') }}
),
-- the first spell after the separation decides; one at another business in between is a new job
next_spell as (
  select
    leaver.claim_no,
    separation.group_size,
    min(insured_spell.acquired_on) as acquired_on
  from leaver
  inner join separation
    on separation.workplace_no = leaver.workplace_no
    and separation.separated_on = leaver.separated_on
  inner join insured_spell
    on insured_spell.person_key = leaver.person_key
  where insured_spell.acquired_on > leaver.separated_on
    and insured_spell.acquired_on <= add_days(leaver.separated_on, 730)
  group by leaver.claim_no, separation.group_size
),
came_back as (
  select
    leaver.*,
    next_spell.group_size,
    next_spell.acquired_on,
    season.reopens_on,
    coalesce(next_spell.acquired_on >= add_days(season.reopens_on, -7), false) as is_season,
    next_spell.acquired_on <= leaver.payable_until
      and not coalesce(next_spell.acquired_on >= add_days(season.reopens_on, -7), false) as is_while_payable,
    min(insured_spell.known_on) as spell_known_on,
    -- the surest way to the business that hired: the same workplace, a number, the higher probability
    max(case when insured_spell.workplace_no = leaver.workplace_no then 2.0
      else least(coalesce(leaver.link_probability, 2.0), coalesce(linked.link_probability, 2.0)) end) as surest_link
  from next_spell
  inner join leaver
    on leaver.claim_no = next_spell.claim_no
  inner join insured_spell
    on insured_spell.person_key = leaver.person_key
    and insured_spell.acquired_on = next_spell.acquired_on
  left join season
    on season.claim_no = next_spell.claim_no
  left join linked
    on linked.workplace_no = insured_spell.workplace_no
  where coalesce(linked.business_group, insured_spell.workplace_no) = leaver.business
  group by all
),
returned as (
  select
    came_back.*,
    case when came_back.surest_link <= 1.0 then came_back.surest_link end as rehired_link,
    {{ is_sure_link('came_back.surest_link') }} as is_sure
  from came_back
),
matched as (
  select
    returned.workplace_no,
    returned.separated_on,
    count(*) as returned,
    count(*) filter (where returned.is_while_payable and returned.is_sure) as group_matched
  from returned
  group by returned.workplace_no, returned.separated_on
),
judged as (
  select
    returned.*,
    matched.group_matched,
    matched.group_matched >= 3 and 2 * matched.group_matched >= returned.group_size as is_pattern
  from returned
  inner join matched
    on matched.workplace_no = returned.workplace_no
    and matched.separated_on = returned.separated_on
  where matched.returned >= 3
    and 2 * matched.returned >= returned.group_size
),
f05 as (
  select
    -- rule
    'F05' as rule_id,
    3 as rule_version,
    -- ids
    'workplace/' || judged.workplace_no as pivot_key,
    judged.person_key,
    judged.workplace_no,
    judged.claim_no,
    -- evidence
    'mass_rehire' as evidence_kind,
    judged.workplace_no || '/' || cast(judged.separated_on as varchar) as evidence_key,
    judged.separated_on as evidence_from,
    judged.payable_until as evidence_to,
    judged.acquired_on as fact_on,
    judged.paid_from,
    judged.paid_to,
    judged.group_size,
    judged.group_matched,
    judged.amount_won as amount_at_risk_won,
    greatest(judged.known_on, judged.spell_known_on) as known_on,
    -- what clears it
    not (judged.is_pattern and judged.is_while_payable and judged.is_sure) as cleared,
    case
      when judged.is_season then 'a seasonal closure that the centre knew of'
      when not judged.is_while_payable then 'hired back after the benefit could be paid'
      when not judged.is_sure then 'linked to the business that hired with too little certainty'
      when not judged.is_pattern then 'too few came back while the benefit could be paid' end as cleared_by,
    -- what derives it again
    judged.amount_won as paid_won,
    judged.reopens_on,
    judged.rehired_link as link_probability
  from judged
)
select * from f05
