/*---
description: {ko: 지급자별 월 임금 수급자 수, en: how many persons each payer paid wages to in a month}
grain: [payer_biz_no, month]
materialized: partitioned
partition_by: month
reads: {income_month: [0, 0]}
owner: coverage
columns:
  wage_persons: {description: persons with a wage statement of the payer, tests: [{range: {min: 1}}]}
---*/
with income as (
  select * from {{ ref('income_month') }}
),
payer_month as (
  select
    income.payer_biz_no,
    income.month,
    count(*) as wage_persons
  from income
  where income.month = date '{{ var('partition_start') }}'
    and income.income_kind = 'wage'
  group by income.payer_biz_no, income.month
)
select * from payer_month
