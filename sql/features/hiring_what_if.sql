/*---
description:
  ko: 열린 구인의 조건이 달랐다면의 특성. 임금·경력·고용형태·근무 시도를 바꾼 경우와 그대로인 경우.
  en: >-
    features of open vacancies on other terms: pay 5, 10 and 20 % higher, no career asked for, a regular contract, the
    province in which most seekers wait for an opening of the occupation group, and all of these together; and the
    vacancy as it is. Everything else is as in features.hiring_success
grain: [vacancy_no, alternative]
materialized: table
owner: learning
legal_basis: 직업안정법 제8조
sort_by: [vacancy_no]
columns:
  vacancy_no: {tests: [not_null]}
  alternative: {description: "what is different, joined by +: pay_5, pay_10, pay_20, no_career, regular, place; as_it_is when nothing is", tests: [not_null]}
  pay_rise: {description: percent, tests: [{accepted_values: [0, 5, 10, 20]}]}
  changes: {description: terms that differ, tests: [{range: {min: 0, max: 4}}]}
---*/
with feature as (
  select * from {{ ref('hiring_success') }}
),
market as (
  select * from {{ ref('hiring_market') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
minimum_wage as (
  select * from {{ seed('minimum_wage') }}
),
sido as (
  select * from {{ seed('sido') }}
),
pay_rise as (
  select * from (values (0), (5), (10), (20)) as rises (percent)
),
yes_or_no as (
  select * from (values (false), (true)) as answers (is_other)
),
-- where most seekers wait, of equals the province with the lower number
ranked as (
  select
    market.month,
    market.occupation,
    market.sido,
    row_number() over (partition by market.month, market.occupation order by market.seekers_per_opening desc, market.sido) as place
  from market
),
open_vacancy as (
  select
    feature.*,
    vacancy.min_wage_won,
    vacancy.monthly_wage_won,
    minimum_wage.hourly_won,
    ranked.sido as other_sido
  from feature
  inner join vacancy
    on vacancy.vacancy_no = feature.vacancy_no
  inner join ranked
    on ranked.month = feature.month
    and ranked.occupation = feature.occupation
    and ranked.place = 1
  left join minimum_wage
    on minimum_wage.year = cast(date_part('year', feature.opened_on) as int)
  where not coalesce(vacancy.filled_on <= date '{{ var('as_of') }}', false)
    and vacancy.opened_on <= date '{{ var('as_of') }}'
    and vacancy.closes_on >= date '{{ var('as_of') }}'
),
other as (
  select
    open_vacancy.*,
    pay_rise.percent,
    career.is_other as no_career,
    contract.is_other as regular,
    place.is_other as elsewhere,
    case when career.is_other then 'none' else open_vacancy.career end as new_career,
    case when contract.is_other then 'regular' else open_vacancy.contract_kind end as new_contract_kind,
    case when place.is_other then open_vacancy.other_sido else open_vacancy.sido end as new_sido,
    cast(100 + pay_rise.percent as double) / 100.0 as factor
  from open_vacancy
  cross join pay_rise
  cross join yes_or_no as career
  cross join yes_or_no as contract
  cross join yes_or_no as place
  where not (career.is_other and open_vacancy.career = 'none')
    and not (contract.is_other and open_vacancy.contract_kind = 'regular')
    and not (place.is_other and open_vacancy.other_sido = open_vacancy.sido)
),
hiring_what_if as (
  select
    -- ids and dates
    other.vacancy_no,
    other.opened_on,
    coalesce(nullif(concat_ws('+',
      case when other.percent > 0 then concat('pay_', other.percent) end,
      case when other.no_career then 'no_career' end,
      case when other.regular then 'regular' end,
      case when other.elsewhere then 'place' end), ''), 'as_it_is') as alternative,
    coalesce(nullif(concat_ws(', ',
      case when other.percent > 0 then concat('임금 ', other.percent, '% 인상') end,
      case when other.no_career then '경력 무관' end,
      case when other.regular then '상용직' end,
      case when other.elsewhere then concat('근무지 ', sido.short_ko) end), ''), '그대로') as title_ko,
    coalesce(nullif(concat_ws(', ',
      case when other.percent > 0 then concat('pay ', other.percent, ' % higher') end,
      case when other.no_career then 'no career asked for' end,
      case when other.regular then 'regular contract' end,
      case when other.elsewhere then concat('place of work in ', sido.name_en) end), ''), 'as it is') as title_en,
    -- what differs
    other.percent as pay_rise,
    other.no_career,
    other.regular,
    other.elsewhere,
    cast(case when other.percent > 0 then 1 else 0 end + case when other.no_career then 1 else 0 end
      + case when other.regular then 1 else 0 end + case when other.elsewhere then 1 else 0 end as int) as changes,
    -- the job
    other.occupation,
    other.major,
    other.new_sido as sido,
    other.section,
    other.new_contract_kind as contract_kind,
    other.new_career as career,
    other.education,
    other.openings_log,
    other.period_days,
    other.period_log,
    -- pay
    other.wage_kind,
    other.states_range,
    {{ below_minimum_wage('other.new_contract_kind', 'other.wage_kind', 'cast(other.min_wage_won as double) * other.factor', 'cast(other.monthly_wage_won as double) * other.factor', 'cast(other.hourly_won as double)') }} as below_minimum_wage,
    other.pay_log + ln(other.factor) as pay_log,
    other.pay_to_occupation_log + ln(other.factor) as pay_to_occupation_log,
    other.pay_log + ln(other.factor) - market.local_pay_log as pay_to_local_log,
    -- the text
    other.names_age_or_sex,
    other.asks_for_looks_or_family,
    -- the employer
    other.insured_band,
    other.workplace_years,
    other.employer_wage_log,
    other.earlier_vacancies,
    other.earlier_fill_rate,
    -- the market in the month before
    market.seekers_per_opening,
    other.seekers_per_opening_occupation
  from other
  inner join market
    on market.month = other.month
    and market.occupation = other.occupation
    and market.sido = other.new_sido
  left join sido
    on sido.sido = other.new_sido
)
select * from hiring_what_if
