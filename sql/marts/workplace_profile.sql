/*---
description: {ko: 사업장 개요, en: "each workplace with its insured persons, turnover, claims of its leavers, vacancies and uninsured months"}
grain: [workplace_no]
materialized: table
owner: labour_market
meta:
  as_of: stocks on the day of the night; flows over the twelve months before it
columns:
  workplace_no: {tests: [not_null, unique]}
  insured_persons: {tests: [{range: {min: 0}}]}
  involuntary_share: {description: "share of last year's losses with reasons 12, 22, 23, 31 or 32; null without losses", tests: [{range: {min: 0, max: 1}}]}
  mean_wage_won: {description: mean monthly wage of the insured persons}
---*/
with workplace as (
  select * from {{ ref('workplace') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
claim as (
  select * from {{ ref('claim') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
blind_spot as (
  select * from {{ ref('blind_spot_workplace') }}
),
spell_count as (
  select
    spell.workplace_no,
    count(*) filter (where spell.insured_from <= date '{{ var('as_of') }}'
      and (spell.insured_to is null or spell.insured_to >= date '{{ var('as_of') }}')) as insured_persons,
    sum(spell.monthly_wage_won) filter (where spell.insured_from <= date '{{ var('as_of') }}'
      and (spell.insured_to is null or spell.insured_to >= date '{{ var('as_of') }}')) as wage_sum_won,
    count(*) filter (where spell.acquired_on > add_months(date '{{ var('as_of') }}', -12)
      and spell.acquired_on <= date '{{ var('as_of') }}') as acquired_12,
    count(*) filter (where spell.lost_on > add_months(date '{{ var('as_of') }}', -12)
      and spell.lost_on <= date '{{ var('as_of') }}') as lost_12,
    count(*) filter (where spell.lost_on > add_months(date '{{ var('as_of') }}', -12)
      and spell.lost_on <= date '{{ var('as_of') }}'
      and spell.loss_reason in ('12', '22', '23', '31', '32')) as involuntary_12
  from spell
  where not spell.cancelled
  group by spell.workplace_no
),
claim_count as (
  select claim.workplace_no, count(*) as claims_12
  from claim
  where claim.applied_on > add_months(date '{{ var('as_of') }}', -12)
    and claim.applied_on <= date '{{ var('as_of') }}'
  group by claim.workplace_no
),
vacancy_count as (
  select
    vacancy.workplace_no,
    count(*) as vacancies_12,
    cast(sum(vacancy.openings) as bigint) as openings_12,
    count(*) filter (where vacancy.filled_on is not null) as filled_12
  from vacancy
  where vacancy.opened_on > add_months(date '{{ var('as_of') }}', -12)
    and vacancy.opened_on <= date '{{ var('as_of') }}'
  group by vacancy.workplace_no
),
workplace_profile as (
  select
    -- ids
    workplace.workplace_no,
    workplace.biz_no,
    workplace.firm_name,
    workplace.section,
    workplace.ksic,
    workplace.sido,
    workplace.sigungu,
    -- dates
    workplace.established_on,
    workplace.closed_on,
    -- size and turnover
    workplace.headcount,
    coalesce(spell_count.insured_persons, 0) as insured_persons,
    coalesce(spell_count.acquired_12, 0) as acquired_12,
    coalesce(spell_count.lost_12, 0) as lost_12,
    case when spell_count.lost_12 > 0
         then cast(spell_count.involuntary_12 as double) / cast(spell_count.lost_12 as double) end as involuntary_share,
    coalesce(claim_count.claims_12, 0) as claims_12,
    -- vacancies
    coalesce(vacancy_count.vacancies_12, 0) as vacancies_12,
    coalesce(vacancy_count.openings_12, 0) as openings_12,
    coalesce(vacancy_count.filled_12, 0) as filled_12,
    -- coverage; several workplaces of one firm show the firm's figure
    coalesce(blind_spot.uninsured_months, 0) as firm_uninsured_months,
    -- amounts
    case when spell_count.insured_persons > 0
         then cast(spell_count.wage_sum_won / spell_count.insured_persons as decimal(18, 0)) end as mean_wage_won
  from workplace
  left join spell_count
    on spell_count.workplace_no = workplace.workplace_no
  left join claim_count
    on claim_count.workplace_no = workplace.workplace_no
  left join vacancy_count
    on vacancy_count.workplace_no = workplace.workplace_no
  left join blind_spot
    on blind_spot.biz_no = workplace.biz_no
)
select * from workplace_profile
