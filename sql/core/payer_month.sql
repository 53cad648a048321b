/*---
description: {ko: 지급자별 월 임금·일용·사업소득 수급자 수, en: "how many persons each payer paid in a month, by kind of income"}
grain: [payer_biz_no, month]
materialized: partitioned
partition_by: month
reads: {income_month: [0, 0]}
owner: coverage
columns:
  wage_persons: {description: persons with a wage statement of the payer, tests: [{range: {min: 0}}]}
  paid_persons: {description: "statements of any kind of income, one for each person and kind", tests: [{range: {min: 1}}]}
---*/
with income as (
  select * from {{ ref('income_month') }}
),
payer_month as (
  select
    income.payer_biz_no,
    income.month,
    count(*) filter (where income.income_kind = 'wage') as wage_persons,
    count(*) as paid_persons
  from income
  where income.month = date '{{ var('partition_start') }}'
  group by income.payer_biz_no, income.month
)
select * from payer_month
