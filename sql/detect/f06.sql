/*---
description:
  ko: F06 이직사유를 나중에 수급자격이 되는 사유로 바꾼 뒤 수급
  en: "F06: the reported loss reason was changed after the fact to one that entitles, and a claim followed"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 1
legal_basis: 고용보험법 제40조 · 제58조 · 제61조 · 제62조 · 제116조
meta:
  severity: high
  evidence: first report of the loss x report that stands x claim for that separation
  not_raised: redundancy beside a hire for the same occupation; turnover makes it common and it proves nothing alone
  sources: [ei_insured_spell, ei_correction, ei_benefit_claim, ei_certification]
  look_back: three years from separation (고용보험법 제62조 제3항)
  clears:
    - a correction filed with a document (contract, letter of resignation, ruling)
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [reason_changed]}]}
  evidence_from: {description: day of the first report}
  evidence_to: {description: day of application}
  fact_on: {description: day of the report that changed the reason}
  group_size: {description: "one, the person"}
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
f06 as (
  select
    -- rule
    'F06' as rule_id,
    1 as rule_version,
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
)
select * from f06
