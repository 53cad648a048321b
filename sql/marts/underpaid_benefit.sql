/*---
description:
  ko: 법에서 정한 산식보다 적게 받은 구직급여
  en: >-
    claims whose daily amount, entitled days or paid rounds stay below what the law's formula gives on the claim's own
    figures; with the shortfall. For centres, under pseudonyms
grain: [claim_no]
materialized: table
owner: coverage
legal_basis: 고용보험법 제45조 · 제46조 · 제50조 · 별표 1
meta:
  assumptions:
    - hours are those of the insured spell that ended with the separation; without one, full time
    - differences of up to 10 won a day are rounding
    - rounds with declared work or income may rightly be cut and are not looked at
columns:
  person_key: {tags: [pseudonym]}
  expected_daily_won: {description: the daily benefit by the formula}
  expected_days: {description: "entitled days by the table; the disabled are entitled from any age to what others are at 50"}
  days_paid: {description: days paid up to the business date}
  daily_shortfall_won: {description: "daily shortfall times days paid", tests: [{range: {min: 0}}]}
  round_shortfall_won: {description: "rounds without declared work paid below days times daily benefit", tests: [{range: {min: 0}}]}
  shortfall_won: {tests: [{range: {min: 0}}]}
---*/
with claim as (
  select * from {{ ref('claim') }}
),
certification as (
  select * from {{ ref('certification') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
),
entitled as (
  select * from {{ seed('entitled_days') }}
),
hours as (
  select claim.claim_no, max(spell.weekly_hours) as weekly_hours
  from claim
  inner join spell
    on spell.person_key = claim.person_key
    and spell.workplace_no = claim.workplace_no
    and days_between(spell.lost_on, claim.separated_on) between -1 and 1
  group by claim.claim_no
),
paid as (
  select
    certification.claim_no,
    sum(certification.days_paid) as days_paid,
    sum(greatest(certification.days_paid * certification.benefit_daily_won - certification.amount_won, 0))
      filter (where not certification.declared_work and coalesce(certification.declared_income_won, 0) = 0) as round_shortfall_won
  from certification
  group by certification.claim_no
),
formula as (
  select
    claim.*,
    {{ benefit_daily_won('claim.base_daily_won', 'hours.weekly_hours', 'minimum_wage', 'ceiling') }} as expected_daily_won,
    entitled.entitled_days as expected_days,
    coalesce(paid.days_paid, 0) as days_paid,
    coalesce(paid.round_shortfall_won, 0) as round_shortfall_won
  from claim
  inner join {{ seed('minimum_wage') }} as minimum_wage
    on minimum_wage.year = cast(date_part('year', claim.separated_on) as int)
  inner join {{ seed('benefit_ceiling') }} as ceiling
    on claim.separated_on between ceiling.valid_from and ceiling.valid_to
  inner join entitled
    on claim.insured_days >= entitled.insured_days_from
    and claim.insured_days < entitled.insured_days_to
    and entitled.age_band = case when claim.age_at_separation >= 50 then '50_or_over' else 'under_50' end
  left join hours
    on hours.claim_no = claim.claim_no
  left join paid
    on paid.claim_no = claim.claim_no
),
shortfall as (
  select
    formula.*,
    case when formula.expected_daily_won - formula.benefit_daily_won > 10
         then (formula.expected_daily_won - formula.benefit_daily_won) * formula.days_paid else 0.0 end as daily_shortfall_won
  from formula
),
underpaid_benefit as (
  select
    -- ids
    shortfall.claim_no,
    shortfall.person_key,
    shortfall.centre,
    -- dates
    shortfall.applied_on,
    shortfall.separated_on,
    -- terms
    shortfall.benefit_daily_won,
    cast(shortfall.expected_daily_won as bigint) as expected_daily_won,
    shortfall.entitled_days,
    shortfall.expected_days,
    cast(shortfall.days_paid as bigint) as days_paid,
    -- amounts
    cast(shortfall.daily_shortfall_won as bigint) as daily_shortfall_won,
    cast(shortfall.round_shortfall_won as bigint) as round_shortfall_won,
    cast(shortfall.daily_shortfall_won as bigint) + cast(shortfall.round_shortfall_won as bigint) as shortfall_won
  from shortfall
  where shortfall.expected_daily_won - shortfall.benefit_daily_won > 10
    or shortfall.expected_days > shortfall.entitled_days
    or shortfall.round_shortfall_won > 10 * shortfall.days_paid
)
select * from underpaid_benefit
