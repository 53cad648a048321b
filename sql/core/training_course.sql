/*---
description:
  ko: 훈련과정 회차. 행정자료와 공개 API의 과정을 함께 둔다.
  en: runs of training courses, from the administrative file and from the open interface
grain: [origin, course_no]
materialized: table
owner: core
legal_basis: 국민 평생 직업능력 개발법 제12조 · 제19조
tests:
  - {expression: "ends_on >= starts_on"}
columns:
  origin: {tests: [{accepted_values: [administrative, open_api]}]}
  course_no: {description: "number of the run; of the open interface the course and its round"}
  counts: {description: "false where the open interface lists a run that the administrative file has too: rows that count are each run once", tests: [not_null]}
  ncs_major: {description: first two digits of the NCS code}
  hours: {tests: [{range: {min: 1}}]}
---*/
with administrative as (
  select * from {{ source('hrd_course') }}
),
listed as (
  select * from {{ source('hrdnet_course') }}
),
administrative_latest as (
  {{ latest_version('administrative', ['course_no']) }}
),
listed_latest as (
  {{ latest_listed('listed', ['course_no', 'round']) }}
),
listed_run as (
  select
    listed_latest.*,
    concat(listed_latest.course_no, '-', listed_latest.round) as run_no,
    administrative_latest.course_no is null as counts
  from listed_latest
  left join administrative_latest
    on administrative_latest.course_no = listed_latest.course_no
),
training_course as (
  select
    -- ids
    'administrative' as origin,
    course_no,
    true as counts,
    title,
    institution,
    ncs,
    substr(ncs, 1, 2) as ncs_major,
    sigungu,
    substr(sigungu, 1, 2) as sido,
    -- dates
    starts_on,
    ends_on,
    _known_on as known_on,
    -- size
    hours,
    fee_won
  from administrative_latest
  union all
  select
    'open_api' as origin,
    run_no as course_no,
    counts,
    title,
    institution,
    cast(null as varchar) as ncs,
    cast(null as varchar) as ncs_major,
    sigungu,
    substr(sigungu, 1, 2) as sido,
    starts_on,
    ends_on,
    _known_on as known_on,
    cast(null as int) as hours,
    fee_won
  from listed_run
)
select * from training_course
