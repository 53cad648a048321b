/*---
description:
  ko: 고용보험 적용 상태별 인원. 행정자료의 인원과 조사 모집단에 맞춘 추정치, 95% 구간.
  en: >-
    persons by class of coverage and month: counted in the registers, and estimated for the whole population with a
    95 % interval
grain: [month, class]
materialized: partitioned
partition_by: month
partitions_from: coverage_month
reads: {coverage_month: [0, 0], kostat_lfs: [0, 0]}
owner: coverage
meta:
  # h = sex x age band x frame (wage | self); the register is complete for the insured, incomplete for the others
  formula:
    - "N_h = sum of survey weights of the employed of frame h"
    - "I_h = insured persons of h in the register; A_hc = persons of h in uninsured class c; A_h = sum over c of A_hc"
    - "estimate of class c = sum over h of (N_h - I_h) * A_hc / A_h; a cell without respondents keeps A_hc"
    - "W = survey weight of sex x age band, n = W^2 / sum of squared weights, p = N_h / W; variance of N_h = W^2 * p * (1 - p) / n * design effect"
    - "interval = estimate +- 1.96 * square root of sum over h of (A_hc / A_h)^2 * variance of N_h, not below 0"
  assumptions:
    - weights add up to the known population of sex x age band, so only the share p is estimated
    - design effect 1.3 for households answering together
    - within a cell, people without any tax statement are spread over the classes as those with a statement
    - the survey counts one week and the registers anyone in the month, so short jobs weigh less in the estimate
    - the split of a cell over classes and the count of insured come from complete registers and add no sampling error
columns:
  class: {tests: [{accepted_values: [insured, covered_uninsured, daily_unreported, contractor_outside, self_employed, exempt]}]}
  persons: {description: persons in the registers, tests: [{range: {min: 0}}]}
  estimate_persons: {description: persons in the whole population; null in a month without a survey}
  uninsured_won: {description: "income in tax statements in months without an insured day, won", tests: [{range: {min: 0}}]}
---*/
with coverage as (
  select * from {{ ref('coverage_month') }}
),
survey as (
  select * from {{ source('kostat_lfs') }}
),
class as (
  select * from {{ seed('coverage_class') }}
),
register as (
  select
    coverage.sex,
    coverage.age_band,
    coverage.frame,
    coverage.class,
    count(*) as persons,
    sum(coverage.uninsured_won) as uninsured_won
  from coverage
  where coverage.month = date '{{ var('partition_start') }}'
  group by coverage.sex, coverage.age_band, coverage.frame, coverage.class
),
register_cell as (
  select
    register.sex,
    register.age_band,
    register.frame,
    coalesce(sum(register.persons) filter (where register.class = 'insured'), 0) as insured,
    coalesce(sum(register.persons) filter (where register.class <> 'insured'), 0) as uninsured
  from register
  group by register.sex, register.age_band, register.frame
),
respondent as (
  select
    survey.sex,
    {{ age_band('survey.age') }} as age_band,
    case survey.status when 'employed_wage' then 'wage' when 'employed_self' then 'self' end as frame,
    survey.weight
  from survey
  where survey.survey_month = date '{{ var('partition_start') }}'
),
survey_stratum as (
  select
    respondent.sex,
    respondent.age_band,
    sum(respondent.weight) as weight,
    sum(cast(respondent.weight as decimal(12, 2)) * cast(respondent.weight as decimal(12, 2))) as squared_weight
  from respondent
  group by respondent.sex, respondent.age_band
),
survey_cell as (
  select respondent.sex, respondent.age_band, respondent.frame, sum(respondent.weight) as weight
  from respondent
  where respondent.frame is not null
  group by respondent.sex, respondent.age_band, respondent.frame
),
-- doubles stay inside one cell; what is summed over cells is decimal, so the order of rows cannot matter
survey_share as (
  select
    survey_cell.sex,
    survey_cell.age_band,
    survey_cell.frame,
    survey_cell.weight as employed,
    1.3 * cast(survey_stratum.squared_weight as double)
      * (cast(survey_cell.weight as double) / cast(survey_stratum.weight as double))
      * (1.0 - cast(survey_cell.weight as double) / cast(survey_stratum.weight as double)) as variance
  from survey_cell
  inner join survey_stratum
    on survey_stratum.sex = survey_cell.sex
    and survey_stratum.age_band = survey_cell.age_band
),
surveyed as (
  select count(*) > 0 as has_survey from survey_cell
),
part as (
  select
    register.class,
    register.persons,
    register.uninsured_won,
    cast(case
      when register.class = 'insured' or survey_share.employed is null then cast(register.persons as double)
      else (cast(survey_share.employed as double) - cast(register_cell.insured as double))
        * cast(register.persons as double) / cast(register_cell.uninsured as double)
      end as decimal(24, 4)) as estimate,
    cast(case
      when register.class = 'insured' or survey_share.employed is null then 0.0
      else survey_share.variance
        * (cast(register.persons as double) / cast(register_cell.uninsured as double))
        * (cast(register.persons as double) / cast(register_cell.uninsured as double))
      end as decimal(28, 4)) as variance
  from register
  inner join register_cell
    on register_cell.sex = register.sex
    and register_cell.age_band = register.age_band
    and register_cell.frame = register.frame
  left join survey_share
    on survey_share.sex = register.sex
    and survey_share.age_band = register.age_band
    and survey_share.frame = register.frame
),
total as (
  select
    part.class,
    sum(part.persons) as persons,
    sum(part.uninsured_won) as uninsured_won,
    cast(sum(part.estimate) as double) as estimate,
    1.96 * sqrt(cast(sum(part.variance) as double)) as half_width
  from part
  group by part.class
),
blind_spot_monthly as (
  select
    -- ids
    date '{{ var('partition_start') }}' as month,
    class.class,
    -- persons
    cast(coalesce(total.persons, 0) as bigint) as persons,
    case when surveyed.has_survey then cast(round(greatest(coalesce(total.estimate, 0.0), 0.0)) as bigint) end as estimate_persons,
    case when surveyed.has_survey
         then cast(round(greatest(coalesce(total.estimate - total.half_width, 0.0), 0.0)) as bigint) end as estimate_low,
    case when surveyed.has_survey
         then cast(round(greatest(coalesce(total.estimate + total.half_width, 0.0), 0.0)) as bigint) end as estimate_high,
    -- amounts
    cast(coalesce(total.uninsured_won, 0) as decimal(28, 0)) as uninsured_won
  from class
  cross join surveyed
  left join total
    on total.class = class.class
)
select * from blind_spot_monthly
