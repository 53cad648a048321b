/*---
description:
  ko: F06 이직사유를 나중에 수급자격이 되는 사유로 바꾼 뒤 수급하거나, 경영상 감원이라면서 같은 직종을 새로 채용
  en: "F06: the loss reason was changed after the fact to one that entitles, or redundancy was given beside new hires for the same occupation, and a claim followed"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 2
legal_basis: 고용보험법 제40조 · 제58조 · 제61조 · 제62조 · 제116조
meta:
  severity: high
  evidence: >-
    first report of the loss x report that stands x claim for that separation; or claim for redundancy x other people's
    acquisitions for the same occupation at the same workplace from 30 days before to 60 days after the separation
  threshold: >-
    a change counts alone. Hires beside a redundancy count when at least as many were hired as were made redundant in
    that time and the workplace's own turnover in that occupation does not explain them: Chernoff bound of the Poisson
    tail times the separations looked at, at most 0.01
  sources: [ei_insured_spell, ei_correction, ei_benefit_claim, ei_certification]
  look_back: three years from separation (고용보험법 제62조 제3항)
  clears:
    - {ko: "서류(계약서, 사직서, 판정서)를 갖춘 정정", en: "a correction filed with a document (contract, letter of resignation, ruling)"}
    - {ko: "채용이 감원보다 적거나, 평소의 이직·채용을 넘지 않음", en: "fewer hired than made redundant, or no more than the usual turnover gives"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [reason_changed, redundant_beside_hires]}]}
  evidence_from: {description: "day of the first report, or last insured day"}
  evidence_to: {description: day of application}
  fact_on: {description: "day of the report that changed the reason, or of the first hire"}
  group_size: {description: "one, the person; or claimants made redundant in the occupation"}
  group_matched: {description: "one; or people hired for it"}
  amount_at_risk_won: {description: the whole claim since its condition is false, tests: [{range: {min: 0}}]}
---*/
with change as (
  select * from {{ ref('loss_reason_change') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
claim as (
  select * from {{ ref('claim') }}
),
paid as (
  {{ paid_claim() }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
    and occupation is not null
),
redundant as (
  select
    claim.claim_no,
    claim.person_key,
    claim.workplace_no,
    claim.separated_on,
    claim.applied_on,
    insured_spell.occupation,
    paid.paid_from,
    paid.paid_to,
    paid.amount_won,
    greatest(claim.known_on, paid.known_on) as known_on
  from claim
  inner join paid
    on paid.claim_no = claim.claim_no
  inner join insured_spell
    on insured_spell.person_key = claim.person_key
    and insured_spell.workplace_no = claim.workplace_no
    and insured_spell.insured_to = claim.separated_on
  where claim.loss_reason = '23'
),
-- the days on which hires are on record for all
span as (
  select
    add_days(min(redundant.separated_on), -30) as from_on,
    add_days(max(redundant.separated_on), 60) as to_on,
    count(*) as separations
  from redundant
),
let_go as (
  select redundant.claim_no, count(distinct other.person_key) as group_size
  from redundant
  inner join redundant as other
    on other.workplace_no = redundant.workplace_no
    and other.occupation = redundant.occupation
  where abs(days_between(redundant.separated_on, other.separated_on)) <= 45
  group by redundant.claim_no
),
-- a person who was made redundant there and comes back is another rule's
hired as (
  select
    redundant.claim_no,
    count(distinct insured_spell.person_key) as hires,
    count(distinct insured_spell.person_key) filter (
      where insured_spell.acquired_on between add_days(redundant.separated_on, -30) and add_days(redundant.separated_on, 60)) as group_matched,
    min(insured_spell.acquired_on) filter (
      where insured_spell.acquired_on between add_days(redundant.separated_on, -30) and add_days(redundant.separated_on, 60)) as hired_on,
    min(insured_spell.known_on) filter (
      where insured_spell.acquired_on between add_days(redundant.separated_on, -30) and add_days(redundant.separated_on, 60)) as known_on
  from redundant
  cross join span
  inner join insured_spell
    on insured_spell.workplace_no = redundant.workplace_no
    and insured_spell.occupation = redundant.occupation
  where insured_spell.acquired_on between span.from_on and span.to_on
    and insured_spell.person_key <> redundant.person_key
  group by redundant.claim_no
),
-- one more in the turnover, so that a workplace that hired nobody else has a rate
weighed as (
  select
    redundant.*,
    let_go.group_size,
    hired.group_matched,
    hired.hired_on,
    greatest(redundant.known_on, hired.known_on) as pattern_known_on,
    cast(span.separations as double) * exp(-{{ poisson_ratio(
      'cast(hired.group_matched as double)',
      'cast(hired.hires - hired.group_matched + 1 as double) * 91.0 / cast(greatest(91, days_between(span.from_on, span.to_on) - 90) as double)') }}) as p_value
  from redundant
  cross join span
  inner join let_go
    on let_go.claim_no = redundant.claim_no
  inner join hired
    on hired.claim_no = redundant.claim_no
  where hired.group_matched > 0
),
changed as (
  select
    -- rule
    'F06' as rule_id,
    2 as rule_version,
    -- ids
    'person/' || cast(claim.person_key as varchar) as pivot_key,
    claim.person_key,
    change.workplace_no,
    claim.claim_no,
    -- evidence
    'reason_changed' as evidence_kind,
    change.workplace_no || '/' || cast(change.acquired_on as varchar) || '/' || change.first_reason || '>' || change.reason as evidence_key,
    change.first_reported_on as evidence_from,
    claim.applied_on as evidence_to,
    change.changed_on as fact_on,
    paid.paid_from,
    paid.paid_to,
    cast(1 as bigint) as group_size,
    cast(1 as bigint) as group_matched,
    paid.amount_won as amount_at_risk_won,
    greatest(claim.known_on, paid.known_on, change.known_on) as known_on,
    -- what clears it
    change.document is not null as cleared,
    case when change.document is not null then 'corrected with a document: ' || change.document end as cleared_by
  from change
  inner join claim
    on claim.person_key = change.person_key
    and claim.workplace_no = change.workplace_no
    and claim.separated_on = change.insured_to
  inner join paid
    on paid.claim_no = claim.claim_no
  inner join reason as first_reason
    on first_reason.loss_reason = change.first_reason
  inner join reason
    on reason.loss_reason = change.reason
  where first_reason.entitling = 'no'
    and reason.entitling = 'yes'
),
beside_hires as (
  select
    -- rule
    'F06' as rule_id,
    2 as rule_version,
    -- ids
    'workplace/' || weighed.workplace_no as pivot_key,
    weighed.person_key,
    weighed.workplace_no,
    weighed.claim_no,
    -- evidence
    'redundant_beside_hires' as evidence_kind,
    weighed.workplace_no || '/' || cast(weighed.separated_on as varchar) || '/' || weighed.occupation as evidence_key,
    weighed.separated_on as evidence_from,
    weighed.applied_on as evidence_to,
    weighed.hired_on as fact_on,
    weighed.paid_from,
    weighed.paid_to,
    weighed.group_size,
    weighed.group_matched,
    weighed.amount_won as amount_at_risk_won,
    weighed.pattern_known_on as known_on,
    -- what clears it
    weighed.group_matched < weighed.group_size or weighed.p_value > 0.01 as cleared,
    case
      when weighed.group_matched < weighed.group_size then 'fewer hired than made redundant'
      when weighed.p_value > 0.01 then 'no more hired than the usual turnover' end as cleared_by
  from weighed
),
f06 as (
  select * from changed
  union all
  select * from beside_hires
)
select * from f06
