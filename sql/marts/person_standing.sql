/*---
description:
  ko: 기준일의 사람마다 지원 정책의 요건이 묻는 것. 나이, 구직, 피보험, 수급, 노무제공, 사업, 피보험일수, 소득.
  en: >-
    what the conditions of support programmes ask about each person on the day of the night: age, seeking, insured,
    claim, contract, business, insured days, months without work, income
grain: [person_key]
materialized: table
owner: programmes
legal_basis: 고용정책 기본법 제6조 · 제15조의4
columns:
  person_key: {tags: [pseudonym]}
  insured_days: {description: "insured days in the 18 months up to the day (고용보험법 제40조)", tests: [{range: {min: 0, max: 550}}]}
  jobless_months: {description: "whole months since the last insured day; 0 at work, as a contractor or with a business; null for whoever was never insured"}
  monthly_income_won: {description: income in the statements of the last month for which wage statements came, tests: [{range: {min: 0}}]}
  headcount: {description: headcount of the workplace at which the person is insured}
---*/
with person as (
  select * from {{ ref('person') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
wage_file as (
  select * from {{ source('nts_wage_statement') }}
),
last_month as (
  select max(wage_file.paid_month) as month
  from wage_file
  where wage_file.paid_month <= date '{{ var('as_of') }}'
),
today as (
  select person.person_key, date '{{ var('as_of') }}' as on_day, last_month.month as income_month
  from person
  cross join last_month
),
standing as (
  {{ standing('today') }}
),
person_standing as (
  select
    -- ids
    standing.person_key,
    -- person
    standing.sex,
    standing.age,
    -- state
    standing.is_seeker,
    standing.is_insured,
    standing.has_claim,
    standing.is_contractor,
    standing.is_owner,
    -- history
    cast(standing.insured_days as bigint) as insured_days,
    standing.jobless_months,
    -- workplace
    standing.workplace_no,
    workplace.headcount,
    -- amounts
    cast(standing.monthly_income_won as decimal(28, 0)) as monthly_income_won
  from standing
  left join workplace
    on workplace.workplace_no = standing.workplace_no
)
select * from person_standing
