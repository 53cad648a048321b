/*---
description:
  ko: 조사에서 미가입이라고 답한 취업자의 가중합. 반복표본별로 종사상지위와 특성에 따라 센다.
  en: >-
    weighted workers who say they are not insured, by kind of work and one further mark, for the whole sample
    (replicate 0) and for each sample without one group of households. Weights are raked to survey_target
grain: [month, replicate, margin, work_kind, member]
materialized: partitioned
partition_by: month
partitions_from: labour_force_survey
reads: {labour_force_survey: [0, 0], survey_target: [0, 0]}
owner: coverage
legal_basis: 통계법 제18조
meta:
  formula:
    - "delete-a-group jackknife (Kott 2001): the households, in order of stratum and number, are dealt to G groups in turn; replicate g leaves group g out and multiplies the weights of stratum s by n_s / (n_s - n_sg)"
    - "every replicate is raked as the whole sample is"
  assumptions:
    - a household answers as a whole; households of a stratum are sampled with equal probability
    - public service is what the survey calls uninsured employees of public administration; like uninsured workers from the age of exemption on it is counted in the registers and left out here
columns:
  replicate: {description: "0 for the whole sample, else the group of households left out"}
  margin: {tests: [{accepted_values: [all, sex_age, section, sido, size]}]}
  member: {description: "all is one member with everyone in the sample, at work or not"}
  respondents: {description: persons of the sample who are counted here}
---*/
with survey as (
  select * from {{ ref('labour_force_survey') }}
  where month = date '{{ var('partition_start') }}'
),
target as (
  select * from {{ ref('survey_target') }}
  where month = date '{{ var('partition_start') }}'
),
setting as (
  select {{ blind_spot_setting('replicates') }} as replicates
),
-- from this age on whoever is not insured is exempt
rule as (
  select coalesce(max(coverage_rule.value), 200) as exempt_age
  from {{ seed('coverage_rule') }} as coverage_rule
  where coverage_rule.rule = 'exempt_new_hire_age'
    and date '{{ var('partition_start') }}' between coverage_rule.valid_from and coverage_rule.valid_to
),
household as (
  select dealt.stratum, dealt.household_no, dealt.position % setting.replicates + 1 as household_group
  from (
    select
      survey.stratum,
      survey.household_no,
      row_number() over (order by survey.stratum, survey.household_no) as position
    from survey
    group by survey.stratum, survey.household_no
  ) as dealt
  cross join setting
),
replicate as (
  select unnest(range(0, setting.replicates + 1)) as replicate from setting
),
stratum_group as (
  select household.stratum, household.household_group, count(*) as households
  from household
  group by household.stratum, household.household_group
),
stratum as (
  select stratum_group.stratum, sum(stratum_group.households) as households
  from stratum_group
  group by stratum_group.stratum
),
-- what the weights of a stratum are multiplied by when a group is left out
weight_factor as (
  select
    stratum.stratum,
    replicate.replicate,
    coalesce(cast(stratum.households as double)
      / nullif(cast(stratum.households - coalesce(stratum_group.households, 0) as double), 0.0), 1.0) as factor
  from stratum
  cross join replicate
  left join stratum_group
    on stratum_group.stratum = stratum.stratum
    and stratum_group.household_group = replicate.replicate
),
respondent as (
  select
    survey.stratum,
    household.household_group,
    survey.sido,
    case
      when survey.insured then 'insured/' || survey.sex || '/' || {{ age_third('survey.age_band') }}
      when survey.insured is false and survey.work_kind = 'regular' and survey.industry = 'O' then 'public'
      else 'other/' || survey.sex || '/' || {{ age_third('survey.age_band') }} end as status,
    case when survey.insured is false
           and not (survey.work_kind = 'regular' and survey.industry is not distinct from 'O')
           and (survey.work_kind = 'owner' or survey.age < rule.exempt_age)
         then survey.work_kind else '-' end as work_kind,
    survey.sex || '/' || {{ age_third('survey.age_band') }} as sex_age,
    coalesce(survey.industry, '-') as section,
    coalesce(survey.work_sido, '-') as work_sido,
    {{ size_third("coalesce(survey.work_size, '-')") }} as size,
    survey.weight
  from survey
  cross join rule
  inner join household
    on household.stratum = survey.stratum
    and household.household_no = survey.household_no
),
-- respondents who share everything that matters are one row
cell as (
  select
    respondent.stratum, respondent.household_group, respondent.sido, respondent.status, respondent.work_kind,
    respondent.sex_age, respondent.section, respondent.work_sido, respondent.size,
    count(*) as respondents,
    sum(respondent.weight) as weight
  from respondent
  group by
    respondent.stratum, respondent.household_group, respondent.sido, respondent.status, respondent.work_kind,
    respondent.sex_age, respondent.section, respondent.work_sido, respondent.size
),
-- replicates multiply rows, so what a cell is travels as one number
profile as (
  select
    described.*,
    row_number() over (
      order by described.sido, described.status, described.work_kind, described.sex_age, described.section,
        described.work_sido, described.size) as profile_no
  from (
    select distinct sido, status, work_kind, sex_age, section, work_sido, size from cell
  ) as described
),
numbered as (
  select cell.stratum, cell.household_group, profile.profile_no, cell.respondents, cell.weight
  from cell
  inner join profile
    on profile.sido = cell.sido
    and profile.status = cell.status
    and profile.work_kind = cell.work_kind
    and profile.sex_age = cell.sex_age
    and profile.section = cell.section
    and profile.work_sido = cell.work_sido
    and profile.size = cell.size
),
replicate_profile as (
  select
    weight_factor.replicate,
    numbered.profile_no,
    sum(numbered.respondents) as respondents,
    sum(cast(cast(numbered.weight as double) * weight_factor.factor as decimal(28, 8))) as persons
  from numbered
  inner join weight_factor
    on weight_factor.stratum = numbered.stratum
    and weight_factor.replicate <> numbered.household_group
  group by weight_factor.replicate, numbered.profile_no
),
replicate_cell as (
  select
    replicate_profile.replicate, profile.sido, profile.status, profile.work_kind, profile.sex_age, profile.section,
    profile.work_sido, profile.size, replicate_profile.respondents, replicate_profile.persons
  from replicate_profile
  inner join profile
    on profile.profile_no = replicate_profile.profile_no
),
replicate_target as (
  select replicate.replicate, target.margin, target.member, target.persons
  from target
  cross join replicate
),
-- the two margins of the raking decide a cell's weight, whatever else it holds
raking_start as (
  select replicate_cell.replicate, replicate_cell.status, replicate_cell.sido,
    cast(sum(replicate_cell.persons) as decimal(28, 8)) as start_persons,
    cast(sum(replicate_cell.persons) as decimal(28, 8)) as persons
  from replicate_cell
  group by replicate_cell.replicate, replicate_cell.status, replicate_cell.sido
),
{{ rake('adjusted', 'raking_start', 'replicate_target', ['status', 'sido'], ['start_persons'], 3) }},
raked as (
  select
    replicate_cell.replicate, replicate_cell.work_kind, replicate_cell.sex_age, replicate_cell.section,
    replicate_cell.work_sido, replicate_cell.size, replicate_cell.respondents,
    cast(cast(replicate_cell.persons as double) * cast(adjusted.persons as double)
      / cast(adjusted.start_persons as double) as decimal(28, 8)) as persons
  from replicate_cell
  inner join adjusted
    on adjusted.replicate = replicate_cell.replicate
    and adjusted.status = replicate_cell.status
    and adjusted.sido = replicate_cell.sido
),
-- each cell once for each margin
marked as (
  select raked.replicate, raked.work_kind, raked.respondents, raked.persons,
    mark.margin,
    case mark.margin when 'all' then 'all' when 'sex_age' then raked.sex_age when 'section' then raked.section
         when 'sido' then raked.work_sido else raked.size end as member
  from raked
  cross join (values ('all'), ('sex_age'), ('section'), ('sido'), ('size')) as mark (margin)
),
survey_margin as (
  select
    date '{{ var('partition_start') }}' as month,
    cast(marked.replicate as int) as replicate,
    marked.margin,
    case marked.margin when 'all' then '-' else marked.work_kind end as work_kind,
    marked.member,
    cast(sum(marked.respondents) as bigint) as respondents,
    cast(sum(marked.persons) as decimal(24, 4)) as persons
  from marked
  where marked.margin = 'all'
    or marked.work_kind <> '-'
  group by marked.replicate, marked.margin,
    case marked.margin when 'all' then '-' else marked.work_kind end, marked.member
)
select * from survey_margin
