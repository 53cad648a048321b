/*---
description:
  ko: 훈련 수강마다 수료, 종료 뒤 6개월 안 취업(피보험자격 취득), 취업 뒤 6·12개월 고용유지, 앞뒤 임금
  en: >-
    each enrolment in training with completion, insured employment within six months after its end, whether still
    insured six and twelve months after that job began, and wages before and after. Null while not known
grain: [person_key, course_no]
materialized: table
owner: training
legal_basis: 국민 평생 직업능력 개발법 제18조 · 제53조
columns:
  person_key: {tags: [pseudonym]}
  month: {description: month of the end of the enrolment}
  employed_trainee: {description: insured on the first day of training; the outcome of finding a job is not meant for them}
  insured_on: {description: "first acquisition after the end within six months, as far as observed"}
  insured_6m: {description: "acquired within six months after the end; null while they have not been observed, and for employed trainees"}
  retained_6m: {description: "insured by whatever employer six months after insured_on; null without a job or while that day has not been observed"}
  retained_12m: {description: the same after twelve months}
  wage_before_won: {description: monthly wage of the last insured spell that began before training}
  wage_after_won: {description: "monthly wage of the first job after training, the highest when several began on the day"}
---*/
with training as (
  select * from {{ ref('training') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
observed as (
  select {{ insured_observed_until('delivered') }} as until from delivered
),
-- spells of trainees, a small part of all spells
trainee as (
  select training.person_key from training group by training.person_key
),
trainee_spell as (
  select spell.person_key, spell.acquired_on, spell.insured_from, spell.insured_to, spell.monthly_wage_won
  from spell
  inner join trainee
    on trainee.person_key = spell.person_key
  where not spell.cancelled
),
history as (
  select
    training.person_key,
    training.course_no,
    max(spell.insured_from) filter (where spell.insured_from < training.from_on) as last_job_on,
    min(spell.acquired_on) filter (
      where spell.acquired_on > training.to_on
        and spell.acquired_on <= add_months(training.to_on, 6)
        and spell.acquired_on <= observed.until) as insured_on,
    count(*) filter (
      where spell.insured_from < training.from_on
        and (spell.insured_to is null or spell.insured_to >= training.from_on)) as jobs_at_start
  from training
  inner join trainee_spell as spell
    on spell.person_key = training.person_key
  cross join observed
  group by training.person_key, training.course_no
),
wage_before as (
  select history.person_key, history.course_no, max(spell.monthly_wage_won) as monthly_wage_won
  from history
  inner join trainee_spell as spell
    on spell.person_key = history.person_key
    and spell.insured_from = history.last_job_on
  group by history.person_key, history.course_no
),
wage_after as (
  select history.person_key, history.course_no, max(spell.monthly_wage_won) as monthly_wage_won
  from history
  inner join trainee_spell as spell
    on spell.person_key = history.person_key
    and spell.acquired_on = history.insured_on
  group by history.person_key, history.course_no
),
retention as (
  select
    history.person_key,
    history.course_no,
    count(*) filter (
      where spell.insured_from <= add_months(history.insured_on, 6)
        and (spell.insured_to is null or spell.insured_to >= add_months(history.insured_on, 6))) as jobs_after_6m,
    count(*) filter (
      where spell.insured_from <= add_months(history.insured_on, 12)
        and (spell.insured_to is null or spell.insured_to >= add_months(history.insured_on, 12))) as jobs_after_12m
  from history
  inner join trainee_spell as spell
    on spell.person_key = history.person_key
  where history.insured_on is not null
  group by history.person_key, history.course_no
),
joined as (
  select
    training.*,
    coalesce(history.jobs_at_start, 0) > 0 as employed_trainee,
    history.insured_on,
    observed.until,
    retention.jobs_after_6m,
    retention.jobs_after_12m,
    wage_before.monthly_wage_won as wage_before_won,
    wage_after.monthly_wage_won as wage_after_won
  from training
  cross join observed
  left join history
    on history.person_key = training.person_key
    and history.course_no = training.course_no
  left join retention
    on retention.person_key = training.person_key
    and retention.course_no = training.course_no
  left join wage_before
    on wage_before.person_key = training.person_key
    and wage_before.course_no = training.course_no
  left join wage_after
    on wage_after.person_key = training.person_key
    and wage_after.course_no = training.course_no
),
trainee_outcome as (
  select
    -- ids
    joined.person_key,
    joined.course_no,
    -- dates
    month_start(joined.to_on) as month,
    joined.from_on,
    joined.to_on,
    case when not joined.employed_trainee then joined.insured_on end as insured_on,
    -- outcome
    joined.completed,
    joined.employed_trainee,
    case when not joined.employed_trainee and add_months(joined.to_on, 6) <= joined.until
         then joined.insured_on is not null end as insured_6m,
    case when not joined.employed_trainee and add_months(joined.insured_on, 6) <= joined.until
         then joined.jobs_after_6m > 0 end as retained_6m,
    case when not joined.employed_trainee and add_months(joined.insured_on, 12) <= joined.until
         then joined.jobs_after_12m > 0 end as retained_12m,
    -- amounts
    joined.wage_before_won,
    case when not joined.employed_trainee then joined.wage_after_won end as wage_after_won
  from joined
)
select * from trainee_outcome
