/*---
description:
  ko: 직업훈련 실험 참가자의 특성(연구자료)
  en: >-
    traits of applicants to Job Corps at random assignment, and the assignment (research data)
grain: [row_no]
materialized: table
owner: learning
tags: [research]
sort_by: [row_no]
columns:
  row_no: {tests: [not_null]}
  recorded_on: {description: the day the file became known; the data have no time of their own}
  assignment: {title: {ko: 훈련에 배정됨, en: assigned to training}}
  female: {title: {ko: 여성, en: female}}
  age: {title: {ko: 나이, en: age}}
  white: {title: {ko: 백인, en: white}}
  black: {title: {ko: 흑인, en: black}}
  hispanic: {title: {ko: 히스패닉, en: Hispanic}}
  educ: {title: {ko: 학력(햇수), en: years of education}}
  educmis: {title: {ko: 학력을 모름, en: education unknown}}
  geddegree: {title: {ko: 고졸 검정고시, en: GED degree}}
  hsdegree: {title: {ko: 고교 졸업, en: high-school degree}}
  english: {title: {ko: 영어가 모어, en: English is the first language}}
  cohabmarried: {title: {ko: 동거 또는 기혼, en: cohabiting or married}}
  haschild: {title: {ko: 자녀 있음, en: has a child}}
  everwkd: {title: {ko: 일한 적 있음, en: ever worked}}
  mwearn: {title: {ko: 평균 주급, en: mean weekly earnings}}
  hhsize: {title: {ko: 가구원 수, en: size of the household}}
  hhsizemis: {title: {ko: 가구원 수를 모름, en: size of the household unknown}}
  educmum: {title: {ko: 어머니 학력(햇수), en: "mother's years of education"}}
  educmummis: {title: {ko: 어머니 학력을 모름, en: "mother's education unknown"}}
  educdad: {title: {ko: 아버지 학력(햇수), en: "father's years of education"}}
  educdadmis: {title: {ko: 아버지 학력을 모름, en: "father's education unknown"}}
  welfarechild: {title: {ko: 어릴 때 복지 수급, en: on welfare as a child}}
  welfarechildmis: {title: {ko: 어릴 때 복지 수급을 모름, en: welfare as a child unknown}}
  health: {title: {ko: 건강 상태(1이 가장 좋음), en: "general health, 1 is best"}}
  healthmis: {title: {ko: 건강 상태를 모름, en: health unknown}}
  smoke: {title: {ko: 흡연 정도, en: extent of smoking}}
  smokemis: {title: {ko: 흡연을 모름, en: smoking unknown}}
  alcohol: {title: {ko: 음주 정도, en: extent of drinking}}
  alcoholmis: {title: {ko: 음주를 모름, en: drinking unknown}}
---*/
with sample as (
  select * from {{ source('job_corps') }}
),
job_corps as (
  select
    -- ids and dates
    cast(sample._row_number as bigint) as row_no,
    sample._known_on as recorded_on,
    -- what was known before the outcome
    sample.assignment,
    sample.female,
    sample.age,
    sample.white,
    sample.black,
    sample.hispanic,
    sample.educ,
    sample.educmis,
    sample.geddegree,
    sample.hsdegree,
    sample.english,
    sample.cohabmarried,
    sample.haschild,
    sample.everwkd,
    sample.mwearn,
    sample.hhsize,
    sample.hhsizemis,
    sample.educmum,
    sample.educmummis,
    sample.educdad,
    sample.educdadmis,
    sample.welfarechild,
    sample.welfarechildmis,
    sample.health,
    sample.healthmis,
    sample.smoke,
    sample.smokemis,
    sample.alcohol,
    sample.alcoholmis
  from sample
  where sample._known_on <= date '{{ var('as_of') }}'
)
select * from job_corps
