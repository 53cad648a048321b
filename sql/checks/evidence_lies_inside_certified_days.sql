/*---
description: {ko: "증거의 날짜는 인정기간 안에 있다", en: "evidence touches certified days; income counts only when all its days are certified"}
severity: error
---*/
with evidence as (
  select * from {{ ref('evidence') }}
),
-- the same statement in all rounds of a claim: its days there are its days in all
statement as (
  select claim_no, evidence_key, evidence_from, evidence_to, sum(overlap_days) as overlap_days
  from evidence
  where evidence_kind = 'wage_statement'
  group by claim_no, evidence_key, evidence_from, evidence_to
),
broken as (
  select rule_id, subject_key, evidence_kind, evidence_key
  from evidence
  where (subject_kind = 'round' and rule_id <> 'F03' and (evidence_from > subject_to or evidence_to < subject_from))
    or (evidence_kind = 'daily_work' and (evidence_from < subject_from or evidence_to > subject_to))
    or overlap_days > days_between(subject_from, subject_to) + 1
    or (cleared and cleared_by is null)
  union all
  select 'F02' as rule_id, claim_no as subject_key, 'wage_statement' as evidence_kind, evidence_key
  from statement
  where overlap_days <> days_between(evidence_from, evidence_to) + 1
)
select * from broken
