/*---
description:
  ko: 취업이력을 나누기 전의 기간. 원천마다 그대로이며 서로 겹친다.
  en: >-
    the spells an employment biography is split from, one row for each stretch of days that a source reports; spells of
    one person overlap. Days are exact where the source dates them; 3.3 % income names a month and covers all of it;
    daily wage statements count days without dating them and are left out, reported daily work stands for them
grain: [person_key, state, from_on, spell_id]
materialized: table
owner: core
sort_by: [person_key, from_on, state, spell_id]
legal_basis: 고용보험법 제13조 · 제15조 · 제44조 · 제77조의2, 소득세법 제164조의3
columns:
  person_key: {tags: [pseudonym]}
  state: {description: "insured, contractor, daily, taxed_wage (a wage statement for days on which that payer did not insure the person), taxed_business (3.3 %), benefit (certified days that were paid), training, job_search", tests: [{accepted_values: [insured, contractor, daily, taxed_wage, taxed_business, benefit, training, job_search]}]}
  spell_id: {description: "number of the workplace, payer, claim, course or registration"}
  precedence: {description: "of insured spells: the lowest in text order has the day, by higher monthly wage, longer hours, earlier acquisition, lower number, as in employment_spell; the number is its end. Of all others the number"}
  to_on: {description: "last day, 9999-12-31 while the end is open"}
---*/
with insured_spell as (
  select * from {{ ref('insured_spell') }}
),
contractor_spell as (
  select * from {{ ref('contractor_spell') }}
),
daily_work as (
  select * from {{ ref('daily_work') }}
),
income as (
  select * from {{ ref('income_month') }}
),
certification as (
  select * from {{ ref('certification') }}
),
training as (
  select * from {{ ref('training') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
insured as (
  select
    insured_spell.person_key,
    insured_spell.workplace_no,
    insured_spell.biz_no,
    insured_spell.insured_from as from_on,
    coalesce(insured_spell.insured_to, date '9999-12-31') as to_on,
    insured_spell.known_on,
    concat(
      lpad(cast(10000000000 - cast(insured_spell.monthly_wage_won as bigint) as varchar), 11, '0'),
      lpad(cast(100 - insured_spell.weekly_hours as varchar), 3, '0'),
      lpad(cast(days_between(date '1900-01-01', insured_spell.acquired_on) as varchar), 8, '0'),
      insured_spell.workplace_no
    ) as precedence
  from insured_spell
  where not insured_spell.cancelled
),
position as (
  values
    (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16),
    (17), (18), (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31)
),
-- days in a row begin with a mark behind none and last until the next day without one
daily_run as (
  select
    daily_work.person_key,
    daily_work.workplace_no,
    daily_work.month,
    day_of_month.first_day,
    strpos(substr(concat(daily_work.worked_days, '0'), day_of_month.first_day), '0') - 1 as days,
    daily_work.known_on
  from daily_work
  cross join position as day_of_month (first_day)
  where substr(daily_work.worked_days, day_of_month.first_day, 1) = '1'
    and (day_of_month.first_day = 1 or substr(daily_work.worked_days, day_of_month.first_day - 1, 1) = '0')
),
insured_at_payer as (
  select distinct income.person_key, income.payer_biz_no, income.month
  from income
  inner join insured
    on insured.person_key = income.person_key
    and insured.biz_no = income.payer_biz_no
    and insured.from_on <= income.paid_to
    and insured.to_on >= income.paid_from
  where income.income_kind = 'wage'
),
taxed as (
  select
    income.person_key,
    case income.income_kind when 'wage' then 'taxed_wage' else 'taxed_business' end as state,
    income.payer_biz_no,
    coalesce(income.paid_from, income.month) as from_on,
    coalesce(income.paid_to, month_end(income.month)) as to_on,
    income.known_on
  from income
  left join insured_at_payer
    on insured_at_payer.person_key = income.person_key
    and insured_at_payer.payer_biz_no = income.payer_biz_no
    and insured_at_payer.month = income.month
  where income.income_kind in ('wage', 'business')
    and (income.income_kind = 'business' or insured_at_payer.person_key is null)
),
listed as (
  select person_key, 'insured' as state, from_on, to_on, workplace_no as spell_id, precedence, known_on
  from insured
  union all
  select
    person_key, 'contractor' as state, insured_from as from_on, coalesce(insured_to, date '9999-12-31') as to_on,
    workplace_no as spell_id, workplace_no as precedence, known_on
  from contractor_spell
  where not cancelled
  union all
  select
    person_key, 'daily' as state, add_days(month, cast(first_day as int) - 1) as from_on,
    add_days(month, cast(first_day + days as int) - 2) as to_on, workplace_no as spell_id, workplace_no as precedence, known_on
  from daily_run
  union all
  select person_key, state, from_on, to_on, payer_biz_no as spell_id, payer_biz_no as precedence, known_on
  from taxed
  union all
  select
    person_key, 'benefit' as state, period_from as from_on, period_to as to_on, claim_no as spell_id,
    claim_no as precedence, known_on
  from certification
  where days_paid > 0
  union all
  select person_key, 'training' as state, from_on, to_on, course_no as spell_id, course_no as precedence, known_on
  from training
  union all
  select
    person_key, 'job_search' as state, registered_on as from_on, coalesce(closed_on, date '9999-12-31') as to_on,
    seeker_no as spell_id, seeker_no as precedence, known_on
  from seeker
),
biography_spell as (
  select
    -- ids
    listed.person_key,
    listed.state,
    listed.spell_id,
    listed.precedence,
    -- dates
    listed.from_on,
    listed.to_on,
    listed.known_on
  from listed
  where listed.person_key is not null
    and listed.to_on >= listed.from_on
)
select * from biography_spell
