/*---
description:
  ko: 기업(사업자등록번호)별 규모·업종·지역, 이직, 구인과 지원자·충원율·충원 기간, 지원금, 임금명세서 없는 피보험 월
  en: >-
    each enterprise (business number) with size, industry and region, turnover, vacancies with applicants, fill rate
    and time to fill, subsidies, and insured months without a wage statement
grain: [biz_no]
materialized: table
owner: labour_market
legal_basis: 고용정책 기본법 제15조 · 고용보험법 제15조
meta:
  as_of: stocks on the day of the night; flows over the twelve months before it
  arrears: >-
    no source delivers arrears of premiums. What stands for them: insured months for which the enterprise filed no wage
    statement, and losses for reason 12, which holds unpaid wages
columns:
  biz_no: {tags: [firm]}
  workplace_no: {description: "the workplace that stands for the enterprise: most insured persons, then the lowest number; industry and region are its own", tags: [firm]}
  size_class: {description: insured persons of all workplaces on the day, tests: [{accepted_values: ["0", "1-4", "5-9", "10-29", "30-99", "100-299", "300+"]}]}
  turnover_rate: {description: "losses of twelve months / mean of insured persons at the beginning and the end; null without insured persons", tests: [{range: {min: 0}}]}
  applicants_12: {description: "applicants to the vacancies opened in twelve months, a seeker counts once a vacancy", tests: [{range: {min: 0}}]}
  ended_12: {description: of those vacancies the ones filled or expired, tests: [{range: {min: 0}}]}
  fill_rate: {description: "filled / (filled + expired); null while none has ended", tests: [{range: {min: 0, max: 1}}]}
  mean_days_to_fill: {description: over the filled ones, tests: [{range: {min: 0}}]}
  subsidies_12: {description: "decisions to pay retention and hiring subsidies, by day of payment", tests: [{range: {min: 0}}]}
  subsidy_won_12: {description: "won of those decisions", tests: [{range: {min: 0}}]}
  statement_months: {description: "insured person-months per workplace in the twelve months up to the last one with wage statements", tests: [{range: {min: 0}}]}
  months_without_statement: {description: of those without a wage statement of this enterprise for the person and month, tests: [{range: {min: 0}}]}
  arrears_losses_12: {description: "losses for reason 12 (moved, changed conditions, unpaid wages) in twelve months"}
tests:
  - {expression: "months_without_statement <= statement_months"}
  - {expression: "filled_12 <= ended_12"}
---*/
with workplace as (
  select * from {{ ref('workplace') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
),
vacancy as (
  select * from {{ ref('vacancy_outcome') }}
),
claim as (
  select * from {{ ref('claim') }}
),
subsidy as (
  select * from {{ ref('subsidy') }}
),
income as (
  select * from {{ ref('income_month') }}
),
wage_file as (
  select * from {{ source('nts_wage_statement') }}
),
last_month as (
  select
    add_months(max(wage_file.paid_month), -11) as first_month,
    max(wage_file.paid_month) as month
  from wage_file
  where wage_file.paid_month <= date '{{ var('as_of') }}'
),
workplace_stock as (
  select
    spell.workplace_no,
    count(*) filter (where spell.insured_from <= date '{{ var('as_of') }}'
      and (spell.insured_to is null or spell.insured_to >= date '{{ var('as_of') }}')) as insured_persons,
    count(*) filter (where spell.insured_from <= add_months(date '{{ var('as_of') }}', -12)
      and (spell.insured_to is null or spell.insured_to >= add_months(date '{{ var('as_of') }}', -12))) as insured_persons_before,
    sum(spell.monthly_wage_won) filter (where spell.insured_from <= date '{{ var('as_of') }}'
      and (spell.insured_to is null or spell.insured_to >= date '{{ var('as_of') }}')) as wage_sum_won,
    count(*) filter (where spell.acquired_on > add_months(date '{{ var('as_of') }}', -12)
      and spell.acquired_on <= date '{{ var('as_of') }}') as acquired_12,
    count(*) filter (where spell.lost_on > add_months(date '{{ var('as_of') }}', -12)
      and spell.lost_on <= date '{{ var('as_of') }}') as lost_12,
    count(*) filter (where spell.lost_on > add_months(date '{{ var('as_of') }}', -12)
      and spell.lost_on <= date '{{ var('as_of') }}'
      and spell.loss_reason = '12') as arrears_losses_12
  from spell
  where not spell.cancelled
  group by spell.workplace_no
),
listed as (
  select
    workplace.biz_no,
    workplace.workplace_no,
    workplace.firm_name,
    workplace.ksic,
    workplace.ksic_version,
    workplace.section,
    workplace.sigungu,
    workplace.sido,
    workplace.established_on,
    workplace.closed_on,
    coalesce(workplace_stock.insured_persons, 0) as insured_persons,
    coalesce(workplace_stock.insured_persons_before, 0) as insured_persons_before,
    coalesce(workplace_stock.wage_sum_won, 0) as wage_sum_won,
    coalesce(workplace_stock.acquired_12, 0) as acquired_12,
    coalesce(workplace_stock.lost_12, 0) as lost_12,
    coalesce(workplace_stock.arrears_losses_12, 0) as arrears_losses_12
  from workplace
  left join workplace_stock
    on workplace_stock.workplace_no = workplace.workplace_no
),
firm as (
  select
    listed.biz_no,
    count(*) as workplaces,
    min(listed.established_on) as established_on,
    case when count(*) = count(listed.closed_on) then max(listed.closed_on) end as closed_on,
    max(listed.insured_persons) as most_insured,
    sum(listed.insured_persons) as insured_persons,
    sum(listed.insured_persons_before) as insured_persons_before,
    sum(listed.wage_sum_won) as wage_sum_won,
    sum(listed.acquired_12) as acquired_12,
    sum(listed.lost_12) as lost_12,
    sum(listed.arrears_losses_12) as arrears_losses_12
  from listed
  group by listed.biz_no
),
main_no as (
  select firm.biz_no, min(listed.workplace_no) as workplace_no
  from firm
  inner join listed
    on listed.biz_no = firm.biz_no
    and listed.insured_persons = firm.most_insured
  group by firm.biz_no
),
vacancy_count as (
  select
    vacancy.biz_no,
    count(*) as vacancies_12,
    sum(vacancy.openings) as openings_12,
    sum(vacancy.applicants) as applicants_12,
    sum(vacancy.hires) as hires_12,
    count(*) filter (where vacancy.state <> 'open') as ended_12,
    count(*) filter (where vacancy.state = 'filled') as filled_12,
    sum(vacancy.days_to_fill) as days_to_fill
  from vacancy
  where vacancy.opened_on > add_months(date '{{ var('as_of') }}', -12)
    and vacancy.opened_on <= date '{{ var('as_of') }}'
  group by vacancy.biz_no
),
claim_count as (
  select workplace.biz_no, count(*) as claims_12
  from claim
  inner join workplace
    on workplace.workplace_no = claim.workplace_no
  where claim.applied_on > add_months(date '{{ var('as_of') }}', -12)
    and claim.applied_on <= date '{{ var('as_of') }}'
  group by workplace.biz_no
),
subsidy_total as (
  select
    subsidy.biz_no,
    count(*) as subsidies_12,
    sum(subsidy.amount_won) as subsidy_won_12
  from subsidy
  where subsidy.paid_on > add_months(date '{{ var('as_of') }}', -12)
    and subsidy.paid_on <= date '{{ var('as_of') }}'
  group by subsidy.biz_no
),
-- the part of each spell inside the window of wage statements, in whole months
insured_months as (
  select
    spell.person_key,
    spell.biz_no,
    greatest(month_start(spell.insured_from), last_month.first_month) as from_month,
    least(month_start(coalesce(spell.insured_to, last_month.month)), last_month.month) as to_month
  from spell
  cross join last_month
  where not spell.cancelled
    and spell.biz_no is not null
    and spell.insured_from <= month_end(last_month.month)
    and (spell.insured_to is null or spell.insured_to >= last_month.first_month)
),
insured_total as (
  select
    insured_months.biz_no,
    sum(months_between(insured_months.from_month, insured_months.to_month) + 1) as months
  from insured_months
  group by insured_months.biz_no
),
-- at most one statement row is left per person, month and payer, so each pair is one insured month with a statement
paid_total as (
  select insured_months.biz_no, count(*) as months
  from insured_months
  inner join income
    on income.person_key = insured_months.person_key
    and income.payer_biz_no = insured_months.biz_no
  where income.income_kind = 'wage'
    and income.month >= (select last_month.first_month from last_month)
    and income.month <= (select last_month.month from last_month)
    and income.month >= insured_months.from_month
    and income.month <= insured_months.to_month
  group by insured_months.biz_no
),
enterprise_profile as (
  select
    -- ids
    firm.biz_no,
    main_no.workplace_no,
    listed.firm_name,
    -- industry and region
    listed.section,
    listed.ksic,
    listed.ksic_version,
    listed.sido,
    listed.sigungu,
    -- dates
    firm.established_on,
    firm.closed_on,
    -- size and turnover
    firm.workplaces,
    case
      when firm.insured_persons >= 300 then '300+'
      when firm.insured_persons >= 100 then '100-299'
      when firm.insured_persons >= 30 then '30-99'
      when firm.insured_persons >= 10 then '10-29'
      when firm.insured_persons >= 5 then '5-9'
      when firm.insured_persons >= 1 then '1-4'
      else '0' end as size_class,
    cast(firm.insured_persons as bigint) as insured_persons,
    cast(firm.acquired_12 as bigint) as acquired_12,
    cast(firm.lost_12 as bigint) as lost_12,
    cast(firm.arrears_losses_12 as bigint) as arrears_losses_12,
    case when firm.insured_persons + firm.insured_persons_before > 0
         then cast(firm.lost_12 as double) * 2.0
           / cast(firm.insured_persons + firm.insured_persons_before as double) end as turnover_rate,
    coalesce(claim_count.claims_12, 0) as claims_12,
    -- vacancies
    coalesce(vacancy_count.vacancies_12, 0) as vacancies_12,
    cast(coalesce(vacancy_count.openings_12, 0) as bigint) as openings_12,
    cast(coalesce(vacancy_count.applicants_12, 0) as bigint) as applicants_12,
    cast(coalesce(vacancy_count.hires_12, 0) as bigint) as hires_12,
    coalesce(vacancy_count.ended_12, 0) as ended_12,
    coalesce(vacancy_count.filled_12, 0) as filled_12,
    case when vacancy_count.ended_12 > 0
         then cast(vacancy_count.filled_12 as double) / cast(vacancy_count.ended_12 as double) end as fill_rate,
    case when vacancy_count.filled_12 > 0
         then cast(vacancy_count.days_to_fill as double) / cast(vacancy_count.filled_12 as double) end as mean_days_to_fill,
    -- subsidies
    coalesce(subsidy_total.subsidies_12, 0) as subsidies_12,
    cast(coalesce(subsidy_total.subsidy_won_12, 0) as decimal(28, 0)) as subsidy_won_12,
    -- premiums and statements
    cast(coalesce(insured_total.months, 0) as bigint) as statement_months,
    cast(coalesce(insured_total.months, 0) - coalesce(paid_total.months, 0) as bigint) as months_without_statement,
    -- amounts
    case when firm.insured_persons > 0
         then cast(floor(cast(firm.wage_sum_won as double) / cast(firm.insured_persons as double)) as bigint) end as mean_wage_won
  from firm
  inner join main_no
    on main_no.biz_no = firm.biz_no
  inner join listed
    on listed.workplace_no = main_no.workplace_no
  left join vacancy_count
    on vacancy_count.biz_no = firm.biz_no
  left join claim_count
    on claim_count.biz_no = firm.biz_no
  left join subsidy_total
    on subsidy_total.biz_no = firm.biz_no
  left join insured_total
    on insured_total.biz_no = firm.biz_no
  left join paid_total
    on paid_total.biz_no = firm.biz_no
)
select * from enterprise_profile
