/*---
description: {ko: "전달된 실업인정 회차가 하나도 빠지지 않는다", en: "every certified round delivered stands in core.certification, once"}
severity: error
---*/
with delivered as (
  select claim_no, round from {{ source('ei_certification') }} group by claim_no, round
),
delivered_count as (
  select count(*) as rounds from delivered
),
core_count as (
  select count(*) as rounds from {{ ref('certification') }}
),
broken as (
  select delivered_count.rounds as delivered_rounds, core_count.rounds as core_rounds
  from delivered_count
  cross join core_count
  where delivered_count.rounds <> core_count.rounds
)
select * from broken
