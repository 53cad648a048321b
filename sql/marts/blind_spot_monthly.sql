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
  # f = frame, wage | self; h = sex x age band; c = class
  formula:
    - "N_f = sum of survey weights of those of frame f who worked in the reference week and say they are not insured"
    - "U_f = persons of f in the register who are not insured and worked in that week; V_f = those of them who are not exempt"
    - "factor k_f = 1 + (N_f - U_f) / V_f: whom the survey finds beyond the register belongs to no exempt class, since exempt work is paid by those who file"
    - "estimate of class c = sum over f of k_f * persons of c and f in the register in the whole month, not below those persons: whom the records name exists"
    - "W_h = survey weight of h, n_h = W_h^2 / sum of squared weights, p = share of h that N_f counts; variance of N_f = sum over h of W_h^2 * p * (1 - p) / n_h * design effect"
    - "half width w = 1.96 * square root of sum over f of (persons of c and f / V_f)^2 * variance of N_f"
    - "lower end = the smaller of estimate before its floor and register, minus w, not below 0; upper end = estimate + w + what the other classes of the frame were given beyond the register, since all of it might belong to c"
  assumptions:
    - weights add up to the known population of sex x age band, so only the share p is estimated
    - design effect 1.3 for households answering together
    - in each frame, people without any tax statement are spread over the classes that are not exempt as those with one
    - daily workers whose days are not dated work in the reference week as often as those the insurance hears of
    - people know whether they are insured, and who does not answer is
    - the insured and the exempt are counted in the registers, not estimated; the rule that puts a person into a class can err
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
    coverage.frame,
    coverage.class,
    count(*) as persons,
    count(*) filter (where coverage.in_survey_week) as in_week,
    count(*) filter (where coverage.in_survey_week is null) as undated,
    sum(coverage.uninsured_won) as uninsured_won
  from coverage
  where coverage.month = date '{{ var('partition_start') }}'
  group by coverage.frame, coverage.class
),
-- how often those who work by the day alone, with dated days, work in the reference week
reported_daily as (
  select coalesce(cast(count(*) filter (where coverage.in_survey_week) as double) / nullif(count(*), 0), 1.0) as share
  from coverage
  where coverage.month = date '{{ var('partition_start') }}'
    and coverage.insured_daily
    and not coverage.insured_regular
    and not coverage.insured_contractor
    and coverage.in_survey_week is not null
),
register_frame as (
  select
    register.frame,
    sum(register.in_week) as dated,
    sum(register.undated) as undated,
    coalesce(sum(register.in_week) filter (where register.class <> 'exempt'), 0) as open_dated,
    coalesce(sum(register.undated) filter (where register.class <> 'exempt'), 0) as open_undated,
    coalesce(sum(register.persons) filter (where register.class <> 'exempt'), 0) as open_persons
  from register
  where register.class <> 'insured'
  group by register.frame
),
respondent as (
  select
    survey.sex,
    {{ age_band('survey.age') }} as age_band,
    case survey.status when 'employed_wage' then 'wage' when 'employed_self' then 'self' end as frame,
    survey.insured,
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
    and respondent.insured is false
  group by respondent.sex, respondent.age_band, respondent.frame
),
-- doubles stay inside one cell; what is summed over cells is decimal, so the order of rows cannot matter
survey_share as (
  select
    survey_cell.frame,
    survey_cell.weight as uninsured,
    cast(1.3 * cast(survey_stratum.squared_weight as double)
      * (cast(survey_cell.weight as double) / cast(survey_stratum.weight as double))
      * (1.0 - cast(survey_cell.weight as double) / cast(survey_stratum.weight as double)) as decimal(28, 4)) as variance
  from survey_cell
  inner join survey_stratum
    on survey_stratum.sex = survey_cell.sex
    and survey_stratum.age_band = survey_cell.age_band
),
survey_frame as (
  select
    survey_share.frame,
    cast(sum(survey_share.uninsured) as double) as uninsured,
    cast(sum(survey_share.variance) as double) as variance
  from survey_share
  group by survey_share.frame
),
surveyed as (
  select count(*) > 0 as has_survey from respondent
),
factor as (
  select
    seen.frame,
    seen.open_persons,
    1.0 + (survey_frame.uninsured - seen.uninsured) / seen.open_uninsured as factor,
    survey_frame.variance / (seen.open_uninsured * seen.open_uninsured) as variance
  from (
    select
      register_frame.frame,
      register_frame.open_persons,
      cast(register_frame.dated as double)
        + cast(register_frame.undated as double) * reported_daily.share as uninsured,
      nullif(cast(register_frame.open_dated as double)
        + cast(register_frame.open_undated as double) * reported_daily.share, 0.0) as open_uninsured
    from register_frame
    cross join reported_daily
  ) as seen
  inner join survey_frame
    on survey_frame.frame = seen.frame
  where seen.open_uninsured is not null
),
part as (
  select
    register.class,
    register.persons,
    register.uninsured_won,
    cast(cast(register.persons as double) * coalesce(factor.factor, 1.0) as decimal(24, 4)) as estimate,
    cast(cast(register.persons as double) * cast(register.persons as double)
      * coalesce(factor.variance, 0.0) as decimal(28, 4)) as variance,
    cast(cast(factor.open_persons - register.persons as double)
      * greatest(factor.factor - 1.0, 0.0) as decimal(24, 4)) as beyond
  from register
  left join factor
    on factor.frame = register.frame
    and register.class not in ('insured', 'exempt')
),
total as (
  select
    part.class,
    sum(part.persons) as persons,
    sum(part.uninsured_won) as uninsured_won,
    cast(sum(part.estimate) as double) as estimate,
    1.96 * sqrt(cast(sum(part.variance) as double)) as half_width,
    cast(coalesce(sum(part.beyond), 0) as double) as beyond
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
    case when surveyed.has_survey
         then coalesce(greatest(cast(round(total.estimate) as bigint), total.persons), 0) end as estimate_persons,
    case when surveyed.has_survey
         then coalesce(cast(round(greatest(least(total.estimate, cast(total.persons as double)) - total.half_width, 0.0)) as bigint), 0) end as estimate_low,
    case when surveyed.has_survey
         then coalesce(cast(round(greatest(total.estimate, cast(total.persons as double)) + total.half_width + total.beyond) as bigint), 0) end as estimate_high,
    -- amounts
    cast(coalesce(total.uninsured_won, 0) as decimal(28, 0)) as uninsured_won
  from class
  cross join surveyed
  left join total
    on total.class = class.class
)
select * from blind_spot_monthly
