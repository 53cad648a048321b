/*---
description: {ko: "증거의 날짜는 인정기간 안에 있다", en: "evidence touches certified days; income counts only when all its days are inside"}
severity: error
---*/
with evidence as (
  select * from {{ ref('evidence') }}
),
broken as (
  select rule_id, claim_no, round, evidence_kind, evidence_key
  from evidence
  where (rule_id = 'F01' and (evidence_from > certified_to or evidence_to < certified_from))
    or (evidence_kind in ('daily_work', 'wage_statement') and (evidence_from < certified_from or evidence_to > certified_to))
    or overlap_days > days_between(certified_from, certified_to) + 1
    or (cleared and cleared_by is null)
)
select * from broken
