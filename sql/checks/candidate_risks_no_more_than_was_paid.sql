/*---
description: {ko: "경보의 금액은 지급된 금액을 넘지 않는다", en: "no candidate puts more at risk than its claims and subsidies were paid"}
severity: error
---*/
with claim_paid as (
  select claim_no, sum(amount_won) as paid_won from {{ ref('certification') }} group by claim_no
),
subsidy as (
  select * from {{ ref('subsidy') }}
),
candidate as (
  select * from {{ ref('candidate') }}
),
questioned as (
  select distinct pivot_key, claim_no, case when subject_kind = 'subsidy' then subject_key end as decision_no
  from {{ ref('evidence') }}
  where not cleared
),
paid as (
  select
    questioned.pivot_key,
    -- a share of a subsidy is rounded to the won
    sum(coalesce(claim_paid.paid_won, 0) + coalesce(subsidy.amount_won + subsidy.heads, 0)) as paid_won
  from questioned
  left join claim_paid
    on claim_paid.claim_no = questioned.claim_no
  left join subsidy
    on subsidy.decision_no = questioned.decision_no
  group by questioned.pivot_key
),
broken as (
  select candidate.pivot_key, candidate.amount_at_risk_won, paid.paid_won
  from candidate
  left join paid
    on paid.pivot_key = candidate.pivot_key
  where paid.paid_won is null
    or candidate.amount_at_risk_won > paid.paid_won
)
select * from broken
