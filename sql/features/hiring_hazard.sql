/*---
description:
  ko: 모집기간의 각 주. 구인신청이 열린 날 알 수 있었던 것과 몇째 주인지가 한 줄에 있다.
  en: >-
    the weeks of a vacancy's period, one row each: what could be known on the day it opened, and which week of the
    period it is. Week one begins with the day of opening, the last ends with the period; nine weeks hold the two months
    a notice is valid at most. The weeks of the discrete-time hazard
grain: [vacancy_no, open_from]
materialized: table
owner: learning
legal_basis: 직업안정법 제8조 · 고용보험법 제11조 · 제15조
sort_by: [vacancy_no]
tests:
  - {unique: [vacancy_no, open_week]}
columns:
  vacancy_no: {tests: [not_null]}
  open_from: {description: "the day the week begins: opening and then every 7 days"}
  open_to: {description: "its last day, at the latest that of the period"}
  open_week: {title: {ko: 모집 몇째 주, en: week of the period}, tests: [{range: {min: 1, max: 9}}]}
  days_of_week: {title: {ko: 그 주의 모집일 수, en: days of the period in this week}, tests: [{range: {min: 1, max: 7}}]}
  days_of_week_log: {title: {ko: 그 주의 모집일 수의 로그, en: logarithm of the days of the period in this week}}
  occupation: {title: {ko: 직종, en: occupation}}
  sido: {title: {ko: 근무 시도, en: province}}
  contract_kind: {title: {ko: 고용형태, en: contract}}
  career: {title: {ko: 경력 요건, en: career asked for}}
  education: {title: {ko: 학력 요건, en: education asked for}}
  openings_log: {title: {ko: 모집 인원의 로그, en: logarithm of openings}}
  period_days: {title: {ko: 모집 기간(일), en: days of the period}}
  wage_kind: {title: {ko: 임금 단위, en: unit of pay}}
  states_range: {title: {ko: 임금 상한을 적음, en: states an upper pay}}
  below_minimum_wage: {title: {ko: 최저임금 미달, en: below the minimum wage}}
  pay_log: {title: {ko: 월 환산 임금의 로그, en: logarithm of monthly pay}}
  pay_to_occupation_log: {title: {ko: 같은 직종 지난해 임금 대비(로그), en: pay over that of the occupation last year (log)}}
  pay_to_local_log: {title: {ko: 같은 직종·지역 지난해 임금 대비(로그), en: pay over that of occupation and province last year (log)}}
  names_age_or_sex: {title: {ko: 나이·성별 제한, en: names an age or a sex}}
  asks_for_looks_or_family: {title: {ko: 용모·가족 요구, en: asks for looks or family}}
  earlier_vacancies: {title: {ko: 이전 구인 건수, en: earlier vacancies of the employer}}
  earlier_fill_rate: {title: {ko: 이전 구인 충원율(평활), en: share filled of the employer's earlier vacancies (smoothed)}}
  seekers_per_opening: {title: {ko: 지난달 같은 직종·지역의 구직배수, en: seekers per opening in occupation group and province last month}}
  seekers_per_opening_occupation: {title: {ko: 지난달 같은 직종의 구직배수, en: seekers per opening in the occupation group last month}}
  section: {title: {ko: 산업, en: industry}}
  insured_band: {title: {ko: 피보험자 규모, en: insured persons}}
  workplace_years: {title: {ko: 사업장 나이(년), en: years of the workplace}}
  employer_wage_log: {title: {ko: 사업장의 평균 보수(로그), en: mean insured wage of the workplace (log)}}
  major: {title: {ko: 직종 대분류, en: occupation group}}
---*/
with hiring_success as (
  select * from {{ ref('hiring_success') }}
),
weeks as (
  select * from (values (1), (2), (3), (4), (5), (6), (7), (8), (9)) as weeks (open_week)
),
open_week as (
  select
    hiring_success.*,
    cast(weeks.open_week as int) as open_week,
    add_days(hiring_success.opened_on, 7 * (weeks.open_week - 1)) as open_from,
    cast(least(7, hiring_success.period_days + 1 - 7 * (cast(weeks.open_week as int) - 1)) as int) as days_of_week
  from hiring_success
  cross join weeks
  where 7 * (weeks.open_week - 1) <= hiring_success.period_days
),
hiring_hazard as (
  select
    -- ids and dates
    open_week.vacancy_no,
    open_week.opened_on,
    open_week.open_from,
    add_days(open_week.open_from, open_week.days_of_week - 1) as open_to,
    open_week.open_week,
    open_week.days_of_week,
    ln(cast(open_week.days_of_week as double)) as days_of_week_log,
    open_week.major,
    -- what is seen
    open_week.occupation,
    open_week.sido,
    open_week.section,
    open_week.contract_kind,
    open_week.career,
    open_week.education,
    open_week.openings_log,
    open_week.period_days,
    open_week.wage_kind,
    open_week.states_range,
    open_week.below_minimum_wage,
    open_week.pay_log,
    open_week.pay_to_occupation_log,
    open_week.pay_to_local_log,
    open_week.names_age_or_sex,
    open_week.asks_for_looks_or_family,
    open_week.insured_band,
    open_week.workplace_years,
    open_week.employer_wage_log,
    open_week.earlier_vacancies,
    open_week.earlier_fill_rate,
    open_week.seekers_per_opening,
    open_week.seekers_per_opening_occupation,
    open_week.market_known_on,
    open_week.employer_known_on
  from open_week
)
select * from hiring_hazard
