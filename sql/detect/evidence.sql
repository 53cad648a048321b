/*---
description: {ko: 규칙들이 찾은 증거 전부. 소명된 것도 남긴다., en: every evidence row of every rule; explained ones stay with their reason}
schema: alerts
grain: [rule_id, subject_kind, subject_key, evidence_kind, evidence_key]
materialized: table
owner: detection
meta:
  rederived: "the check alerts_follow_from_evidence derives every row that counts, and every candidate, from the columns below alone"
columns:
  pivot_key: {tags: [pseudonym], description: "the case this row belongs to: person, workplace or ring"}
  person_key: {tags: [pseudonym]}
  workplace_no: {description: the workplace of a rule about workplaces or claims; null for rules about rounds}
  severity: {tests: [{accepted_values: [low, medium, high, critical]}]}
  subject_kind: {description: "what is questioned: a certified round, a whole claim or a subsidy", tests: [{accepted_values: [round, claim, subsidy]}]}
  subject_key: {description: "claim and round, claim, or decision on the subsidy"}
  subject_from: {description: "first certified, paid or subsidised day"}
  subject_to: {description: "last certified, paid or subsidised day"}
  fact_on: {description: the day on which a rule turns that is neither end of the evidence; each rule says which}
  overlap_days: {description: days of the evidence inside the certified days of a round; null for claims and subsidies}
  group_size: {description: how many the pattern is about; each rule says of whom}
  group_matched: {description: of how many of them it is so}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
---*/
with evidence as (
  {{ rule_rows('f01', 'high', 'round') }}
  union all
  {{ rule_rows('f02', 'medium', 'round') }}
  union all
  {{ rule_rows('f03', 'high', 'round') }}
  union all
  {{ rule_rows('f04', 'high', 'round') }}
  union all
  {{ rule_rows('f05', 'critical', 'claim') }}
  union all
  {{ rule_rows('f06', 'high', 'claim') }}
  union all
  {{ rule_rows('f07', 'critical', 'claim') }}
  union all
  {{ rule_rows('f08', 'high', 'claim') }}
  union all
  {{ rule_rows('f09', 'medium', 'round') }}
  union all
  {{ rule_rows('f10', 'critical', 'claim') }}
  union all
  {{ rule_rows('f11', 'high', 'subsidy') }}
  union all
  {{ rule_rows('r01', 'critical', 'claim') }}
)
select * from evidence
