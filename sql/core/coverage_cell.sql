/*---
description:
  ko: 적용 상태별 인원을 성·연령·종사상지위·사업장의 지역·업종·규모로 센 것
  en: >-
    persons by month, class of coverage and what is known of the person and of the workplace that pays most of this
    kind of work
grain: [month, class, reason, work_kind, sex, age_band, sigungu, section, size_class]
materialized: partitioned
partition_by: month
partitions_from: coverage_month
reads: {coverage_month: [0, 0], income_month: [0, 0]}
during: {workplace_history: [valid_from, valid_to]}
owner: coverage
meta:
  assumptions:
    - the place, industry and size of a payer with several workplaces are those of the largest
    - size counts the persons a payer paid wages to in the month, so that it includes the uninsured
columns:
  reason: {description: "why exempt; a dash for other classes"}
  work_kind: {description: "employee, day labourer, contractor, own business", tests: [{accepted_values: [regular, daily, contractor, owner]}]}
  sigungu: {description: "district of the payer's workplace; a dash where the payer has none"}
  section: {description: "KSIC section of the payer's workplace; a dash where unknown", tags: ["classification:KSIC10"]}
  size_class: {description: "persons paid wages by the payer; a dash where unknown"}
  undated: {description: persons of whom it is not known whether they worked in the survey week}
---*/
with coverage as (
  select * from {{ ref('coverage_month') }}
),
income as (
  select * from {{ ref('income_month') }}
),
workplace as (
  select * from {{ ref('workplace_history') }}
),
payer_size as (
  select income.payer_biz_no, count(*) as wage_persons
  from income
  where income.month = date '{{ var('partition_start') }}'
    and income.income_kind = 'wage'
  group by income.payer_biz_no
),
-- the largest workplace of each business in this month: size rank, then number, in one text
largest as (
  select
    workplace.biz_no,
    max(case workplace.headcount_class
      when '300+' then '6' when '100-299' then '5' when '30-99' then '4'
      when '10-29' then '3' when '5-9' then '2' else '1' end || workplace.workplace_no) as ranked
  from workplace
  where workplace.valid_from < date '{{ var('partition_end') }}'
    and (workplace.valid_to is null or workplace.valid_to >= date '{{ var('partition_start') }}')
  group by workplace.biz_no
),
payer_place as (
  select
    largest.biz_no,
    max(workplace.sigungu) as sigungu,
    max(workplace.section) as section,
    max(workplace.headcount_class) as headcount_class
  from largest
  inner join workplace
    on workplace.workplace_no = substr(largest.ranked, 2)
    and workplace.valid_from < date '{{ var('partition_end') }}'
    and (workplace.valid_to is null or workplace.valid_to >= date '{{ var('partition_start') }}')
  group by largest.biz_no
),
person as (
  select
    coverage.person_key,
    coverage.class,
    coalesce(coverage.reason, '-') as reason,
    case
      when coverage.insured_regular then 'regular'
      when coverage.insured_daily then 'daily'
      when coverage.insured_contractor then 'contractor'
      when coverage.class = 'daily_unreported' then 'daily'
      when coverage.class = 'contractor_outside' then 'contractor'
      when coverage.class = 'covered_uninsured' or coverage.wage_won > 0 then 'regular'
      when coverage.daily_won > 0 then 'daily'
      when coverage.business_won > 0 then 'contractor'
      else 'owner' end as work_kind,
    coverage.sex,
    coverage.age_band,
    coverage.in_survey_week,
    coverage.uninsured_won
  from coverage
  where coverage.month = date '{{ var('partition_start') }}'
),
-- who paid most of the kind of income that decides, amount and number in one text
main_payer as (
  select
    person.person_key,
    max(lpad(cast(cast(income.gross_won as bigint) as varchar), 18, '0') || income.payer_biz_no) as ranked
  from person
  inner join income
    on income.person_key = person.person_key
    and income.month = date '{{ var('partition_start') }}'
    and income.income_kind = case person.work_kind when 'regular' then 'wage' when 'daily' then 'daily' else 'business' end
  where person.class <> 'self_employed'
  group by person.person_key
),
coverage_cell as (
  select
    date '{{ var('partition_start') }}' as month,
    -- class
    person.class,
    person.reason,
    -- person
    person.work_kind,
    person.sex,
    person.age_band,
    -- workplace
    coalesce(payer_place.sigungu, '-') as sigungu,
    coalesce(payer_place.section, '-') as section,
    coalesce({{ headcount_class('payer_size.wage_persons') }}, payer_place.headcount_class, '-') as size_class,
    -- counts
    count(*) as persons,
    count(*) filter (where person.in_survey_week) as in_week,
    count(*) filter (where person.in_survey_week is null) as undated,
    -- amounts
    cast(sum(person.uninsured_won) as decimal(28, 0)) as uninsured_won
  from person
  left join main_payer
    on main_payer.person_key = person.person_key
  left join payer_place
    on payer_place.biz_no = substr(main_payer.ranked, 19)
  left join payer_size
    on payer_size.payer_biz_no = substr(main_payer.ranked, 19)
  group by
    person.class, person.reason, person.work_kind, person.sex, person.age_band,
    coalesce(payer_place.sigungu, '-'), coalesce(payer_place.section, '-'),
    coalesce({{ headcount_class('payer_size.wage_persons') }}, payer_place.headcount_class, '-')
)
select * from coverage_cell
