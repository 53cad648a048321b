/*---
description:
  ko: 구직급여 수급요건을 갖추고도 신청하지 않은 사람
  en: >-
    people who lost an insured job for an entitling reason after 180 insured days, stayed without insured work beyond
    the waiting days and did not claim; with the benefit the law would have paid. For centres, under pseudonyms
grain: [person_key, separated_on]
materialized: table
owner: coverage
legal_basis: 고용보험법 제40조 · 제41조 · 제45조 · 제46조 · 제48조 · 제50조
meta:
  assumptions:
    - six of seven insured calendar days are paid days (five worked and the paid weekly holiday)
    - insured time for the entitled days is all that the registers hold; a benefit paid in between, which starts it anew, is one reason why a person may get less
    - the average daily wage is the monthly pay of the last spell times 12 / 365
    - who runs a business or works as an insured contractor on the day after the loss is not looked at
columns:
  person_key: {tags: [pseudonym]}
  status: {description: "open: without insured work and within the benefit year; rehired; lapsed: the year has passed", tests: [{accepted_values: [open, rehired, lapsed]}]}
  paid_days: {description: days of insured pay in the 18 months before the loss}
  jobless_days: {description: "days from the loss to the next insured job, the end of the benefit year or the business date"}
  payable_days: {description: "entitled days that fell due, waiting days taken off", tests: [{range: {min: 1}}]}
  unclaimed_won: {tests: [{range: {min: 0}}]}
tests:
  - {expression: "paid_days >= 180"}
---*/
with spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
),
employment as (
  select * from {{ ref('employment_spell') }}
),
claim as (
  select * from {{ ref('claim') }}
),
contractor as (
  select * from {{ ref('contractor_spell') }}
  where not cancelled
),
business as (
  select * from {{ ref('business') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
rule as (
  select
    max(rule.value) filter (where rule.rule = 'qualifying_days') as qualifying_days,
    cast(max(rule.value) filter (where rule.rule = 'reference_months') as int) as reference_months,
    cast(max(rule.value) filter (where rule.rule = 'claim_within_months') as int) as claim_within_months,
    cast(max(rule.value) filter (where rule.rule = 'waiting_days') as int) as waiting_days,
    max(rule.value) filter (where rule.rule = 'paid_days_a_week') as paid_days_a_week
  from {{ seed('entitlement_rule') }} as rule
  where date '{{ var('as_of') }}' between rule.valid_from and rule.valid_to
),
entitled as (
  select * from {{ seed('entitled_days') }}
),
separation as (
  select
    spell.person_key,
    spell.lost_on as separated_on,
    max(spell.workplace_no) as workplace_no,
    max(spell.sido) as sido,
    max(spell.birth_date) as birth_date,
    max(spell.loss_reason) as loss_reason,
    max(spell.monthly_wage_won) as monthly_wage_won,
    max(spell.weekly_hours) as weekly_hours,
    add_months(spell.lost_on, -max(rule.reference_months)) as reference_from,
    add_months(spell.lost_on, max(rule.claim_within_months)) as claim_until
  from spell
  cross join rule
  inner join reason
    on reason.loss_reason = spell.loss_reason
    and reason.entitling = 'yes'
  where spell.lost_on <= date '{{ var('as_of') }}'
  group by spell.person_key, spell.lost_on
),
-- what each separation has before and after it, in one pass over the person's spells
insured_time as (
  select
    separation.person_key,
    separation.separated_on,
    sum(days_overlap(employment.from_on, employment.to_on, separation.reference_from, add_days(separation.separated_on, -1))) as days,
    sum(days_overlap(employment.from_on, employment.to_on, date '1995-07-01', add_days(separation.separated_on, -1))) as all_days,
    min(employment.from_on) filter (where employment.from_on >= separation.separated_on) as next_from,
    -- insured elsewhere on the day of the loss: no loss of work
    count(*) filter (where employment.from_on < separation.separated_on
      and (employment.to_on is null or employment.to_on >= separation.separated_on)) as still_insured
  from separation
  inner join employment
    on employment.person_key = separation.person_key
  group by separation.person_key, separation.separated_on
),
candidate as (
  select
    separation.*,
    insured_time.all_days,
    cast(floor(insured_time.days * rule.paid_days_a_week / 7) as int) as paid_days,
    insured_time.next_from,
    days_between(separation.separated_on, least(
      coalesce(insured_time.next_from, date '{{ var('as_of') }}'), separation.claim_until, date '{{ var('as_of') }}')) as jobless_days,
    rule.waiting_days
  from separation
  cross join rule
  inner join insured_time
    on insured_time.person_key = separation.person_key
    and insured_time.separated_on = separation.separated_on
  where insured_time.still_insured = 0
    and floor(insured_time.days * rule.paid_days_a_week / 7) >= rule.qualifying_days
    and not exists (
      select 1 from claim
      where claim.person_key = separation.person_key
        and claim.applied_on >= separation.separated_on
        and claim.applied_on < separation.claim_until)
    and not exists (
      select 1 from contractor
      where contractor.person_key = separation.person_key
        and contractor.insured_from <= separation.separated_on
        and (contractor.insured_to is null or contractor.insured_to >= separation.separated_on))
    and not exists (
      select 1 from business
      where business.owner_key = separation.person_key
        and business.opened_on <= separation.separated_on
        and (business.closed_on is null or business.closed_on >= separation.separated_on))
),
valued as (
  select
    candidate.*,
    entitled.entitled_days,
    {{ benefit_daily_won('candidate.monthly_wage_won * 12 / 365', 'candidate.weekly_hours', 'minimum_wage', 'ceiling') }} as benefit_daily_won
  from candidate
  inner join {{ seed('minimum_wage') }} as minimum_wage
    on minimum_wage.year = cast(date_part('year', candidate.separated_on) as int)
  inner join {{ seed('benefit_ceiling') }} as ceiling
    on candidate.separated_on between ceiling.valid_from and ceiling.valid_to
  inner join entitled
    on candidate.all_days >= entitled.insured_days_from
    and candidate.all_days < entitled.insured_days_to
    and entitled.age_band = case when age_at(candidate.birth_date, candidate.separated_on) >= 50 then '50_or_over' else 'under_50' end
  where candidate.jobless_days > candidate.waiting_days
),
unclaimed_entitlement as (
  select
    -- ids
    valued.person_key,
    valued.workplace_no,
    valued.sido,
    -- dates
    valued.separated_on,
    valued.claim_until,
    valued.next_from as insured_again_on,
    -- state
    case when valued.next_from is not null and valued.next_from < valued.claim_until then 'rehired'
         when valued.claim_until <= date '{{ var('as_of') }}' then 'lapsed'
         else 'open' end as status,
    valued.loss_reason,
    -- days
    valued.paid_days,
    valued.jobless_days,
    valued.entitled_days,
    cast(least(valued.jobless_days - valued.waiting_days, valued.entitled_days) as int) as payable_days,
    -- amounts
    cast(valued.benefit_daily_won as bigint) as benefit_daily_won,
    cast(valued.benefit_daily_won * least(valued.jobless_days - valued.waiting_days, valued.entitled_days) as bigint) as unclaimed_won
  from valued
)
select * from unclaimed_entitlement
