/*---
description: {ko: 훈련 수강과 그 과정, en: enrolments in training with the course they belong to}
grain: [person_key, course_no]
materialized: table
owner: core
legal_basis: 국민 평생 직업능력 개발법 제18조
columns:
  person_key: {tags: [pseudonym]}
  known_on: {description: the last day this enrolment was delivered; completion is known from then on}
---*/
with changes as (
  select * from {{ source('hrd_enrolment') }}
),
course_row as (
  select * from {{ source('hrd_course') }}
),
course as (
  {{ latest_version('course_row', ['course_no']) }}
),
latest as (
  {{ latest_version('changes', ['person_key', 'course_no']) }}
),
training as (
  select
    -- ids
    latest.person_key,
    latest.course_no,
    course.ncs,
    course.sigungu,
    -- dates
    latest.from_on,
    latest.to_on,
    latest._known_on as known_on,
    -- course
    latest.completed,
    course.hours,
    -- amounts
    course.fee_won
  from latest
  left join course
    on course.course_no = latest.course_no
)
select * from training
