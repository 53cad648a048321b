/*---
description:
  ko: 구인신청마다 열람·지원·알선·면접·채용과, 기간 안에 채워졌는지, 며칠 걸렸는지
  en: >-
    each vacancy with its views, applications, referrals, interviews and hires, whether it was filled within its
    period, and after how many days. What is not known yet is null, not a failure
grain: [vacancy_no]
materialized: table
owner: labour_market
legal_basis: 직업안정법 제8조 · 제10조
tests:
  - {expression: "(state = 'filled') = (days_to_fill is not null)"}
  - {expression: "observed_days >= 0"}
columns:
  month: {description: month of opening}
  workplace_no: {tags: [firm]}
  biz_no: {tags: [firm]}
  delivered_from_start: {description: "opened in a delivered month; of older vacancies only those still open came"}
  state: {description: "filled, expired (its last day passed unfilled), or open", tests: [{accepted_values: [filled, expired, open]}]}
  applicants: {description: different seekers who applied or were referred, tests: [{range: {min: 0}}]}
  hires_of_applicants: {description: "hires of seekers who had applied or been referred to this vacancy", tests: [{range: {min: 0}}]}
  filled_within_period: {description: "filled by its last day; null while that day has not been reached"}
  filled_in_30_days: {description: "filled within 30 days of opening; null while it cannot be known"}
  days_to_fill: {description: days from opening to filling; null unless filled}
  observed_days: {description: "days from opening until it was filled, ended or last observed: with state the input of a survival curve"}
---*/
with vacancy as (
  select * from {{ ref('vacancy') }}
),
match_event as (
  select * from {{ ref('match_event') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
delivered as (
  select * from {{ source('wn_vacancy') }}
),
observed as (
  select {{ delivered_until('delivered') }} as until, min(delivered._period) as first_month from delivered
),
-- one row per pair first, so that counting seekers needs no distinct
pair as (
  select
    match_event.vacancy_no,
    match_event.seeker_no,
    count(*) filter (where match_event.kind = 'view') as views,
    count(*) filter (where match_event.kind = 'apply') as applications,
    count(*) filter (where match_event.kind = 'refer') as referrals,
    count(*) filter (where match_event.kind = 'interview') as interviews,
    count(*) filter (where match_event.kind = 'hire') as hires
  from match_event
  cross join observed
  where match_event.occurred_on <= observed.until
  group by match_event.vacancy_no, match_event.seeker_no
),
activity as (
  select
    pair.vacancy_no,
    cast(sum(pair.views) as bigint) as views,
    cast(sum(pair.applications) as bigint) as applications,
    cast(sum(pair.referrals) as bigint) as referrals,
    cast(sum(pair.interviews) as bigint) as interviews,
    cast(sum(pair.hires) as bigint) as hires,
    count(*) filter (where pair.views > 0) as viewers,
    count(*) filter (where pair.applications + pair.referrals > 0) as applicants,
    cast(coalesce(sum(pair.hires) filter (where pair.applications + pair.referrals > 0), 0) as bigint) as hires_of_applicants
  from pair
  group by pair.vacancy_no
),
known as (
  select
    vacancy.*,
    observed.until,
    observed.first_month,
    case when vacancy.filled_on <= observed.until then vacancy.filled_on end as known_filled_on
  from vacancy
  cross join observed
),
vacancy_outcome as (
  select
    -- ids
    known.vacancy_no,
    known.workplace_no,
    known.biz_no,
    -- dates
    known.month,
    known.opened_on,
    known.closes_on,
    known.known_filled_on as filled_on,
    known.opened_on >= known.first_month as delivered_from_start,
    -- terms
    known.sido,
    known.major,
    known.occupation,
    workplace.section,
    known.contract_kind,
    known.career,
    known.openings,
    known.monthly_wage_won,
    known.below_minimum_wage,
    -- activity
    coalesce(activity.views, 0) as views,
    coalesce(activity.viewers, 0) as viewers,
    coalesce(activity.applications, 0) as applications,
    coalesce(activity.applicants, 0) as applicants,
    coalesce(activity.referrals, 0) as referrals,
    coalesce(activity.interviews, 0) as interviews,
    coalesce(activity.hires, 0) as hires,
    coalesce(activity.hires_of_applicants, 0) as hires_of_applicants,
    -- outcome
    case
      when known.known_filled_on is not null then 'filled'
      when known.closes_on <= known.until then 'expired'
      else 'open' end as state,
    case when known.closes_on <= known.until
         then coalesce(known.known_filled_on <= known.closes_on, false) end as filled_within_period,
    case when add_days(known.opened_on, 30) <= known.until
         then coalesce(known.known_filled_on <= add_days(known.opened_on, 30), false) end as filled_in_30_days,
    days_between(known.opened_on, known.known_filled_on) as days_to_fill,
    greatest(0, days_between(
      known.opened_on, least(coalesce(known.known_filled_on, known.closes_on), known.until))) as observed_days
  from known
  left join activity
    on activity.vacancy_no = known.vacancy_no
  left join workplace
    on workplace.workplace_no = known.workplace_no
)
select * from vacancy_outcome
