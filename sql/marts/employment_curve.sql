/*---
description:
  ko: 구직 중인 사람의 달별 취업 확률. 아직 알 수 없는 첫 달부터 그 달까지 취업할 확률을 함께 둔다.
  en: >-
    the chances of each seeker month by month, from the first month whose outcome is open: of finding an insured job in a
    month if none was found before, and of having found one by its end (1 − ∏(1 − hazard), the discrete-time survival
    function of Singer and Willett 1993)
grain: [seeker_no, search_month]
materialized: table
owner: learning
expects:
  models.employment_hazard:
    seeker_no: string
    searching_from: date
    purpose: string
    probability: float
    model_version: string
columns:
  person_key: {tags: [pseudonym]}
  search_month: {description: "month of the search, 1 begins on the day of registration"}
  hazard: {description: probability of a find in this month when none was before, tests: [{range: {min: 0, max: 1}}]}
  found_by_end: {description: probability of a find by the end of this month, tests: [{range: {min: 0, max: 1}}]}
---*/
with score as (
  select * from {{ table('models.employment_hazard') }}
),
feature as (
  select * from {{ ref('employment_hazard') }}
),
open_month as (
  select
    feature.seeker_no,
    feature.person_key,
    feature.registered_on,
    feature.search_month,
    feature.searching_from,
    score.probability as hazard,
    score.model_version
  from score
  inner join feature
    on feature.seeker_no = score.seeker_no
    and feature.searching_from = score.searching_from
  where score.purpose = 'current'
    and score.probability is not null
),
employment_curve as (
  select
    open_month.seeker_no,
    open_month.person_key,
    open_month.registered_on,
    open_month.search_month,
    open_month.searching_from,
    open_month.hazard,
    {{ chance_by_end('open_month.hazard', 'open_month.seeker_no', 'open_month.search_month') }} as found_by_end,
    open_month.model_version
  from open_month
)
select * from employment_curve
