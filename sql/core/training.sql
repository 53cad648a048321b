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
versions as (
  select changes.person_key, changes.course_no, max({{ row_version('changes') }}) as version
  from changes
  group by changes.person_key, changes.course_no
),
course_versions as (
  select course_row.course_no, max({{ row_version('course_row') }}) as version
  from course_row
  group by course_row.course_no
),
course as (
  select course_row.*
  from course_row
  inner join course_versions
    on course_versions.course_no = course_row.course_no
    and course_versions.version = {{ row_version('course_row') }}
),
training as (
  select
    -- ids
    changes.person_key,
    changes.course_no,
    course.ncs,
    course.sigungu,
    -- dates
    changes.from_on,
    changes.to_on,
    changes._known_on as known_on,
    -- course
    changes.completed,
    course.hours,
    -- amounts
    course.fee_won
  from changes
  inner join versions
    on versions.person_key = changes.person_key
    and versions.course_no = changes.course_no
    and versions.version = {{ row_version('changes') }}
  left join course
    on course.course_no = changes.course_no
)
select * from training
