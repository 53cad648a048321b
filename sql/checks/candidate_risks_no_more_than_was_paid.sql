/*---
description: {ko: "경보의 금액은 지급된 금액을 넘지 않는다", en: "no candidate puts more at risk than the person was paid"}
severity: error
---*/
with paid as (
  select person_key, sum(amount_won) as paid_won from {{ ref('certification') }} group by person_key
),
candidate as (
  select * from {{ ref('candidate') }}
),
broken as (
  select candidate.pivot_key, candidate.amount_at_risk_won, paid.paid_won
  from candidate
  left join paid
    on paid.person_key = candidate.person_key
  where paid.paid_won is null
    or candidate.amount_at_risk_won > paid.paid_won
)
select * from broken
