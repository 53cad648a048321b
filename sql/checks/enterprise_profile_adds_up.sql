/*---
description: {ko: "기업 프로필의 사업장·피보험자·상실·지원금은 원장과 같다", en: "workplaces, insured persons, losses and subsidies in enterprise_profile equal those of the core tables"}
severity: error
---*/
with published as (
  select
    coalesce(sum(workplaces), 0) as workplaces,
    coalesce(sum(insured_persons), 0) as insured_persons,
    coalesce(sum(lost_12), 0) as lost_12,
    coalesce(sum(subsidy_won_12), 0) as subsidy_won_12
  from {{ ref('enterprise_profile') }}
),
workplace as (
  select count(*) as workplaces from {{ ref('workplace') }} where biz_no is not null
),
spell as (
  select
    count(*) filter (where insured_from <= date '{{ var('as_of') }}'
      and (insured_to is null or insured_to >= date '{{ var('as_of') }}')) as insured_persons,
    count(*) filter (where lost_on > add_months(date '{{ var('as_of') }}', -12) and lost_on <= date '{{ var('as_of') }}') as lost_12
  from {{ ref('insured_spell') }}
  where not cancelled
    and biz_no is not null
),
subsidy as (
  select coalesce(sum(amount_won), 0) as won
  from {{ ref('subsidy') }}
  where biz_no is not null
    and paid_on > add_months(date '{{ var('as_of') }}', -12)
    and paid_on <= date '{{ var('as_of') }}'
),
broken as (
  select published.workplaces, workplace.workplaces as counted_workplaces, published.insured_persons, spell.insured_persons as counted_persons
  from published
  cross join workplace
  cross join spell
  cross join subsidy
  where published.workplaces <> workplace.workplaces
    or published.insured_persons <> spell.insured_persons
    or published.lost_12 <> spell.lost_12
    or published.subsidy_won_12 <> subsidy.won
)
select * from broken
