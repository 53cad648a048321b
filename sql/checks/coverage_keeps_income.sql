/*---
description: {ko: "적용 상태표의 소득은 income_month의 소득과 같다", en: "income in coverage_month equals income_month, month by month"}
severity: error
---*/
with income as (
  select month, sum(gross_won) as income_won from {{ ref('income_month') }} group by month
),
coverage as (
  select month, sum(income_won) as income_won from {{ ref('coverage_month') }} group by month
),
broken as (
  select
    coalesce(income.month, coverage.month) as month,
    coalesce(income.income_won, 0) as income_won,
    coalesce(coverage.income_won, 0) as coverage_won
  from income
  full outer join coverage
    on coverage.month = income.month
  where coalesce(income.income_won, 0) <> coalesce(coverage.income_won, 0)
)
select * from broken
