/*---
description:
  ko: 사람별로 묶은 경보 후보. 조사 대상 제안일 뿐 처분이 아니다.
  en: >-
    alert candidates, evidence that nothing on record explains grouped by person. A proposal to look, never a sanction;
    nothing downstream leads from here to a payment
schema: alerts
grain: [pivot_key]
materialized: table
owner: detection
meta:
  amount: the largest amount at risk of any evidence of a round, added up over rounds, so two proofs of one round count once
  severity: "low below 300 thousand won; critical from 3 million won or from two rules and 1 million won; high from 1 million won or two rules; otherwise medium"
columns:
  pivot_key: {tags: [pseudonym]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  rules: {description: "rules that contribute, joined by commas"}
  evidence_count: {tests: [{range: {min: 1}}]}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
  severity: {tests: [{accepted_values: [low, medium, high, critical]}]}
---*/
with evidence as (
  select * from {{ ref('evidence') }}
),
round_risk as (
  select
    evidence.pivot_key,
    evidence.person_key,
    evidence.claim_no,
    evidence.round,
    count(*) as evidence_count,
    bool_or(evidence.rule_id = 'F01') as f01,
    bool_or(evidence.rule_id = 'F02') as f02,
    bool_or(evidence.rule_id = 'F03') as f03,
    min(greatest(evidence.evidence_from, evidence.certified_from)) as first_on,
    max(least(coalesce(evidence.evidence_to, evidence.certified_to), evidence.certified_to)) as last_on,
    max(evidence.amount_at_risk_won) as amount_at_risk_won,
    max(evidence.known_on) as known_on
  from evidence
  where not evidence.cleared
  group by evidence.pivot_key, evidence.person_key, evidence.claim_no, evidence.round
),
person_risk as (
  select
    round_risk.pivot_key,
    round_risk.person_key,
    bool_or(round_risk.f01) as f01,
    bool_or(round_risk.f02) as f02,
    bool_or(round_risk.f03) as f03,
    cast(sum(round_risk.evidence_count) as bigint) as evidence_count,
    count(*) as rounds,
    min(round_risk.first_on) as first_on,
    max(round_risk.last_on) as last_on,
    max(round_risk.known_on) as known_on,
    cast(sum(round_risk.amount_at_risk_won) as decimal(18, 0)) as amount_at_risk_won
  from round_risk
  group by round_risk.pivot_key, round_risk.person_key
),
counted as (
  select
    person_risk.*,
    case when person_risk.f01 then 1 else 0 end
      + case when person_risk.f02 then 1 else 0 end
      + case when person_risk.f03 then 1 else 0 end as rule_count
  from person_risk
),
candidate as (
  select
    -- ids
    counted.pivot_key,
    counted.person_key,
    concat_ws(',',
      case when counted.f01 then 'F01' end,
      case when counted.f02 then 'F02' end,
      case when counted.f03 then 'F03' end) as rules,
    -- evidence
    counted.evidence_count,
    counted.rounds,
    counted.first_on,
    counted.last_on,
    counted.known_on,
    -- amounts
    counted.amount_at_risk_won,
    case
      when counted.amount_at_risk_won >= 3000000 or (counted.rule_count >= 2 and counted.amount_at_risk_won >= 1000000) then 'critical'
      when counted.amount_at_risk_won >= 1000000 or counted.rule_count >= 2 then 'high'
      when counted.amount_at_risk_won >= 300000 then 'medium'
      else 'low' end as severity
  from counted
)
select * from candidate
