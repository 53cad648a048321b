/*---
description:
  ko: 미가입 사람·월의 소득을 낸 지급자. 사업장별 작업 목록의 근거이다.
  en: >-
    who paid in the person-months that the law covers and no insured day covers: the statements of the kind that put
    the person into the class. The work-list of workplaces is added up from it
grain: [person_key, month, payer_biz_no, income_kind]
materialized: partitioned
partition_by: month
key: person_key
reads: {coverage_month: [0, 0], income_month: [0, 0]}
owner: coverage
columns:
  person_key: {tags: [pseudonym]}
  class: {tests: [{accepted_values: [covered_uninsured, daily_unreported, contractor_outside]}]}
---*/
with coverage as (
  select * from {{ ref('coverage_month') }}
),
income as (
  select * from {{ ref('income_month') }}
),
outside as (
  select
    coverage.person_key,
    coverage.class,
    case coverage.class
      when 'covered_uninsured' then 'wage'
      when 'daily_unreported' then 'daily'
      else 'business' end as income_kind
  from coverage
  where coverage.class in ('covered_uninsured', 'daily_unreported', 'contractor_outside')
    and coverage.month = date '{{ var('partition_start') }}'
),
uninsured_pay as (
  select
    income.person_key,
    income.month,
    income.payer_biz_no,
    income.income_kind,
    outside.class,
    income.gross_won
  from income
  inner join outside
    on outside.person_key = income.person_key
    and outside.income_kind = income.income_kind
  where income.month = date '{{ var('partition_start') }}'
)
select * from uninsured_pay
