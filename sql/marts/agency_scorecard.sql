/*---
description:
  ko: 민간위탁기관 성과표. 맡은 사람의 구성을 감안한 기대 취업·고용유지와 실제의 비, 95% 구간
  en: >-
    scorecard of employment agencies: placements and retention against what the same people would reach at the average
    agency (indirect standardisation), as a ratio with a 95 % interval
grain: [agency_no]
materialized: table
owner: agencies
legal_basis: 직업안정법 제4조의5 · 구직자 취업촉진 및 생활안정지원에 관한 법률 제29조
meta:
  formula:
    - "expected placements of an agency = sum over strata of its referrals x placement rate of all agencies in the stratum"
    - "ratio = observed / expected; interval by Byar's approximation (Breslow and Day 1987, p. 69)"
    - "retention alike, over confirmed placements whose six months have been observed"
  small_numbers: with fewer than 5 expected the verdict is too_few, and nothing is read from the ratio
tests:
  - {expression: "placed <= observed and retained <= retention_observed"}
columns:
  agency_no: {tags: [firm]}
  agency_name: {tags: [firm]}
  grade: {description: grade of the certification}
  observed: {description: referrals whose six months have been observed, tests: [{range: {min: 0}}]}
  reported: {description: of those the placements the agency reported, tests: [{range: {min: 0}}]}
  placed: {description: of those the placements the insurance confirms, tests: [{range: {min: 0}}]}
  expected_placed: {description: placements expected for these people, tests: [{range: {min: 0}}]}
  placement_verdict: {tests: [{accepted_values: [above, as_expected, below, too_few]}]}
  retention_verdict: {tests: [{accepted_values: [above, as_expected, below, too_few]}]}
---*/
with outcome as (
  select * from {{ ref('agency_referral_outcome') }}
),
agency as (
  select * from {{ ref('agency') }}
),
cell as (
  select
    outcome.agency_no,
    outcome.programme,
    outcome.sex,
    outcome.age_group,
    outcome.worked_before,
    count(*) as referrals,
    count(outcome.placed) as observed,
    count(*) filter (where outcome.placed is not null and outcome.reported_placed) as reported,
    count(*) filter (where outcome.placed) as placed,
    count(outcome.retained) as retention_observed,
    count(*) filter (where outcome.retained) as retained
  from outcome
  group by outcome.agency_no, outcome.programme, outcome.sex, outcome.age_group, outcome.worked_before
),
stratum as (
  select
    cell.programme,
    cell.sex,
    cell.age_group,
    cell.worked_before,
    cast(sum(cell.observed) as double) as observed,
    cast(sum(cell.placed) as double) as placed,
    cast(sum(cell.retention_observed) as double) as retention_observed,
    cast(sum(cell.retained) as double) as retained
  from cell
  group by cell.programme, cell.sex, cell.age_group, cell.worked_before
),
-- millionths of a placement as whole numbers: a sum of doubles would depend on the order of rows
expectation as (
  select
    cell.*,
    case when stratum.observed > 0.0
         then cast(floor(cast(cell.observed as double) * stratum.placed / stratum.observed * 1000000.0) as bigint)
         else 0 end as expected_placed_millionths,
    case when stratum.retention_observed > 0.0
         then cast(floor(cast(cell.retention_observed as double) * stratum.retained / stratum.retention_observed * 1000000.0) as bigint)
         else 0 end as expected_retained_millionths
  from cell
  inner join stratum
    on stratum.programme = cell.programme
    and stratum.sex = cell.sex
    and stratum.age_group = cell.age_group
    and stratum.worked_before = cell.worked_before
),
total as (
  select
    expectation.agency_no,
    sum(expectation.referrals) as referrals,
    sum(expectation.observed) as observed,
    sum(expectation.reported) as reported,
    sum(expectation.placed) as placed,
    cast(sum(expectation.expected_placed_millionths) as double) / 1000000.0 as expected_placed,
    sum(expectation.retention_observed) as retention_observed,
    sum(expectation.retained) as retained,
    cast(sum(expectation.expected_retained_millionths) as double) / 1000000.0 as expected_retained
  from expectation
  group by expectation.agency_no
),
ratio as (
  select
    total.*,
    {{ byar_low('cast(total.placed as double)', 'total.expected_placed') }} as placement_ratio_low,
    {{ byar_high('cast(total.placed as double)', 'total.expected_placed') }} as placement_ratio_high,
    {{ byar_low('cast(total.retained as double)', 'total.expected_retained') }} as retention_ratio_low,
    {{ byar_high('cast(total.retained as double)', 'total.expected_retained') }} as retention_ratio_high
  from total
),
agency_scorecard as (
  select
    -- ids
    ratio.agency_no,
    agency.agency_name,
    agency.sido,
    agency.grade,
    agency.counsellors,
    -- placement
    cast(ratio.referrals as bigint) as referrals,
    cast(ratio.observed as bigint) as observed,
    cast(ratio.reported as bigint) as reported,
    cast(ratio.placed as bigint) as placed,
    ratio.expected_placed,
    case when ratio.expected_placed > 0.0 then cast(ratio.placed as double) / ratio.expected_placed end as placement_ratio,
    ratio.placement_ratio_low,
    ratio.placement_ratio_high,
    {{ verdict('ratio.placement_ratio_low', 'ratio.placement_ratio_high', 'ratio.expected_placed') }} as placement_verdict,
    -- retention
    cast(ratio.retention_observed as bigint) as retention_observed,
    cast(ratio.retained as bigint) as retained,
    ratio.expected_retained,
    case when ratio.expected_retained > 0.0 then cast(ratio.retained as double) / ratio.expected_retained end as retention_ratio,
    ratio.retention_ratio_low,
    ratio.retention_ratio_high,
    {{ verdict('ratio.retention_ratio_low', 'ratio.retention_ratio_high', 'ratio.expected_retained') }} as retention_verdict
  from ratio
  left join agency
    on agency.agency_no = ratio.agency_no
)
select * from agency_scorecard
