/*---
description:
  ko: 소득이 있거나 가입한 사람의 월별 고용보험 적용 상태. 한 사람·월은 한 유형에만 속한다.
  en: >-
    one row per person and month with insured days, with income in a tax statement or with a business of one's own,
    put into exactly one class of coverage. A person with any insured day in the month is insured. Otherwise the most
    protected kind of work decides: covered by law but uninsured, daily work unreported, contractor outside,
    self-employed, exempt
grain: [person_key, month]
materialized: partitioned
partition_by: month
key: person_key
partitions_from: income_month
key_of: {business: owner_key}
reads: {income_month: [-2, 0], daily_work: [0, 0], public_payer: [0, 0]}
# of histories only the days of the month: what changes on other days leaves it as it is
during:
  employment_spell: [from_on, to_on]
  contractor_spell: [insured_from, insured_to]
  business: [opened_on, closed_on]
  insured_late_pay: [month, month]
owner: coverage
legal_basis: 고용보험법 제8조 · 제10조 · 제77조의2 · 제77조의6
meta:
  assumptions:
    - hours are not in tax statements. Pay below 60 hours at the minimum wage means fewer than 60 hours for anyone who is paid lawfully; such work is exempt until the same payer has paid for three months in a row
    - a person of 65 or over without insured days counts as hired at 65 or over, because statements do not show the hire
    - >-
      wage earners without insured days count as public service (civil servants, teachers, soldiers under pension laws of
      their own) when the payer is public administration, or pays 100 persons or more and has no insured workplace at all
    - personal services taxed as business income are contractor_outside whether or not their occupation is one the law
      lists; only pay below the threshold of a listed occupation is exempt
    - whoever had no insured day and no statement but has a business of his own is self_employed
    - wages paid late for days of an earlier month are judged by the insurance of those days, not of the month they are paid in
    - a business of one's own goes on all month, since no record dates its work
    - from 2027 the pay-based rule replaces the hours rule by the dates in coverage_rule
columns:
  person_key: {tags: [pseudonym]}
  class: {tests: [{accepted_values: [insured, covered_uninsured, daily_unreported, contractor_outside, self_employed, exempt]}]}
  reason: {description: "why a person of class exempt is exempt, null otherwise", tests: [{accepted_values: [under_60_hours, pay_below_threshold, new_hire_65, public_service]}]}
  frame: {description: "which survey status the person belongs to: wage or self", tests: [{accepted_values: [wage, self]}]}
  in_survey_week: {description: "at work in the reference week of the labour-force survey, Sunday to Saturday around the 15th; null when only daily wage statements or income from personal services tell of the work, which do not date it"}
  income_won: {description: all income of the month in tax statements, tests: [{range: {min: 0}}]}
  uninsured_won: {description: "the income of a month without any insured day; 0 for the insured", tests: [{range: {min: 0}}]}
---*/
with income as (
  select * from {{ ref('income_month') }}
),
daily_work as (
  select * from {{ ref('daily_work') }}
),
employment_spell as (
  select * from {{ ref('employment_spell') }}
),
insured_late_pay as (
  select * from {{ ref('insured_late_pay') }}
),
contractor_spell as (
  select * from {{ ref('contractor_spell') }}
),
business as (
  select * from {{ ref('business') }}
),
public_payer as (
  select * from {{ ref('public_payer') }}
  where month = date '{{ var('partition_start') }}'
),
industry as (
  select * from {{ seed('nts_industry') }}
),
minimum_wage as (
  select * from {{ seed('minimum_wage') }}
),
coverage_rule as (
  select * from {{ seed('coverage_rule') }}
),
-- the week around the 15th; Sunday is 0
survey_week as (
  select
    add_days(date '{{ var('partition_start') }}', 14 - middle.dow) as from_on,
    add_days(date '{{ var('partition_start') }}', 20 - middle.dow) as to_on,
    15 - middle.dow as from_day
  from (
    select cast(date_part('dow', add_days(date '{{ var('partition_start') }}', 14)) as int) as dow
  ) as middle
),
-- the rules in force in this month, one row
hourly as (
  select max(minimum_wage.hourly_won) as hourly_won
  from minimum_wage
  where minimum_wage.year <= cast(date_part('year', date '{{ var('partition_start') }}') as int)
),
rule as (
  select
    max(coverage_rule.value) filter (where coverage_rule.rule = 'exempt_monthly_hours_below') as exempt_hours,
    max(coverage_rule.value) filter (where coverage_rule.rule = 'covered_monthly_pay_from') as covered_pay_won,
    max(coverage_rule.value) filter (where coverage_rule.rule = 'exempt_new_hire_age') as exempt_age,
    max(coverage_rule.value) filter (where coverage_rule.rule = 'contractor_monthly_pay_from') as contractor_pay_won,
    max(coverage_rule.value) filter (where coverage_rule.rule = 'artist_contract_pay_from') as artist_pay_won
  from coverage_rule
  where date '{{ var('partition_start') }}' between coverage_rule.valid_from and coverage_rule.valid_to
),
threshold as (
  select
    rule.exempt_age,
    rule.contractor_pay_won,
    rule.artist_pay_won,
    rule.exempt_hours is not null as hours_rule,
    coalesce(rule.exempt_hours * hourly.hourly_won, rule.covered_pay_won, 0) as low_pay_won
  from rule
  cross join hourly
),
this_month as (
  select income.*, age_at(income.birth_date, date '{{ var('partition_start') }}') as age
  from income
  where income.month = date '{{ var('partition_start') }}'
),
-- payers who already paid this person in each of the two months before: under the hours rule three months are covered
low_paid as (
  select this_month.person_key, this_month.payer_biz_no
  from this_month
  cross join threshold
  where this_month.income_kind = 'wage'
    and this_month.gross_won < threshold.low_pay_won
),
lasting as (
  select income.person_key, income.payer_biz_no
  from income
  inner join low_paid
    on low_paid.person_key = income.person_key
    and low_paid.payer_biz_no = income.payer_biz_no
  where income.month < date '{{ var('partition_start') }}'
    and income.income_kind = 'wage'
  group by income.person_key, income.payer_biz_no
  having count(*) >= 2
),
-- wages for days before this month, all of them insured work
arrears as (
  select insured_late_pay.person_key, insured_late_pay.payer_biz_no
  from insured_late_pay
  where insured_late_pay.month = date '{{ var('partition_start') }}'
),
-- what each statement would be if the person had no insured day; positions are those of seeds/coverage_class.csv
income_class as (
  select
    this_month.person_key,
    this_month.birth_date,
    this_month.sex,
    this_month.income_kind,
    this_month.gross_won,
    case this_month.income_kind
      when 'wage' then this_month.paid_from <= survey_week.to_on and this_month.paid_to >= survey_week.from_on
      end as in_survey_week,
    case
      when arrears.person_key is not null then 1
      when this_month.age >= threshold.exempt_age then 6
      when this_month.income_kind = 'daily' then 3
      when this_month.income_kind = 'business' then
        case when coalesce(industry.covered_as, 'none') = 'none' then 4
             when industry.covered_as = 'artist' and this_month.gross_won >= threshold.artist_pay_won then 4
             when industry.covered_as <> 'artist' and this_month.gross_won >= threshold.contractor_pay_won then 4
             else 6 end
      when public_payer.payer_biz_no is not null then 6
      when this_month.gross_won < threshold.low_pay_won and not (threshold.hours_rule and lasting.person_key is not null) then 6
      else 2 end as position,
    case
      when this_month.age >= threshold.exempt_age then 'new_hire_65'
      when this_month.income_kind = 'business' then 'pay_below_threshold'
      when public_payer.payer_biz_no is not null then 'public_service'
      when threshold.hours_rule then 'under_60_hours'
      else 'pay_below_threshold' end as exempt_reason
  from this_month
  cross join threshold
  cross join survey_week
  left join arrears
    on arrears.person_key = this_month.person_key
    and arrears.payer_biz_no = this_month.payer_biz_no
    and this_month.income_kind = 'wage'
  left join lasting
    on lasting.person_key = this_month.person_key
    and lasting.payer_biz_no = this_month.payer_biz_no
    and this_month.income_kind = 'wage'
  left join public_payer
    on public_payer.payer_biz_no = this_month.payer_biz_no
    and this_month.income_kind = 'wage'
  left join industry
    on industry.industry_code = this_month.industry_code
),
-- one mark per fact about the person in this month; no join is needed, the group by below brings them together
mark as (
  select
    person_key, birth_date, sex, position, exempt_reason, income_kind, in_survey_week,
    false as regular, false as daily, false as contractor, gross_won
  from income_class
  union all
  select
    person_key, birth_date, sex, 1 as position, cast(null as varchar) as exempt_reason, 'none' as income_kind,
    employment_spell.from_on <= survey_week.to_on
      and (employment_spell.to_on is null or employment_spell.to_on >= survey_week.from_on) as in_survey_week,
    true as regular, false as daily, false as contractor, cast(0 as decimal(18, 0)) as gross_won
  from employment_spell
  cross join survey_week
  where employment_spell.from_on < date '{{ var('partition_end') }}'
    and (employment_spell.to_on is null or employment_spell.to_on >= date '{{ var('partition_start') }}')
  union all
  select
    person_key, birth_date, sex, 1 as position, cast(null as varchar) as exempt_reason, 'none' as income_kind,
    strpos(substr(daily_work.worked_days, survey_week.from_day, 7), '1') > 0 as in_survey_week,
    false as regular, true as daily, false as contractor, cast(0 as decimal(18, 0)) as gross_won
  from daily_work
  cross join survey_week
  where daily_work.month = date '{{ var('partition_start') }}'
  union all
  select
    person_key, birth_date, sex, 1 as position, cast(null as varchar) as exempt_reason, 'none' as income_kind,
    insured_from <= survey_week.to_on and (insured_to is null or insured_to >= survey_week.from_on) as in_survey_week,
    false as regular, false as daily, true as contractor, cast(0 as decimal(18, 0)) as gross_won
  from contractor_spell
  cross join survey_week
  where not cancelled
    and insured_from < date '{{ var('partition_end') }}'
    and (insured_to is null or insured_to >= date '{{ var('partition_start') }}')
  union all
  select
    owner_key as person_key, owner_birth_date as birth_date, owner_sex as sex, 5 as position,
    cast(null as varchar) as exempt_reason, 'none' as income_kind,
    opened_on <= survey_week.to_on and (closed_on is null or closed_on >= survey_week.from_on) as in_survey_week,
    false as regular, false as daily, false as contractor, cast(0 as decimal(18, 0)) as gross_won
  from business
  cross join survey_week
  where status <> 'suspended'
    and opened_on < date '{{ var('partition_end') }}'
    and (closed_on is null or closed_on >= date '{{ var('partition_start') }}')
),
person_month as (
  select
    mark.person_key,
    max(mark.birth_date) as birth_date,
    max(mark.sex) as sex,
    min(mark.position) as position,
    min(mark.exempt_reason) filter (where mark.position = 6) as exempt_reason,
    bool_or(mark.regular) as insured_regular,
    bool_or(mark.daily) as insured_daily,
    bool_or(mark.contractor) as insured_contractor,
    bool_or(mark.in_survey_week) as in_survey_week,
    count(*) filter (where mark.in_survey_week is null) as undated,
    bool_or(mark.income_kind in ('wage', 'daily')) as works_for_wage,
    sum(mark.gross_won) filter (where mark.income_kind = 'wage') as wage_won,
    sum(mark.gross_won) filter (where mark.income_kind = 'daily') as daily_won,
    sum(mark.gross_won) filter (where mark.income_kind = 'business') as business_won,
    sum(mark.gross_won) as income_won
  from mark
  group by mark.person_key
),
coverage_month as (
  select
    -- ids
    person_month.person_key,
    date '{{ var('partition_start') }}' as month,
    -- person
    person_month.sex,
    {{ age_band("age_at(person_month.birth_date, date '" ~ var('partition_start') ~ "')") }} as age_band,
    -- class
    case person_month.position
      when 1 then 'insured'
      when 2 then 'covered_uninsured'
      when 3 then 'daily_unreported'
      when 4 then 'contractor_outside'
      when 5 then 'self_employed'
      else 'exempt' end as class,
    case when person_month.position = 6 then person_month.exempt_reason end as reason,
    case
      when person_month.insured_regular or person_month.insured_daily then 'wage'
      when person_month.insured_contractor then 'self'
      when person_month.position in (2, 3) then 'wage'
      when person_month.position in (1, 6) and person_month.works_for_wage then 'wage'
      else 'self' end as frame,
    person_month.insured_regular,
    person_month.insured_daily,
    person_month.insured_contractor,
    case when person_month.in_survey_week or person_month.insured_daily or person_month.insured_contractor
           or person_month.undated = 0
         then coalesce(person_month.in_survey_week, false) end as in_survey_week,
    -- amounts
    cast(coalesce(person_month.wage_won, 0) as decimal(18, 0)) as wage_won,
    cast(coalesce(person_month.daily_won, 0) as decimal(18, 0)) as daily_won,
    cast(coalesce(person_month.business_won, 0) as decimal(18, 0)) as business_won,
    cast(person_month.income_won as decimal(18, 0)) as income_won,
    cast(case when person_month.position = 1 then 0 else person_month.income_won end as decimal(18, 0)) as uninsured_won
  from person_month
)
select * from coverage_month
