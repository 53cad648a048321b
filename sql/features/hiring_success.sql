/*---
description:
  ko: 구인신청이 열린 날 알 수 있었던 것만으로 만든 특성. 신청 한 건이 한 줄이다.
  en: >-
    what could be known on the day a vacancy opened, one row per vacancy. Pay stands against what others offered in the
    twelve months before; the employer's earlier vacancies count once their period is over and delivered; demand and
    supply are those of the month before; the workplace is as it had been delivered by the day
grain: [vacancy_no]
materialized: table
owner: learning
legal_basis: 직업안정법 제8조 · 고용보험법 제11조 · 제15조
sort_by: [vacancy_no]
declassify:
  names_age_or_sex: {remove: [free_text], reason: "one fact of law about the text, not the text"}
  asks_for_looks_or_family: {remove: [free_text], reason: "one fact of law about the text, not the text"}
  text_length: {remove: [free_text], reason: "a count of letters"}
columns:
  vacancy_no: {tests: [not_null]}
  month: {description: month of opening}
  occupation: {title: {ko: 직종, en: occupation}}
  major: {title: {ko: 직종 대분류, en: occupation group}}
  sido: {title: {ko: 근무 시도, en: province}}
  section: {title: {ko: 산업, en: industry}}
  contract_kind: {title: {ko: 고용형태, en: contract}}
  career: {title: {ko: 경력 요건, en: career asked for}}
  education: {title: {ko: 학력 요건, en: education asked for}}
  wage_kind: {title: {ko: 임금 단위, en: unit of pay}}
  states_range: {title: {ko: 임금 상한을 적음, en: states an upper pay}}
  openings: {title: {ko: 모집 인원, en: openings}}
  openings_log: {title: {ko: 모집 인원의 로그, en: logarithm of openings}}
  period_days: {title: {ko: 모집 기간(일), en: days of the period}, tests: [{range: {min: 0}}]}
  period_log: {title: {ko: 모집 기간의 로그, en: logarithm of the period}}
  pay_log: {title: {ko: 월 환산 임금의 로그, en: logarithm of monthly pay}}
  pay_to_occupation_log: {title: {ko: 같은 직종 지난해 임금 대비(로그), en: pay over that of the occupation last year (log)}}
  pay_to_local_log: {title: {ko: 같은 직종·지역 지난해 임금 대비(로그), en: pay over that of occupation and province last year (log)}}
  pay_to_employer_log: {title: {ko: 사업장의 다른 구인 임금 대비(로그), en: pay over that of the employer's earlier vacancies (log)}}
  below_minimum_wage: {title: {ko: 최저임금 미달, en: below the minimum wage}}
  names_age_or_sex: {title: {ko: 나이·성별 제한, en: names an age or a sex}}
  asks_for_looks_or_family: {title: {ko: 용모·가족 요구, en: asks for looks or family}}
  text_length: {title: {ko: 글자 수, en: letters of the text}}
  insured_band: {title: {ko: 피보험자 규모, en: insured persons}}
  workplace_years: {title: {ko: 사업장 나이(년), en: years of the workplace}}
  employer_wage_log: {title: {ko: 사업장의 평균 보수(로그), en: mean insured wage of the workplace (log)}}
  earlier_vacancies: {title: {ko: 이전 구인 건수, en: earlier vacancies of the employer}}
  earlier_fill_rate: {title: {ko: 이전 구인 충원율(평활), en: share filled of the employer's earlier vacancies (smoothed)}}
  seekers_per_opening: {title: {ko: 지난달 같은 직종·지역의 구직배수, en: seekers per opening in occupation group and province last month}}
  seekers_per_opening_occupation: {title: {ko: 지난달 같은 직종의 구직배수, en: seekers per opening in the occupation group last month}}
  market_known_on: {description: "the last day on which anything used of vacancies and seekers became known; that of the notice is its opening"}
  employer_known_on: {description: "the last day on which anything used of the workplace and its insured persons became known; null where nothing was"}
  fill_rate_before: {title: {ko: 지난 3개월에 끝난 구인의 충원율, en: share filled of the vacancies whose period ended in the last three known months}}
---*/
with vacancy as (
  select * from {{ ref('vacancy') }}
),
notice as (
  select * from {{ source('wn_vacancy') }}
),
told_workplace as (
  select * from {{ source('ei_workplace') }}
),
division as (
  select * from {{ seed('ksic_division') }}
),
market as (
  select * from {{ ref('hiring_market') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
offered as (
  {{ priced_vacancy('vacancy') }}
),
-- the text as it stood when the vacancy opened: the first delivery of the number
first_notice as (
  select notice.vacancy_no, min({{ row_version('notice') }}) as version
  from notice
  where notice._known_on <= date '{{ var('as_of') }}'
    and notice.opened_on <= date '{{ var('as_of') }}'
  group by notice.vacancy_no
),
worded as (
  select
    notice.vacancy_no,
    coalesce(notice.text like '%세 이하%' or notice.text like '%여성만%' or notice.text like '%남성만%', false) as names_age_or_sex,
    coalesce(notice.text like '%용모%' or notice.text like '%체중%' or notice.text like '%혼인%'
      or notice.text like '%부모님%' or notice.text like '%본적%', false) as asks_for_looks_or_family,
    cast(coalesce(character_length(notice.text), 0) as int) as text_length
  from notice
  inner join first_notice
    on first_notice.vacancy_no = notice.vacancy_no
    and first_notice.version = {{ row_version('notice') }}
  where notice._known_on <= date '{{ var('as_of') }}'
    and notice.opened_on <= date '{{ var('as_of') }}'
),
earlier as (
  select
    offered.vacancy_no,
    count(*) as vacancies,
    count(case when before.filled_on <= offered.opened_on and before.filled_on <= before.closes_on then 1 end) as filled,
    cast(sum(before.exact_pay_log) as double) / cast(count(*) as double) as pay_log,
    max(add_days(month_end(before.closes_on), 10)) as known_on
  from offered
  inner join offered as before
    on before.workplace_no = offered.workplace_no
  -- a filling is delivered soon after its month
  where add_days(month_end(before.closes_on), 10) <= offered.opened_on
    and before.opened_on >= add_months(offered.opened_on, -24)
  group by offered.vacancy_no
),
-- the workplace as it had been delivered by the day
last_told as (
  select offered.vacancy_no, max({{ row_version('told_workplace') }}) as version
  from offered
  inner join told_workplace
    on told_workplace.workplace_no = offered.workplace_no
  where told_workplace._known_on <= offered.opened_on
  group by offered.vacancy_no
),
employer as (
  select
    offered.vacancy_no,
    told_workplace.established_on,
    division.section,
    told_workplace._known_on as known_on
  from offered
  inner join last_told
    on last_told.vacancy_no = offered.vacancy_no
  inner join told_workplace
    on told_workplace.workplace_no = offered.workplace_no
    and last_told.version = {{ row_version('told_workplace') }}
  left join division
    on division.division = substr(told_workplace.ksic, 1, 2)
    and told_workplace.ksic_version in ('10', '11')
  where told_workplace._known_on <= offered.opened_on
),
-- the workplace's insured persons as the office could see them on the day
staff as (
  select
    offered.vacancy_no,
    count(*) - count(case when insured_spell.lost_reported_on <= offered.opened_on then 1 end) as insured,
    avg(cast(insured_spell.monthly_wage_won as double)) as won,
    max(greatest(
      insured_spell.acquired_reported_on,
      case when insured_spell.lost_reported_on <= offered.opened_on then insured_spell.lost_reported_on end)) as known_on
  from offered
  inner join insured_spell
    on insured_spell.workplace_no = offered.workplace_no
  where insured_spell.acquired_on <= offered.opened_on
    and insured_spell.acquired_reported_on <= offered.opened_on
    and insured_spell.monthly_wage_won > 0
  group by offered.vacancy_no
),
ended_of_month as (
  select
    month_start(offered.closes_on) as month,
    count(*) as vacancies,
    count(case when offered.filled_on <= date '{{ var('as_of') }}' and offered.filled_on <= offered.closes_on then 1 end) as filled
  from offered
  group by month_start(offered.closes_on)
),
-- periods that ended two to four months before: their fillings have been delivered
fill_before as (
  select
    cell.month,
    cast(sum(ended_of_month.filled) as double) / cast(sum(ended_of_month.vacancies) as double) as rate,
    max(add_days(month_end(ended_of_month.month), 10)) as known_on
  from (select distinct month from offered) as cell
  inner join ended_of_month
    on ended_of_month.month <= add_months(cell.month, -2)
    and ended_of_month.month >= add_months(cell.month, -4)
  group by cell.month
),
hiring_success as (
  select
    -- ids and dates
    offered.vacancy_no,
    offered.opened_on,
    offered.month,
    -- the job
    offered.occupation,
    offered.major,
    offered.sido,
    employer.section,
    offered.contract_kind,
    offered.career,
    offered.education,
    offered.openings,
    ln(cast(offered.openings as double)) as openings_log,
    days_between(offered.opened_on, offered.closes_on) as period_days,
    ln(1.0 + cast(days_between(offered.opened_on, offered.closes_on) as double)) as period_log,
    -- pay
    offered.wage_kind,
    offered.max_wage_won is not null as states_range,
    offered.below_minimum_wage,
    offered.pay_log,
    offered.pay_log - market.occupation_pay_log as pay_to_occupation_log,
    offered.pay_log - market.local_pay_log as pay_to_local_log,
    offered.pay_log - earlier.pay_log as pay_to_employer_log,
    -- the text
    coalesce(worded.names_age_or_sex, false) as names_age_or_sex,
    coalesce(worded.asks_for_looks_or_family, false) as asks_for_looks_or_family,
    coalesce(worded.text_length, 0) as text_length,
    -- the employer
    case
      when coalesce(staff.insured, 0) < 5 then '0-4'
      when staff.insured < 10 then '5-9'
      when staff.insured < 30 then '10-29'
      when staff.insured < 100 then '30-99'
      else '100+' end as insured_band,
    case when employer.established_on is not null
         then least(40, greatest(0, months_between(employer.established_on, offered.opened_on)) / 12) end as workplace_years,
    ln(staff.won) as employer_wage_log,
    cast(coalesce(earlier.vacancies, 0) as int) as earlier_vacancies,
    (coalesce(cast(earlier.filled as double), 0.0) + 2.0 * fill_before.rate)
      / (coalesce(cast(earlier.vacancies as double), 0.0) + 2.0) as earlier_fill_rate,
    -- the market in the month before
    market.seekers_per_opening,
    market.seekers_per_opening_occupation,
    fill_before.rate as fill_rate_before,
    -- the last day on which anything of this became known
    greatest(offered.opened_on, market.known_on, earlier.known_on, fill_before.known_on) as market_known_on,
    greatest(employer.known_on, staff.known_on) as employer_known_on
  from offered
  left join worded
    on worded.vacancy_no = offered.vacancy_no
  left join employer
    on employer.vacancy_no = offered.vacancy_no
  left join market
    on market.occupation = offered.occupation
    and market.sido = offered.sido
    and market.month = offered.month
  left join earlier
    on earlier.vacancy_no = offered.vacancy_no
  left join staff
    on staff.vacancy_no = offered.vacancy_no
  left join fill_before
    on fill_before.month = offered.month
)
select * from hiring_success
