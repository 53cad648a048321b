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
  job_city: {title: {ko: 도시, en: city of the job}}
  job_industry: {title: {ko: 산업, en: industry of the job}}
  job_type: {title: {ko: 직무, en: kind of job}}
  job_fed_contractor: {title: {ko: 연방 계약업체, en: federal contractor}}
  job_equal_opp_employer: {title: {ko: 평등 고용을 밝힘, en: says it is an equal opportunity employer}}
  job_ownership: {title: {ko: 소유 형태, en: ownership of the firm}}
  job_req_any: {title: {ko: 요건 있음, en: states any requirement}}
  job_req_communication: {title: {ko: 의사소통 능력 요구, en: asks for communication skills}}
  job_req_education: {title: {ko: 학력 요구, en: asks for education}}
  job_req_min_experience: {title: {ko: 최소 경력 요구, en: least experience asked for}}
  job_req_computer: {title: {ko: 컴퓨터 능력 요구, en: asks for computer skills}}
  job_req_organization: {title: {ko: 조직 능력 요구, en: asks for organisation skills}}
  job_req_school: {title: {ko: 요구하는 학교 수준, en: level of school asked for}}
  years_college: {title: {ko: 대학 재학 연수, en: years of college}}
  college_degree: {title: {ko: 대학 졸업, en: college degree}}
  honors: {title: {ko: 수상 경력, en: honours}}
  worked_during_school: {title: {ko: 재학 중 일함, en: worked during school}}
  years_experience: {title: {ko: 경력 연수, en: years of experience}}
  computer_skills: {title: {ko: 컴퓨터 능력, en: computer skills}}
  special_skills: {title: {ko: 특기, en: special skills}}
  volunteer: {title: {ko: 봉사 경험, en: volunteered}}
  military: {title: {ko: 군 경력, en: military experience}}
  employment_holes: {title: {ko: 경력 공백, en: gaps in employment}}
  has_email_address: {title: {ko: 이메일 주소 있음, en: has an e-mail address}}
  resume_quality: {title: {ko: 이력서 수준, en: quality of the resume}}
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
