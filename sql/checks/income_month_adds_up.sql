/*---
description: {ko: "income_month의 합계는 전달된 명세서의 합계와 같다", en: "statements and won in income_month equal the statements delivered, kind by kind"}
severity: error
---*/
with delivered as (
  select 'wage' as income_kind, count(*) as statements, sum(gross_won) as gross_won from {{ source('nts_wage_statement') }}
  union all
  select 'daily' as income_kind, count(*) as statements, sum(gross_won) as gross_won from {{ source('nts_daily_statement') }}
  union all
  select 'business' as income_kind, count(*) as statements, sum(gross_won) as gross_won from {{ source('nts_business_income') }}
),
grouped as (
  select income_kind, sum(statements) as statements, sum(gross_won) + sum(repeated_won) as gross_won
  from {{ ref('income_month') }}
  group by income_kind
),
broken as (
  select
    delivered.income_kind,
    delivered.statements as delivered_statements,
    coalesce(grouped.statements, 0) as grouped_statements,
    coalesce(delivered.gross_won, 0) as delivered_won,
    coalesce(grouped.gross_won, 0) as grouped_won
  from delivered
  left join grouped
    on grouped.income_kind = delivered.income_kind
  where delivered.statements <> coalesce(grouped.statements, 0)
    or coalesce(delivered.gross_won, 0) <> coalesce(grouped.gross_won, 0)
)
select * from broken
