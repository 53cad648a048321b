/*---
description:
  ko: 사람·사업장·조직별로 묶은 경보 후보. 조사 대상 제안일 뿐 처분이 아니다.
  en: >-
    alert candidates, evidence that nothing on record explains grouped by person, workplace or ring. A proposal to
    look, never a sanction; nothing downstream leads from here to a payment
schema: alerts
grain: [pivot_key]
materialized: table
owner: detection
meta:
  amount: >-
    of a round the largest amount of any evidence, added up over rounds, so two proofs of one round count once; of a
    claim whichever is larger, what questions it as a whole or its rounds together; of subsidies the shares of the
    people named
  severity: "low below 300 thousand won; critical from 3 million won or from two rules and 1 million won; high from 1 million won or two rules; otherwise medium"
columns:
  pivot_key: {tags: [pseudonym]}
  pivot_kind: {description: what the case is about, tests: [{accepted_values: [person, workplace, ring]}]}
  person_key: {tags: [pseudonym], description: null for a case about a workplace or a ring}
  rules: {description: "rules that contribute, joined by commas"}
  persons: {description: people in the evidence, tests: [{range: {min: 1}}]}
  evidence_count: {tests: [{range: {min: 1}}]}
  link_probability: {description: "the lowest one of its evidence; null where businesses are joined by number or not at all", tests: [{range: {min: 0, max: 1}}]}
  subjects: {description: "certified rounds, claims and subsidies in question"}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
  severity: {tests: [{accepted_values: [low, medium, high, critical]}]}
---*/
{% set rules = ['F01', 'F02', 'F03', 'F04', 'F05', 'F06', 'F07', 'F08', 'F09', 'F10', 'F11', 'R01'] -%}
with evidence as (
  select * from {{ ref('evidence') }}
  where not cleared
),
subject_risk as (
  select
    evidence.pivot_key,
    coalesce(evidence.claim_no, evidence.subject_key) as risk_key,
    evidence.subject_kind,
    evidence.subject_key,
    case
      when evidence.subject_kind = 'subsidy' then sum(evidence.amount_at_risk_won)
      else max(evidence.amount_at_risk_won) end as amount_at_risk_won
  from evidence
  group by evidence.pivot_key, evidence.claim_no, evidence.subject_kind, evidence.subject_key
),
claim_risk as (
  select
    subject_risk.pivot_key,
    subject_risk.risk_key,
    count(*) as subjects,
    greatest(
      coalesce(sum(subject_risk.amount_at_risk_won) filter (where subject_risk.subject_kind = 'round'), 0),
      coalesce(max(subject_risk.amount_at_risk_won) filter (where subject_risk.subject_kind <> 'round'), 0)) as amount_at_risk_won
  from subject_risk
  group by subject_risk.pivot_key, subject_risk.risk_key
),
risk as (
  select
    claim_risk.pivot_key,
    cast(sum(claim_risk.subjects) as bigint) as subjects,
    cast(sum(claim_risk.amount_at_risk_won) as decimal(18, 0)) as amount_at_risk_won
  from claim_risk
  group by claim_risk.pivot_key
),
grouped as (
  select
    evidence.pivot_key,
    min(evidence.person_key) as person_key,
    {% for rule in rules %}
    bool_or(evidence.rule_id = '{{ rule }}') as {{ rule | lower }},
    {% endfor %}
    count(distinct evidence.rule_id) as rule_count,
    count(distinct evidence.person_key) as persons,
    count(*) as evidence_count,
    min(case
      when evidence.subject_kind = 'round' then greatest(evidence.evidence_from, evidence.subject_from)
      else evidence.subject_from end) as first_on,
    max(case
      when evidence.subject_kind = 'round' then least(coalesce(evidence.evidence_to, evidence.subject_to), evidence.subject_to)
      else evidence.subject_to end) as last_on,
    max(evidence.known_on) as known_on,
    min(evidence.link_probability) as link_probability
  from evidence
  group by evidence.pivot_key
),
candidate as (
  select
    -- ids
    grouped.pivot_key,
    split_part(grouped.pivot_key, '/', 1) as pivot_kind,
    case when grouped.pivot_key like 'person/%' then grouped.person_key end as person_key,
    concat_ws(','
      {%- for rule in rules %},
      case when grouped.{{ rule | lower }} then '{{ rule }}' end
      {%- endfor %}) as rules,
    -- evidence
    grouped.persons,
    grouped.evidence_count,
    risk.subjects,
    grouped.first_on,
    grouped.last_on,
    grouped.known_on,
    grouped.link_probability,
    -- amounts
    risk.amount_at_risk_won,
    case
      when risk.amount_at_risk_won >= 3000000 or (grouped.rule_count >= 2 and risk.amount_at_risk_won >= 1000000) then 'critical'
      when risk.amount_at_risk_won >= 1000000 or grouped.rule_count >= 2 then 'high'
      when risk.amount_at_risk_won >= 300000 then 'medium'
      else 'low' end as severity
  from grouped
  inner join risk
    on risk.pivot_key = grouped.pivot_key
)
select * from candidate
