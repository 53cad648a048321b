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
