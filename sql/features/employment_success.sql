/*---
description:
  ko: 구직신청 시점에 알 수 있었던 것만으로 만든 특성. 신청 한 건이 한 줄이다.
  en: >-
    what could be known on the day a job seeker registered, one row per registration. Every fact enters by the day it
    was reported: spells by the day of their report, a loss only once it was reported, claims by application, training
    by the day its delivery became known, demand by the month before
grain: [seeker_no, registered_on]
materialized: table
owner: learning
legal_basis: 직업안정법 제9조 · 고용보험법 제15조 · 제42조 · 제43조 · 국민 평생 직업능력 개발법 제6조
sort_by: [seeker_no]
meta:
  left_out: [foreigner and birth date by the lessons of DOMAIN 4, free text, name, exact address]
columns:
  seeker_no: {tests: [not_null]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  month: {description: month of registration}
  sex: {title: {ko: 성별, en: sex}}
  age: {title: {ko: 나이, en: age}, tests: [{range: {min: 0, max: 120}}]}
  age_band: {title: {ko: 연령대, en: age band}}
  education: {title: {ko: 학력, en: education}}
  licences: {title: {ko: 자격증 수, en: number of licences}}
  career_months: {title: {ko: 경력 개월 수, en: months of experience stated}}
  desired_contract: {title: {ko: 희망 고용형태, en: contract wished}}
  wished_major: {title: {ko: 희망 직종 대분류, en: occupation group wished}}
  wished_sido: {title: {ko: 희망 근무 시도, en: province wished}}
  wished_wage_10k: {title: {ko: 희망 임금(만원), en: wage wished (10 thousand won)}}
  registered_calendar_month: {title: {ko: 신청한 달, en: calendar month of registration}}
  prior_registrations: {title: {ko: 이전 구직신청 횟수, en: earlier registrations}}
  days_since_registration: {title: {ko: 직전 구직신청 뒤 지난 날, en: days since the last registration}}
  prior_spells: {title: {ko: 이전 피보험 이력 수, en: earlier insured spells}}
  insured_months_36: {title: {ko: 최근 36개월 중 피보험 개월 수, en: insured months in the last 36}, tests: [{range: {min: 0, max: 36}}]}
  insured_months_12: {title: {ko: 최근 12개월 중 피보험 개월 수, en: insured months in the last 12}, tests: [{range: {min: 0, max: 12}}]}
  employers_36: {title: {ko: 최근 36개월 사업장 수, en: employers in the last 36 months}}
  insured_at_registration: {title: {ko: 신청일 현재 피보험(상실 미신고 포함), en: "insured at registration, as far as reported"}}
  never_insured: {title: {ko: 피보험 이력 없음, en: never insured before}}
  days_since_separation: {title: {ko: 이직 뒤 지난 날, en: days since the last separation}}
  separation_recency: {title: {ko: 이직 뒤 기간, en: time since the last separation}}
  last_loss_reason: {title: {ko: 직전 이직 사유, en: reason of the last separation}}
  last_tenure_months: {title: {ko: 직전 근속 개월 수, en: tenure of the last job in months}}
  last_wage_10k: {title: {ko: 직전 임금(만원), en: last wage (10 thousand won)}}
  wished_to_last_wage: {title: {ko: 희망 임금 대 직전 임금, en: wage wished over last wage}, tests: [{range: {min: 0, max: 5}}]}
  last_weekly_hours: {title: {ko: 직전 주당 시간, en: weekly hours of the last job}}
  last_contract_kind: {title: {ko: 직전 고용형태, en: contract of the last job}}
  last_section: {title: {ko: 직전 산업, en: industry of the last job}}
  last_major: {title: {ko: 직전 직종 대분류, en: occupation group of the last job}}
  last_occupation: {title: {ko: 직전 직종, en: occupation of the last job}}
  same_occupation: {title: {ko: 희망 직종이 직전 직종과 같음, en: wishes the last occupation}}
  daily_work_days_12: {title: {ko: 최근 12개월 일용 근로일, en: days of daily work in the last 12 months}}
  claim_state: {title: {ko: 구직급여 상태, en: state of benefit}, tests: [{accepted_values: [none, open, past]}]}
  prior_claims: {title: {ko: 이전 수급자격 수, en: earlier claims}}
  days_since_claim: {title: {ko: 수급자격 신청 뒤 지난 날, en: days since the last claim}}
  benefit_daily_1k: {title: {ko: 구직급여일액(천원), en: daily benefit (thousand won)}}
  entitled_days_left: {title: {ko: 남은 소정급여일수, en: entitled days left}}
  trainings_completed_24: {title: {ko: 최근 24개월 수료한 훈련, en: trainings completed in the last 24 months}}
  in_training: {title: {ko: 훈련 중, en: in training}}
  wished_occupation: {title: {ko: 희망 직종, en: occupation wished}}
  licences_to_four: {title: {ko: "자격증 수(4개까지)", en: "number of licences, up to four"}}
  career_log: {title: {ko: 경력의 로그, en: logarithm of years of experience}}
  years_over_36: {title: {ko: 36세를 넘는 햇수, en: years of age over 36}}
  years_under_25: {title: {ko: 25세에 못 미치는 햇수, en: years of age under 25}}
  near_65: {title: {ko: "1년 안에 65세(신규 취업은 실업급여 적용 제외)", en: "65 within a year, when new hires are no longer insured"}}
  wish_to_last_log: {title: {ko: 희망 임금 대 직전 임금의 로그, en: logarithm of the wage wished over the last}}
  wish_to_market_log: {title: {ko: 희망 임금 대 같은 직종 지난해 희망 임금의 로그, en: logarithm of the wage wished over that of the occupation last year}}
  last_to_market_log: {title: {ko: 직전 임금 대 같은 직종 지난해 희망 임금의 로그, en: logarithm of the last wage over the wage wished in the occupation last year}}
  registration_gap: {title: {ko: 직전 구직신청 뒤 기간(1년까지), en: time since the last registration within a year}}
  idle_a_year: {title: {ko: 1년 안에 일한 기록 없음, en: no work known within a year}}
  idle_days: {title: {ko: "마지막으로 일한 뒤 지난 날(365까지)", en: "days since the last known work, up to 365"}, tests: [{range: {min: 0}}]}
  idle_log: {title: {ko: 쉰 기간의 로그, en: logarithm of months without work}}
  benefit_days_ahead: {title: {ko: "앞으로 180일 중 구직급여가 남은 날", en: days of the next 180 with benefit left}, tests: [{range: {min: 0, max: 180}}]}
  benefit_ahead: {title: {ko: 앞으로 남은 구직급여 기간, en: benefit left ahead}}
  prior_finds: {title: {ko: 이전 구직에서 취업한 횟수, en: earlier registrations that ended in an insured job}}
  prior_search_days: {title: {ko: 이전 구직에서 찾던 날, en: days searched under earlier registrations}}
  finding_pace: {title: {ko: 이전 구직의 취업 속도(로그), en: logarithm of finds per month of earlier search}}
  prior_applications: {title: {ko: 이전 구직의 지원 건수, en: applications under earlier registrations}}
  search_score: {title: {ko: 구직준비도 검사 점수, en: score of the job search readiness test}}
  finds_per_registration: {title: {ko: 지난달 피보험자격 취득 대 최근 3개월 구직신청, en: insured jobs begun last month over registrations of the last three}}
  openings_per_seeker: {title: {ko: "지난달 같은 직종·지역의 구인배수", en: openings per seeker in occupation group and province last month}}
  openings_per_seeker_occupation: {title: {ko: 지난달 같은 직종의 구인배수, en: openings per seeker in the occupation group last month}}
  search_known_on: {description: "the last day on which anything used of registrations, tests and the market became known; that of the registration is its day"}
  work_known_on: {description: "the last day on which anything used of insured, daily and contract work became known; null where nothing was"}
  benefit_known_on: {description: "the last day on which anything used of claims and payments became known; null where nothing was"}
  training_known_on: {description: "the last day on which anything used of trainings became known; null where nothing was"}
---*/
with seeker as (
  select * from {{ ref('seeker') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
claim as (
  select * from {{ ref('claim') }}
),
certification as (
  select * from {{ ref('certification') }}
),
enrolment as (
  select * from {{ source('hrd_enrolment') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
daily_work as (
  select * from {{ ref('daily_work') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
occupation as (
  select * from {{ seed('keco_minor') }}
),
contractor_spell as (
  select * from {{ ref('contractor_spell') }}
),
match_event as (
  select * from {{ ref('match_event') }}
),
assessment as (
  select * from {{ ref('assessment') }}
),
registration as (
  select
    seeker.*,
    age_at(seeker.birth_date, seeker.registered_on) as age,
    add_months(seeker.month, -1) as month_before
  from seeker
  where seeker.registered_on <= date '{{ var('as_of') }}'
),
earlier as (
  select
    registration.seeker_no,
    registration.person_key,
    registration.registered_on,
    earlier.seeker_no as earlier_no,
    earlier.registered_on as earlier_on
  from registration
  inner join seeker as earlier
    on earlier.person_key = registration.person_key
  where earlier.registered_on < registration.registered_on
),
earlier_registration as (
  select
    earlier.seeker_no,
    count(*) as registrations,
    max(earlier.earlier_on) as registered_on
  from earlier
  group by earlier.seeker_no
),
-- how each earlier search went as far as it was known on the day: the first insured job within its 180 days
earlier_find as (
  select earlier.seeker_no, earlier.earlier_no, min(insured_spell.acquired_on) as found_on
  from earlier
  inner join insured_spell
    on insured_spell.person_key = earlier.person_key
  where insured_spell.acquired_on > earlier.earlier_on
    and insured_spell.acquired_on <= add_days(earlier.earlier_on, 180)
    and insured_spell.acquired_on <= earlier.registered_on
    and insured_spell.acquired_reported_on <= earlier.registered_on
    and not (insured_spell.cancelled and insured_spell.lost_reported_on <= earlier.registered_on)
  group by earlier.seeker_no, earlier.earlier_no
),
search_history as (
  select
    earlier.seeker_no,
    count(earlier_find.found_on) as finds,
    sum(days_between(earlier.earlier_on,
      coalesce(earlier_find.found_on, least(add_days(earlier.earlier_on, 180), earlier.registered_on)))) as days
  from earlier
  left join earlier_find
    on earlier_find.seeker_no = earlier.seeker_no
    and earlier_find.earlier_no = earlier.earlier_no
  group by earlier.seeker_no
),
application_history as (
  select earlier.seeker_no, count(*) as applications
  from earlier
  inner join match_event
    on match_event.seeker_no = earlier.earlier_no
  where match_event.kind = 'apply'
    and match_event.known_on <= earlier.registered_on
  group by earlier.seeker_no
),
test_history as (
  select
    registration.seeker_no,
    avg(cast(assessment.score as double) / cast(assessment.answered as double)) as score,
    max(assessment.known_on) as known_on
  from registration
  inner join assessment
    on assessment.person_key = registration.person_key
  where assessment.test = 'SRT'
    and assessment.answered > 0
    and assessment.known_on <= registration.registered_on
  group by registration.seeker_no
),
contract_history as (
  select
    registration.seeker_no,
    max(least(coalesce(contractor_spell.insured_to, registration.registered_on), registration.registered_on)) as last_on,
    max(contractor_spell.known_on) as known_on
  from registration
  inner join contractor_spell
    on contractor_spell.person_key = registration.person_key
  where contractor_spell.insured_from <= registration.registered_on
    and contractor_spell.known_on <= registration.registered_on
  group by registration.seeker_no
),
-- spells as the office could see them on the day: a loss not yet reported leaves the spell open
known_spell as (
  select
    registration.seeker_no,
    registration.registered_on,
    insured_spell.workplace_no,
    insured_spell.acquired_on,
    case when insured_spell.lost_reported_on <= registration.registered_on then insured_spell.insured_to end as insured_to,
    case when insured_spell.lost_reported_on <= registration.registered_on then insured_spell.loss_reason end as loss_reason,
    insured_spell.monthly_wage_won,
    insured_spell.weekly_hours,
    insured_spell.contract_kind,
    insured_spell.occupation,
    greatest(insured_spell.acquired_reported_on,
      case when insured_spell.lost_reported_on <= registration.registered_on then insured_spell.lost_reported_on end) as known_on,
    -- unique within a person, so max() picks one spell: the latest acquired, then the higher workplace number
    cast(arrow_cast(insured_spell.acquired_on, 'Int32') as bigint) * 100000000000
      + cast(insured_spell.workplace_no as bigint) as recency
  from registration
  inner join insured_spell
    on insured_spell.person_key = registration.person_key
  where insured_spell.acquired_on <= registration.registered_on
    and insured_spell.acquired_reported_on <= registration.registered_on
    and not (insured_spell.cancelled and insured_spell.lost_reported_on <= registration.registered_on)
),
-- by workplace first: distinct workplaces of a million registrations would each need a set in memory
known_employer as (
  select
    known_spell.seeker_no,
    known_spell.workplace_no,
    count(*) as spells,
    bool_or(coalesce(known_spell.insured_to, known_spell.registered_on) >= add_days(known_spell.registered_on, -1095)) as within_36,
    sum(days_overlap(known_spell.acquired_on, coalesce(known_spell.insured_to, known_spell.registered_on),
        add_days(known_spell.registered_on, -1095), known_spell.registered_on)) as insured_days_36,
    sum(days_overlap(known_spell.acquired_on, coalesce(known_spell.insured_to, known_spell.registered_on),
        add_days(known_spell.registered_on, -365), known_spell.registered_on)) as insured_days_12,
    bool_or(known_spell.insured_to is null or known_spell.insured_to >= known_spell.registered_on) as insured_now,
    max(known_spell.insured_to) as last_insured_on,
    max(known_spell.recency) as recency,
    max(known_spell.known_on) as known_on
  from known_spell
  group by known_spell.seeker_no, known_spell.workplace_no
),
spell_history as (
  select
    known_employer.seeker_no,
    sum(known_employer.spells) as spells,
    count(*) filter (where known_employer.within_36) as employers_36,
    sum(known_employer.insured_days_36) as insured_days_36,
    sum(known_employer.insured_days_12) as insured_days_12,
    bool_or(known_employer.insured_now) as insured_now,
    max(known_employer.last_insured_on) as last_insured_on,
    max(known_employer.recency) as recency,
    max(known_employer.known_on) as known_on
  from known_employer
  group by known_employer.seeker_no
),
last_spell as (
  select known_spell.*, occupation.major, workplace.section
  from known_spell
  inner join spell_history
    on spell_history.seeker_no = known_spell.seeker_no
    and spell_history.recency = known_spell.recency
  left join occupation
    on occupation.occupation = known_spell.occupation
  left join workplace
    on workplace.workplace_no = known_spell.workplace_no
    and workplace.known_on <= date '{{ var('as_of') }}'
),
daily_history as (
  select
    registration.seeker_no,
    sum(daily_work.days) as days,
    max(month_end(daily_work.month)) as last_on,
    max(daily_work.reported_on) as known_on
  from registration
  inner join daily_work
    on daily_work.person_key = registration.person_key
  where daily_work.reported_on <= registration.registered_on
    and daily_work.month < registration.month
    and daily_work.month >= add_months(registration.month, -12)
  group by registration.seeker_no
),
known_claim as (
  select
    registration.seeker_no,
    registration.registered_on,
    claim.claim_no,
    claim.applied_on,
    claim.separated_on,
    claim.entitled_days,
    claim.benefit_daily_won
  from registration
  inner join claim
    on claim.person_key = registration.person_key
  where claim.applied_on <= registration.registered_on
),
claim_history as (
  select known_claim.seeker_no, count(*) as claims, max(known_claim.applied_on) as applied_on
  from known_claim
  group by known_claim.seeker_no
),
claim_paid as (
  select
    known_claim.seeker_no,
    known_claim.claim_no,
    sum(certification.days_paid) as days_paid,
    max(certification.certified_on) as known_on
  from known_claim
  inner join certification
    on certification.claim_no = known_claim.claim_no
  where certification.certified_on < known_claim.registered_on
  group by known_claim.seeker_no, known_claim.claim_no
),
-- two claims on one day do not happen; max() keeps the row single if they ever do
last_claim as (
  select
    known_claim.seeker_no,
    max(known_claim.applied_on) as applied_on,
    max(known_claim.separated_on) as separated_on,
    max(known_claim.entitled_days) as entitled_days,
    max(known_claim.benefit_daily_won) as benefit_daily_won,
    max(known_claim.entitled_days - cast(coalesce(claim_paid.days_paid, 0) as bigint)) as entitled_days_left,
    max(greatest(known_claim.applied_on, claim_paid.known_on)) as known_on
  from known_claim
  inner join claim_history
    on claim_history.seeker_no = known_claim.seeker_no
    and claim_history.applied_on = known_claim.applied_on
  left join claim_paid
    on claim_paid.seeker_no = known_claim.seeker_no
    and claim_paid.claim_no = known_claim.claim_no
  group by known_claim.seeker_no
),
-- enrolments as they had been delivered by the day: a course is delivered again when it is completed
known_course as (
  select
    registration.seeker_no,
    enrolment.course_no,
    bool_or(enrolment.completed
      and enrolment.to_on < registration.registered_on
      and enrolment.to_on >= add_months(registration.registered_on, -24)) as completed_24,
    bool_or(enrolment.from_on <= registration.registered_on
      and enrolment.to_on >= registration.registered_on) as is_current,
    max(enrolment._known_on) as known_on
  from registration
  inner join enrolment
    on enrolment.person_key = registration.person_key
  where enrolment._known_on <= registration.registered_on
  group by registration.seeker_no, enrolment.course_no
),
training_history as (
  select
    known_course.seeker_no,
    count(*) filter (where known_course.completed_24) as completed_24,
    count(*) filter (where known_course.is_current) as current_courses,
    max(known_course.known_on) as known_on
  from known_course
  group by known_course.seeker_no
),
{{ wish_cells('registration') }},
-- what the insurance and the service saw of the month before the registration's month and its two predecessors
acquired_by_month as (
  select month_start(insured_spell.acquired_on) as month, count(*) as acquired
  from insured_spell
  where insured_spell.acquired_reported_on <= date '{{ var('as_of') }}'
  group by month_start(insured_spell.acquired_on)
),
registered_by_month as (
  select registration.month, count(*) as registered from registration group by registration.month
),
macro as (
  select
    cell.month,
    cast(max(acquired_by_month.acquired) as double) / cast(sum(before.registered) as double) as finds_per_registration
  from registered_by_month as cell
  inner join registered_by_month as before
    on before.month < cell.month
    and before.month >= add_months(cell.month, -3)
  left join acquired_by_month
    on acquired_by_month.month = add_months(cell.month, -2)
  group by cell.month
),
{{ market_cells('vacancy') }},
-- the last day with work that was known; a claim states the day of a separation that was not reported yet
last_work as (
  select
    registration.seeker_no,
    greatest(
      case when spell_history.insured_now and last_claim.separated_on >= last_spell.acquired_on then last_claim.separated_on
           when spell_history.insured_now then registration.registered_on
           else spell_history.last_insured_on end,
      last_claim.separated_on,
      daily_history.last_on,
      contract_history.last_on) as worked_on,
    case when days_between(last_claim.applied_on, registration.registered_on) <= 365
         then least(180, greatest(0, last_claim.entitled_days + 7
           - days_between(last_claim.applied_on, registration.registered_on))) else 0 end as benefit_days_ahead,
    greatest(spell_history.known_on, last_claim.known_on, daily_history.known_on, contract_history.known_on) as known_on
  from registration
  left join spell_history
    on spell_history.seeker_no = registration.seeker_no
  left join last_spell
    on last_spell.seeker_no = registration.seeker_no
  left join last_claim
    on last_claim.seeker_no = registration.seeker_no
  left join daily_history
    on daily_history.seeker_no = registration.seeker_no
  left join contract_history
    on contract_history.seeker_no = registration.seeker_no
),
employment_success as (
  select
    -- ids and dates
    registration.seeker_no,
    registration.person_key,
    registration.registered_on,
    registration.month,
    -- person
    registration.sex,
    registration.age,
    {{ age_band('registration.age') }} as age_band,
    registration.education,
    registration.licences,
    registration.career_months,
    -- wishes
    registration.desired_contract,
    registration.wished_major,
    registration.wished_sido,
    cast(registration.wished_wage_won as double) / 10000.0 as wished_wage_10k,
    lpad(cast(cast(date_part('month', registration.registered_on) as int) as varchar), 2, '0') as registered_calendar_month,
    registration.wished_occupation,
    least(4, registration.licences) as licences_to_four,
    ln(1.0 + cast(registration.career_months as double) / 12.0) as career_log,
    greatest(0, registration.age - 36) as years_over_36,
    greatest(0, 25 - registration.age) as years_under_25,
    age_at(registration.birth_date, add_days(registration.registered_on, 360)) >= 65 as near_65,
    case when registration.wished_wage_won > 0 and last_spell.monthly_wage_won > 0
         then ln(cast(registration.wished_wage_won as double) / cast(last_spell.monthly_wage_won as double)) end as wish_to_last_log,
    case when registration.wished_wage_won > 0
         then ln(cast(registration.wished_wage_won as double) / wish_before.won) end as wish_to_market_log,
    case when last_spell.monthly_wage_won > 0
         then ln(cast(last_spell.monthly_wage_won as double) / wish_before.won) end as last_to_market_log,
    -- time without work
    coalesce(least(365, greatest(0, days_between(last_work.worked_on, registration.registered_on))), 365) as idle_days,
    ln(1.0 + cast(coalesce(least(365, greatest(0, days_between(last_work.worked_on, registration.registered_on))), 365) as double)
      / 30.0) as idle_log,
    coalesce(days_between(last_work.worked_on, registration.registered_on) > 365, true) as idle_a_year,
    -- earlier registrations
    case
      when days_between(earlier_registration.registered_on, registration.registered_on) <= 90 then '1-90'
      when days_between(earlier_registration.registered_on, registration.registered_on) <= 180 then '91-180'
      when days_between(earlier_registration.registered_on, registration.registered_on) <= 270 then '181-270'
      when days_between(earlier_registration.registered_on, registration.registered_on) <= 365 then '271-365'
      else 'none' end as registration_gap,
    cast(coalesce(search_history.finds, 0) as int) as prior_finds,
    cast(coalesce(search_history.days, 0) as int) as prior_search_days,
    case when search_history.days > 0
         then ln((cast(search_history.finds as double) + 1.0) / (cast(search_history.days as double) / 30.0 + 6.0)) end as finding_pace,
    cast(coalesce(application_history.applications, 0) as int) as prior_applications,
    test_history.score as search_score,
    cast(coalesce(earlier_registration.registrations, 0) as int) as prior_registrations,
    days_between(earlier_registration.registered_on, registration.registered_on) as days_since_registration,
    -- insured history
    cast(coalesce(spell_history.spells, 0) as int) as prior_spells,
    least(36.0, cast(coalesce(spell_history.insured_days_36, 0) as double) / 30.4375) as insured_months_36,
    least(12.0, cast(coalesce(spell_history.insured_days_12, 0) as double) / 30.4375) as insured_months_12,
    cast(coalesce(spell_history.employers_36, 0) as int) as employers_36,
    coalesce(spell_history.insured_now, false) as insured_at_registration,
    spell_history.seeker_no is null as never_insured,
    case when spell_history.insured_now then 0
         else days_between(spell_history.last_insured_on, registration.registered_on) end as days_since_separation,
    case
      when spell_history.seeker_no is null then 'never'
      when spell_history.insured_now then 'insured'
      when days_between(spell_history.last_insured_on, registration.registered_on) <= 30 then 'month'
      when days_between(spell_history.last_insured_on, registration.registered_on) <= 90 then 'quarter'
      when days_between(spell_history.last_insured_on, registration.registered_on) <= 365 then 'year'
      else 'longer' end as separation_recency,
    -- last job
    coalesce(last_spell.loss_reason, 'none') as last_loss_reason,
    months_between(last_spell.acquired_on, coalesce(last_spell.insured_to, registration.registered_on)) as last_tenure_months,
    cast(last_spell.monthly_wage_won as double) / 10000.0 as last_wage_10k,
    case when last_spell.monthly_wage_won > 0
         then least(5.0, cast(registration.wished_wage_won as double) / cast(last_spell.monthly_wage_won as double)) end as wished_to_last_wage,
    last_spell.weekly_hours as last_weekly_hours,
    coalesce(last_spell.contract_kind, 'none') as last_contract_kind,
    coalesce(last_spell.section, 'none') as last_section,
    coalesce(last_spell.major, 'none') as last_major,
    last_spell.occupation as last_occupation,
    coalesce(last_spell.occupation = registration.wished_occupation, false) as same_occupation,
    cast(coalesce(daily_history.days, 0) as int) as daily_work_days_12,
    -- benefit
    case
      when last_claim.seeker_no is null then 'none'
      when last_claim.entitled_days_left > 0 and days_between(last_claim.applied_on, registration.registered_on) <= 365 then 'open'
      else 'past' end as claim_state,
    cast(coalesce(claim_history.claims, 0) as int) as prior_claims,
    days_between(last_claim.applied_on, registration.registered_on) as days_since_claim,
    cast(last_claim.benefit_daily_won as double) / 1000.0 as benefit_daily_1k,
    case when days_between(last_claim.applied_on, registration.registered_on) <= 365
         then greatest(cast(last_claim.entitled_days_left as int), 0) else 0 end as entitled_days_left,
    cast(last_work.benefit_days_ahead as int) as benefit_days_ahead,
    case
      when last_work.benefit_days_ahead = 0 then '0'
      when last_work.benefit_days_ahead <= 30 then '1-30'
      when last_work.benefit_days_ahead <= 90 then '31-90'
      when last_work.benefit_days_ahead <= 120 then '91-120'
      when last_work.benefit_days_ahead <= 150 then '121-150'
      when last_work.benefit_days_ahead < 180 then '151-179'
      else '180' end as benefit_ahead,
    -- training
    cast(coalesce(training_history.completed_24, 0) as int) as trainings_completed_24,
    coalesce(training_history.current_courses > 0, false) as in_training,
    -- demand in the month before
    macro.finds_per_registration,
    cast(coalesce(opening_cell.openings, 0) as double) / (cast(coalesce(seeker_cell.seekers, 0) as double) + 1.0) as openings_per_seeker,
    cast(coalesce(opening_major.openings, 0) as double) / (cast(coalesce(seeker_major.seekers, 0) as double) + 1.0) as openings_per_seeker_occupation,
    -- the last day on which anything used became known
    greatest(registration.registered_on, earlier_registration.registered_on, test_history.known_on, wish_before.known_on,
      opening_cell.known_on, seeker_cell.known_on, opening_major.known_on, seeker_major.known_on) as search_known_on,
    greatest(last_work.known_on, wish_before.known_on) as work_known_on,
    last_claim.known_on as benefit_known_on,
    training_history.known_on as training_known_on
  from registration
  left join earlier_registration
    on earlier_registration.seeker_no = registration.seeker_no
  left join spell_history
    on spell_history.seeker_no = registration.seeker_no
  left join last_spell
    on last_spell.seeker_no = registration.seeker_no
  left join daily_history
    on daily_history.seeker_no = registration.seeker_no
  left join claim_history
    on claim_history.seeker_no = registration.seeker_no
  left join last_claim
    on last_claim.seeker_no = registration.seeker_no
  left join training_history
    on training_history.seeker_no = registration.seeker_no
  left join search_history
    on search_history.seeker_no = registration.seeker_no
  left join application_history
    on application_history.seeker_no = registration.seeker_no
  left join test_history
    on test_history.seeker_no = registration.seeker_no
  left join last_work
    on last_work.seeker_no = registration.seeker_no
  left join wish_before
    on wish_before.wished_occupation = registration.wished_occupation
    and wish_before.month = registration.month
  left join macro
    on macro.month = registration.month
  left join opening_cell
    on opening_cell.month = registration.month_before
    and opening_cell.major = registration.wished_major
    and opening_cell.sido = registration.wished_sido
  left join seeker_cell
    on seeker_cell.month = registration.month_before
    and seeker_cell.major = registration.wished_major
    and seeker_cell.sido = registration.wished_sido
  left join opening_major
    on opening_major.month = registration.month_before
    and opening_major.major = registration.wished_major
  left join seeker_major
    on seeker_major.month = registration.month_before
    and seeker_major.major = registration.wished_major
)
select * from employment_success
