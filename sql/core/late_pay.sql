/*---
description:
  ko: 지급한 달보다 앞선 날의 임금
  en: wages of days before the month they are paid in, as statements say it
grain: [person_key, month, payer_biz_no]
materialized: partitioned
partition_by: month
reads: {income_month: [0, 0]}
owner: coverage
columns:
  person_key: {tags: [pseudonym]}
tests:
  - {expression: "paid_to < month"}
---*/
with income as (
  select * from {{ ref('income_month') }}
),
late_pay as (
  select
    -- ids
    income.person_key,
    income.payer_biz_no,
    -- dates
    income.month,
    income.paid_from,
    income.paid_to
  from income
  where income.income_kind = 'wage'
    and income.month = date '{{ var('partition_start') }}'
    and income.paid_to < income.month
)
select * from late_pay
