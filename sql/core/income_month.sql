/*---
description:
  ko: 국세청 지급명세서를 사람·월·지급자·소득종류로 모은 것
  en: tax statements of wage, daily and business income by person, paid month, payer and kind of income
grain: [person_key, month, payer_biz_no, income_kind]
materialized: partitioned
partition_by: month
# a half-yearly wage file carries the period of its first month, hence the reach of five months back
reads: {nts_wage_statement: [-5, 0], nts_daily_statement: [0, 0], nts_business_income: [0, 0]}
owner: core
legal_basis: 소득세법 제164조 · 제164조의3
columns:
  person_key: {tags: [pseudonym]}
  income_kind: {tests: [{accepted_values: [wage, daily, business]}]}
  paid_from: {description: first day the pay is for; only wage statements say it}
  paid_to: {description: last day the pay is for; only wage statements say it}
  statements: {description: number of statements delivered for this key}
  gross_won: {description: "pay of the month; when all statements of the key are the same one delivered twice, it counts once", tests: [{range: {min: 0}}]}
  repeated_won: {description: "won of such repetitions, so that gross_won + repeated_won = statements as delivered", tests: [{range: {min: 0}}]}
---*/
with statement as (
  select
    person_key, payer_biz_no, paid_month, 'wage' as income_kind, birth_date, sex,
    paid_from, paid_to, cast(null as int) as days, cast(null as varchar) as industry_code, gross_won, _known_on
  from {{ source('nts_wage_statement') }}
  where paid_month = date '{{ var('partition_start') }}'
  union all
  select
    person_key, payer_biz_no, paid_month, 'daily' as income_kind, birth_date, sex,
    cast(null as date) as paid_from, cast(null as date) as paid_to, days, cast(null as varchar) as industry_code, gross_won, _known_on
  from {{ source('nts_daily_statement') }}
  where paid_month = date '{{ var('partition_start') }}'
  union all
  select
    person_key, payer_biz_no, paid_month, 'business' as income_kind, birth_date, sex,
    cast(null as date) as paid_from, cast(null as date) as paid_to, cast(null as int) as days, industry_code, gross_won, _known_on
  from {{ source('nts_business_income') }}
  where paid_month = date '{{ var('partition_start') }}'
),
grouped as (
  select
    statement.person_key,
    statement.paid_month,
    statement.payer_biz_no,
    statement.income_kind,
    min(statement.industry_code) as industry_code,
    max(statement.birth_date) as birth_date,
    max(statement.sex) as sex,
    min(statement.paid_from) as paid_from,
    max(statement.paid_to) as paid_to,
    max(statement._known_on) as known_on,
    count(*) as statements,
    max(statement.days) as most_days,
    sum(statement.days) as days,
    max(statement.gross_won) as highest_won,
    sum(statement.gross_won) as delivered_won,
    -- one statement delivered several times differs in nothing
    count(*) > 1
      and min(statement.gross_won) = max(statement.gross_won)
      and (min(statement.paid_from) is not distinct from max(statement.paid_from))
      and (min(statement.paid_to) is not distinct from max(statement.paid_to))
      and (min(statement.days) is not distinct from max(statement.days))
      and (min(statement.industry_code) is not distinct from max(statement.industry_code)) as repeated
  from statement
  group by statement.person_key, statement.paid_month, statement.payer_biz_no, statement.income_kind
),
income_month as (
  select
    -- ids
    grouped.person_key,
    grouped.payer_biz_no,
    grouped.income_kind,
    grouped.industry_code,
    -- person
    grouped.birth_date,
    grouped.sex,
    -- dates
    grouped.paid_month as month,
    grouped.paid_from,
    grouped.paid_to,
    grouped.known_on,
    -- amounts
    cast(grouped.statements as int) as statements,
    cast(case when grouped.repeated then grouped.most_days else grouped.days end as int) as days,
    cast(case when grouped.repeated then grouped.highest_won else grouped.delivered_won end as decimal(18, 0)) as gross_won,
    cast(case when grouped.repeated then grouped.delivered_won - grouped.highest_won else 0 end as decimal(18, 0)) as repeated_won
  from grouped
)
select * from income_month
