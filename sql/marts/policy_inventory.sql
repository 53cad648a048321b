/*---
description:
  ko: 고용지원 정책과 요건, 기준일에 요건을 갖춘 사람 수(사업장 대상이면 사업장 수)
  en: >-
    the support policies with their conditions and how many persons meet them on the day of the night, or workplaces
    where the policy is for workplaces. The count is null when a condition cannot be evaluated
grain: [policy_no]
materialized: table
owner: programmes
legal_basis: 고용정책 기본법 제6조 · 제11조
meta:
  latest: the latest version of each policy that had begun; in_force says whether its term still runs
  conditions: the closed vocabulary is that of the contract policy_programme; policies for workplaces know the headcount only
tests:
  - {expression: "unevaluated_conditions = 0 or eligible_persons is null and eligible_workplaces is null"}
columns:
  in_force: {description: the term has not ended on the day of the night}
  conditions: {description: number of conditions that apply, tests: [{range: {min: 0, max: 13}}]}
  unevaluated_conditions: {description: "of those, conditions the target's registers cannot answer; the check policy_conditions_are_evaluated lists them", tests: [{range: {min: 0}}]}
  eligible_persons: {description: "persons known to a register who meet every condition; null for workplace policies"}
  eligible_workplaces: {description: "open workplaces that meet every condition; null for personal policies"}
  persons: {description: persons looked at}
---*/
with policy_row as (
  select * from {{ ref('policy_programme') }}
),
standing as (
  select * from {{ ref('person_standing') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
begun as (
  select policy_row.policy_no, max(policy_row.valid_from) as valid_from
  from policy_row
  where policy_row.valid_from <= date '{{ var('as_of') }}'
  group by policy_row.policy_no
),
policy as (
  select
    policy_row.*,
    case when policy_row.age_from is null then 0 else 1 end
      + case when policy_row.age_to is null then 0 else 1 end
      + case when policy_row.required_sex is null then 0 else 1 end
      + case when policy_row.is_seeker is null then 0 else 1 end
      + case when policy_row.is_insured is null then 0 else 1 end
      + case when policy_row.has_claim is null then 0 else 1 end
      + case when policy_row.is_contractor is null then 0 else 1 end
      + case when policy_row.is_owner is null then 0 else 1 end
      + case when policy_row.insured_days_from is null then 0 else 1 end
      + case when policy_row.jobless_months_from is null then 0 else 1 end
      + case when policy_row.monthly_income_to is null then 0 else 1 end as personal_conditions,
    case when policy_row.headcount_from is null then 0 else 1 end
      + case when policy_row.headcount_to is null then 0 else 1 end as workplace_conditions
  from policy_row
  inner join begun
    on begun.policy_no = policy_row.policy_no
    and begun.valid_from = policy_row.valid_from
),
eligible as (
  select policy.policy_no, count(*) as persons
  from policy
  inner join standing
    on {{ meets('policy', 'standing', 'standing.headcount') }}
  where policy.target = 'person'
  group by policy.policy_no
),
headcount as (
  select workplace.headcount, count(*) as workplaces
  from workplace
  where workplace.established_on <= date '{{ var('as_of') }}'
    and (workplace.closed_on is null or workplace.closed_on > date '{{ var('as_of') }}')
  group by workplace.headcount
),
eligible_workplace as (
  select policy.policy_no, sum(headcount.workplaces) as workplaces
  from policy
  inner join headcount
    on (policy.headcount_from is null or headcount.headcount >= policy.headcount_from)
    and (policy.headcount_to is null or headcount.headcount <= policy.headcount_to)
  where policy.target = 'workplace'
    and policy.personal_conditions = 0
  group by policy.policy_no
),
known as (
  select count(*) as persons from standing
),
policy_inventory as (
  select
    -- ids
    policy.policy_no,
    policy.title,
    policy.kind,
    policy.target,
    policy.law,
    -- dates
    policy.valid_from,
    policy.valid_to,
    policy.valid_to >= date '{{ var('as_of') }}' as in_force,
    -- conditions
    policy.personal_conditions + policy.workplace_conditions as conditions,
    case policy.target when 'workplace' then policy.personal_conditions else 0 end as unevaluated_conditions,
    policy.age_from,
    policy.age_to,
    policy.required_sex,
    policy.is_seeker,
    policy.is_insured,
    policy.has_claim,
    policy.is_contractor,
    policy.is_owner,
    policy.insured_days_from,
    policy.jobless_months_from,
    policy.monthly_income_to,
    policy.headcount_from,
    policy.headcount_to,
    -- counts
    known.persons,
    case when policy.target = 'person' then coalesce(eligible.persons, 0) end as eligible_persons,
    case when policy.target = 'workplace' and policy.personal_conditions = 0
         then cast(coalesce(eligible_workplace.workplaces, 0) as bigint) end as eligible_workplaces,
    -- amounts
    policy.monthly_won,
    policy.pay_months
  from policy
  cross join known
  left join eligible
    on eligible.policy_no = policy.policy_no
  left join eligible_workplace
    on eligible_workplace.policy_no = policy.policy_no
)
select * from policy_inventory
