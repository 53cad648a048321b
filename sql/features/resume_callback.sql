/*---
description:
  ko: 이력서 회신 실험의 특성(연구자료)
  en: >-
    traits of invented resumes and of the advertisements they answered; race and gender are those of the randomised name (research data)
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
  select * from {{ source('resume_callback') }}
),
resume_callback as (
  select
    -- ids and dates
    sample.row_no,
    sample._known_on as recorded_on,
    -- what was known before the outcome
    sample.race,
    sample.gender,
    sample.job_city,
    sample.job_industry,
    sample.job_type,
    sample.job_fed_contractor,
    sample.job_equal_opp_employer,
    sample.job_ownership,
    sample.job_req_any,
    sample.job_req_communication,
    sample.job_req_education,
    sample.job_req_min_experience,
    sample.job_req_computer,
    sample.job_req_organization,
    sample.job_req_school,
    sample.years_college,
    sample.college_degree,
    sample.honors,
    sample.worked_during_school,
    sample.years_experience,
    sample.computer_skills,
    sample.special_skills,
    sample.volunteer,
    sample.military,
    sample.employment_holes,
    sample.has_email_address,
    sample.resume_quality
  from sample
  where sample._known_on <= date '{{ var('as_of') }}'
)
select * from resume_callback
