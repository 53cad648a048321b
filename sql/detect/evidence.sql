/*---
description: {ko: 규칙들이 찾은 증거 전부. 소명된 것도 남긴다., en: every evidence row of every rule; explained ones stay with their reason}
schema: alerts
grain: [rule_id, claim_no, round, evidence_kind, evidence_key]
materialized: table
owner: detection
columns:
  pivot_key: {tags: [pseudonym], description: the case this row belongs to}
  person_key: {tags: [pseudonym]}
  severity: {tests: [{accepted_values: [low, medium, high, critical]}]}
---*/
with f01 as (
  select * from {{ ref('f01') }}
),
f02 as (
  select * from {{ ref('f02') }}
),
f03 as (
  select * from {{ ref('f03') }}
),
evidence_row as (
  select 'high' as severity, f01.* from f01
  union all
  select 'medium' as severity, f02.* from f02
  union all
  select 'high' as severity, f03.* from f03
),
evidence as (
  select
    -- ids
    'person/' || cast(evidence_row.person_key as varchar) as pivot_key,
    evidence_row.person_key,
    evidence_row.rule_id,
    evidence_row.rule_version,
    evidence_row.severity,
    evidence_row.claim_no,
    evidence_row.round,
    -- evidence
    evidence_row.evidence_kind,
    evidence_row.evidence_key,
    evidence_row.evidence_from,
    evidence_row.evidence_to,
    evidence_row.certified_from,
    evidence_row.certified_to,
    evidence_row.overlap_days,
    evidence_row.amount_at_risk_won,
    evidence_row.known_on,
    -- what clears it
    evidence_row.cleared,
    evidence_row.cleared_by
  from evidence_row
)
select * from evidence
