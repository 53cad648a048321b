/*---
description:
  ko: 고용지원 정책과 요건. 해마다 한 줄이며 빈 요건은 그 요건이 없다는 뜻이다.
  en: "support policies with their conditions, one row per policy and year of the list; a condition that is null does not apply"
grain: [policy_no, valid_from]
materialized: table
owner: core
legal_basis: 고용정책 기본법 제6조
tests:
  - {expression: "valid_to >= valid_from"}
  - {expression: "age_from is null or age_to is null or age_to >= age_from"}
columns:
  kind: {tests: [{accepted_values: [seeker_support, training, employer_subsidy, contribution, benefit, loan, employment, counselling]}]}
  target: {tests: [{accepted_values: [person, workplace]}]}
  insured_days_from: {description: least insured days in the last 18 months}
  jobless_months_from: {description: least whole months since the last insured day}
  monthly_income_to: {description: highest income of a month in tax statements}
---*/
with changes as (
  select * from {{ source('policy_programme') }}
),
latest as (
  {{ latest_version('changes', ['policy_no', 'valid_from']) }}
),
policy_programme as (
  select
    -- ids
    latest.policy_no,
    latest.title,
    latest.kind,
    latest.law,
    latest.target,
    -- dates
    latest.valid_from,
    latest.valid_to,
    latest._known_on as known_on,
    -- conditions
    latest.age_from,
    latest.age_to,
    latest.required_sex,
    latest.is_seeker,
    latest.is_insured,
    latest.has_claim,
    latest.is_contractor,
    latest.is_owner,
    latest.insured_days_from,
    latest.jobless_months_from,
    latest.monthly_income_to,
    latest.headcount_from,
    latest.headcount_to,
    -- amounts
    latest.monthly_won,
    latest.pay_months
  from latest
)
select * from policy_programme
