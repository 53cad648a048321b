/*---
description:
  ko: 구직신청 뒤 여섯 달의 각 달. 신청일에 알 수 있었던 것과 몇째 달인지가 한 줄에 있다.
  en: >-
    the six months after a registration, one row each: what could be known on the day of registration, and which month
    of the search it is. The months of the discrete-time hazard
grain: [seeker_no, searching_from]
materialized: table
owner: learning
legal_basis: 직업안정법 제9조 · 고용보험법 제15조 · 제42조 · 제43조 · 국민 평생 직업능력 개발법 제6조
sort_by: [seeker_no]
columns:
  seeker_no: {tests: [not_null]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  searching_from: {description: "the day the month of search begins: registration and then every 30 days"}
  search_month: {title: {ko: 구직 몇째 달, en: month of the search}, tests: [{range: {min: 1, max: 6}}]}
---*/
with employment_success as (
  select * from {{ ref('employment_success') }}
),
months as (
  select * from (values (1), (2), (3), (4), (5), (6)) as months (search_month)
),
employment_hazard as (
  select
    employment_success.seeker_no,
    employment_success.person_key,
    employment_success.registered_on,
    add_days(employment_success.registered_on, 30 * (months.search_month - 1)) as searching_from,
    cast(months.search_month as int) as search_month,
    employment_success.sex,
    employment_success.age_band,
    -- what is seen
    employment_success.wished_occupation,
    employment_success.wished_sido,
    employment_success.desired_contract,
    employment_success.education,
    employment_success.licences_to_four,
    employment_success.career_log,
    employment_success.age,
    employment_success.years_over_36,
    employment_success.years_under_25,
    employment_success.near_65,
    employment_success.wish_to_market_log,
    employment_success.registration_gap,
    employment_success.search_score,
    employment_success.openings_per_seeker,
    employment_success.openings_per_seeker_occupation,
    employment_success.idle_days,
    employment_success.idle_log,
    employment_success.idle_a_year,
    employment_success.insured_at_registration,
    employment_success.same_occupation,
    employment_success.wish_to_last_log,
    employment_success.last_to_market_log,
    employment_success.last_loss_reason,
    employment_success.last_contract_kind,
    employment_success.insured_months_12,
    employment_success.daily_work_days_12,
    employment_success.claim_state,
    employment_success.entitled_days_left,
    -- of the days of this month, those with benefit left
    greatest(0, least(30, employment_success.benefit_days_ahead - 30 * (cast(months.search_month as int) - 1)))
      as benefit_days_this_month,
    employment_success.in_training,
    -- the last day on which anything used became known
    employment_success.search_known_on,
    employment_success.work_known_on,
    employment_success.benefit_known_on,
    employment_success.training_known_on
  from employment_success
  cross join months
)
select * from employment_hazard
