/*---
description:
  ko: 민간위탁 한 건마다 신고된 취업, 고용보험으로 확인된 취업과 6개월 고용유지, 위험 조정에 쓰는 층
  en: >-
    each referral to an agency with the placement it reported, the placement the insurance confirms, whether the job
    lasted six months, and the stratum by which agencies are compared. Null while not known
grain: [agency_no, person_key, referred_on]
materialized: table
owner: agencies
legal_basis: 직업안정법 제4조의2 · 구직자 취업촉진 및 생활안정지원에 관한 법률 제29조
meta:
  # what agencies cannot choose and what predicts a job: who the person is and whether there was work lately
  strata: programme x sex x age (under 35, 35 to 54, 55 and over) x insured on some day of the year before the referral
columns:
  person_key: {tags: [pseudonym]}
  reported_placed: {description: the agency reported a job that began within six months of the referral}
  placed: {description: "insured at the reported workplace from a day between the referral and six months after it; null while those months have not been observed"}
  placed_on: {description: that day}
  retained: {description: "still insured there six months after that day; null without a placement or while that day has not been observed"}
---*/
with referral as (
  select * from {{ ref('agency_placement') }}
),
person as (
  select * from {{ ref('person') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
delivered_spell as (
  select * from {{ source('ei_insured_spell') }}
),
delivered as (
  select * from {{ source('agency_placement') }}
),
observed as (
  select {{ insured_observed_until('delivered_spell') }} as until from delivered_spell
),
reported as (
  select {{ delivered_until('delivered') }} as until from delivered
),
history as (
  select
    referral.agency_no,
    referral.person_key,
    referral.referred_on,
    count(*) filter (
      where spell.insured_from < referral.referred_on
        and (spell.insured_to is null or spell.insured_to >= add_months(referral.referred_on, -12))) as jobs_before,
    min(spell.acquired_on) filter (
      where spell.workplace_no = referral.workplace_no
        and spell.acquired_on > referral.referred_on
        and spell.acquired_on <= add_months(referral.referred_on, 6)) as placed_on
  from referral
  inner join spell
    on spell.person_key = referral.person_key
  where not spell.cancelled
  group by referral.agency_no, referral.person_key, referral.referred_on
),
lasting as (
  select history.agency_no, history.person_key, history.referred_on, count(*) as jobs_kept
  from history
  inner join referral
    on referral.agency_no = history.agency_no
    and referral.person_key = history.person_key
    and referral.referred_on = history.referred_on
  inner join spell
    on spell.person_key = history.person_key
    and spell.workplace_no = referral.workplace_no
    and spell.acquired_on = history.placed_on
  where not spell.cancelled
    and (spell.insured_to is null or spell.insured_to >= add_months(history.placed_on, 6))
  group by history.agency_no, history.person_key, history.referred_on
),
agency_referral_outcome as (
  select
    -- ids
    referral.agency_no,
    referral.person_key,
    referral.programme,
    -- dates
    referral.referred_on,
    month_start(referral.referred_on) as month,
    history.placed_on,
    -- stratum
    coalesce(person.sex, 'unknown') as sex,
    case
      when age_at(person.birth_date, referral.referred_on) < 35 then 'under_35'
      when age_at(person.birth_date, referral.referred_on) < 55 then '35_to_54'
      else '55_and_over' end as age_group,
    coalesce(history.jobs_before, 0) > 0 as worked_before,
    -- outcome
    coalesce(referral.placed_on <= add_months(referral.referred_on, 6), false) as reported_placed,
    case when add_months(referral.referred_on, 6) <= least(observed.until, reported.until)
         then history.placed_on is not null end as placed,
    case when add_months(referral.referred_on, 6) <= least(observed.until, reported.until)
          and add_months(history.placed_on, 6) <= observed.until
         then lasting.agency_no is not null end as retained,
    -- amounts
    referral.fee_won
  from referral
  cross join observed
  cross join reported
  left join person
    on person.person_key = referral.person_key
  left join history
    on history.agency_no = referral.agency_no
    and history.person_key = referral.person_key
    and history.referred_on = referral.referred_on
  left join lasting
    on lasting.agency_no = referral.agency_no
    and lasting.person_key = referral.person_key
    and lasting.referred_on = referral.referred_on
)
select * from agency_referral_outcome
