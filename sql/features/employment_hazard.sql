/*---
description:
  ko: 구직신청 뒤 여섯 달의 각 달. 신청일에 알 수 있었던 것과 몇째 달인지가 한 줄에 있다.
  en: >-
    the six months after a registration, one row each: what could be known on the day of registration, and which month
    of the search it is. The months of the discrete-time hazard
grain: [seeker_no, searching_from]
materialized: table
owner: learning
legal_basis: 직업안정법 제9조 · 고용보험법 제15조 · 제42조 · 제43조 · 국민 평생 직업능력 개발법 제6조
sort_by: [seeker_no]
columns:
  seeker_no: {tests: [not_null]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  searching_from: {description: "the day the month of search begins: registration and then every 30 days"}
  search_month: {title: {ko: 구직 몇째 달, en: month of the search}, tests: [{range: {min: 1, max: 6}}]}
  wished_occupation: {title: {ko: 희망 직종, en: occupation wished}}
  wished_sido: {title: {ko: 희망 근무 시도, en: province wished}}
  desired_contract: {title: {ko: 희망 고용형태, en: contract wished}}
  education: {title: {ko: 학력, en: education}}
  licences_to_four: {title: {ko: "자격증 수(4개까지)", en: "number of licences, up to four"}}
  career_log: {title: {ko: 경력의 로그, en: logarithm of years of experience}}
  age: {title: {ko: 나이, en: age}}
  years_over_36: {title: {ko: 36세를 넘는 햇수, en: years of age over 36}}
  years_under_25: {title: {ko: 25세에 못 미치는 햇수, en: years of age under 25}}
  near_65: {title: {ko: "1년 안에 65세(신규 취업은 실업급여 적용 제외)", en: "65 within a year, when new hires are no longer insured"}}
  wish_to_market_log: {title: {ko: 희망 임금 대 같은 직종 지난해 희망 임금의 로그, en: logarithm of the wage wished over that of the occupation last year}}
  registration_gap: {title: {ko: 직전 구직신청 뒤 기간(1년까지), en: time since the last registration within a year}}
  search_score: {title: {ko: 구직준비도 검사 점수, en: score of the job search readiness test}}
  openings_per_seeker: {title: {ko: "지난달 같은 직종·지역의 구인배수", en: openings per seeker in occupation group and province last month}}
  openings_per_seeker_occupation: {title: {ko: 지난달 같은 직종의 구인배수, en: openings per seeker in the occupation group last month}}
  idle_days: {title: {ko: "마지막으로 일한 뒤 지난 날(365까지)", en: "days since the last known work, up to 365"}}
  idle_log: {title: {ko: 쉰 기간의 로그, en: logarithm of months without work}}
  idle_a_year: {title: {ko: 1년 안에 일한 기록 없음, en: no work known within a year}}
  insured_at_registration: {title: {ko: 신청일 현재 피보험(상실 미신고 포함), en: "insured at registration, as far as reported"}}
  same_occupation: {title: {ko: 희망 직종이 직전 직종과 같음, en: wishes the last occupation}}
  wish_to_last_log: {title: {ko: 희망 임금 대 직전 임금의 로그, en: logarithm of the wage wished over the last}}
  last_to_market_log: {title: {ko: 직전 임금 대 같은 직종 지난해 희망 임금의 로그, en: logarithm of the last wage over the wage wished in the occupation last year}}
  last_loss_reason: {title: {ko: 직전 이직 사유, en: reason of the last separation}}
  last_contract_kind: {title: {ko: 직전 고용형태, en: contract of the last job}}
  insured_months_12: {title: {ko: 최근 12개월 중 피보험 개월 수, en: insured months in the last 12}}
  daily_work_days_12: {title: {ko: 최근 12개월 일용 근로일, en: days of daily work in the last 12 months}}
  claim_state: {title: {ko: 구직급여 상태, en: state of benefit}}
  benefit_days_this_month: {title: {ko: 그달 중 구직급여가 남은 날, en: days of the month with benefit left}, tests: [{range: {min: 0, max: 30}}]}
  entitled_days_left: {title: {ko: 남은 소정급여일수, en: entitled days left}}
  in_training: {title: {ko: 훈련 중, en: in training}}
  sex: {title: {ko: 성별, en: sex}}
  age_band: {title: {ko: 연령대, en: age band}}
---*/
with employment_success as (
  select * from {{ ref('employment_success') }}
),
months as (
  select * from (values (1), (2), (3), (4), (5), (6)) as months (search_month)
),
employment_hazard as (
  select
    employment_success.seeker_no,
    employment_success.person_key,
    employment_success.registered_on,
    add_days(employment_success.registered_on, 30 * (months.search_month - 1)) as searching_from,
    cast(months.search_month as int) as search_month,
    employment_success.sex,
    employment_success.age_band,
    -- what is seen
    employment_success.wished_occupation,
    employment_success.wished_sido,
    employment_success.desired_contract,
    employment_success.education,
    employment_success.licences_to_four,
    employment_success.career_log,
    employment_success.age,
    employment_success.years_over_36,
    employment_success.years_under_25,
    employment_success.near_65,
    employment_success.wish_to_market_log,
    employment_success.registration_gap,
    employment_success.search_score,
    employment_success.openings_per_seeker,
    employment_success.openings_per_seeker_occupation,
    employment_success.idle_days,
    employment_success.idle_log,
    employment_success.idle_a_year,
    employment_success.insured_at_registration,
    employment_success.same_occupation,
    employment_success.wish_to_last_log,
    employment_success.last_to_market_log,
    employment_success.last_loss_reason,
    employment_success.last_contract_kind,
    employment_success.insured_months_12,
    employment_success.daily_work_days_12,
    employment_success.claim_state,
    employment_success.entitled_days_left,
    -- of the days of this month, those with benefit left
    greatest(0, least(30, employment_success.benefit_days_ahead - 30 * (cast(months.search_month as int) - 1)))
      as benefit_days_this_month,
    employment_success.in_training,
    -- the last day on which anything used became known
    employment_success.search_known_on,
    employment_success.work_known_on,
    employment_success.benefit_known_on,
    employment_success.training_known_on
  from employment_success
  cross join months
)
select * from employment_hazard
