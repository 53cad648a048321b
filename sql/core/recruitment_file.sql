/*---
description: {ko: "공공기관 채용의 첨부파일(공고문, 입사지원서, 직무기술서)", en: "files attached to public recruitment: notice, application form, job description"}
grain: [origin, file_no]
materialized: table
owner: core
columns:
  origin: {description: "monthly_list or open_api, as in recruitment_step", tests: [{accepted_values: [monthly_list, open_api]}]}
  document: {description: "what the file is, by its kind or else by its name", tests: [{accepted_values: [notice, form, job_description, other]}]}
---*/
with monthly as (
  select * from {{ source('alio_posting_file') }}
),
detail as (
  select * from {{ source('alio_recruitment_file') }}
),
monthly_latest as (
  {{ latest_version('monthly', ['file_no']) }}
),
detail_latest as (
  {{ latest_listed('detail', ['file_no']) }}
),
-- both lists number a notice and what belongs to it alike
detail_only as (
  select detail_latest.*
  from detail_latest
  left join monthly_latest
    on monthly_latest.file_no = detail_latest.file_no
    and monthly_latest.posting_no = detail_latest.posting_no
  where monthly_latest.file_no is null
),
listed as (
  select 'monthly_list' as origin, file_no, posting_no, file_name, file_kind, sort_order, _known_on
  from monthly_latest
  union all
  select 'open_api' as origin, file_no, posting_no, file_name, file_kind, sort_order, _known_on
  from detail_only
),
recruitment_file as (
  select
    -- ids
    listed.origin,
    listed.file_no,
    listed.posting_no,
    listed.file_name,
    case
      when listed.file_name like '%공고%' then 'notice'
      when listed.file_name like '%지원서%' then 'form'
      when listed.file_name like '%직무%' then 'job_description'
      else 'other' end as document,
    listed.sort_order,
    -- dates
    listed._known_on as known_on
  from listed
)
select * from recruitment_file
