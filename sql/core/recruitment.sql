/*---
description:
  ko: 공공기관 채용공고. 기관유형·기관분류, 전형 단계와 첨부파일을 함께 둔다.
  en: recruitment notices of public institutions with the institution's type and class, the steps of selection and the files attached
grain: [origin, posting_no]
materialized: table
owner: core
legal_basis: 공공기관의 운영에 관한 법률 제11조
columns:
  origin: {description: "monthly_list (by period) or open_api (JobAlio's interface) for what no monthly list has brought yet", tests: [not_null, {accepted_values: [monthly_list, open_api]}]}
  institution_type: {description: "기관유형; null when the institution is not listed"}
  institution_class: {description: "기관분류; null when the institution is not listed"}
  field: {description: "채용분야, NCS names as delivered"}
  region: {description: "근무지, names of provinces as delivered"}
  sido: {description: "province of region, null when there are several or none"}
  month: {description: month of opening}
  openings: {tests: [{range: {min: 0}}]}
  applicants: {description: "applicants of the first step, null when no step is known"}
---*/
with monthly as (
  select * from {{ source('alio_posting') }}
),
open_list as (
  select * from {{ source('alio_recruitment') }}
),
institution as (
  select * from {{ ref('institution') }}
),
step as (
  select * from {{ ref('recruitment_step') }}
),
attached as (
  select * from {{ ref('recruitment_file') }}
),
sido as (
  select * from {{ seed('sido') }}
),
monthly_latest as (
  {{ latest_version('monthly', ['posting_no']) }}
),
open_latest as (
  {{ latest_listed('open_list', ['posting_no']) }}
),
-- both lists number a notice alike; another institution's notice of the same number is another one
open_only as (
  select open_latest.*
  from open_latest
  left join monthly_latest
    on monthly_latest.posting_no = open_latest.posting_no
    and monthly_latest.institution = open_latest.institution
  where monthly_latest.posting_no is null
),
posting as (
  select
    'monthly_list' as origin, posting_no, institution, title, ncs_name as field, hire_type, region,
    cast(null as varchar) as career, openings, opened_on, closes_on, _known_on
  from monthly_latest
  union all
  select
    'open_api' as origin, posting_no, institution, title, ncs_names as field, hire_types as hire_type, regions as region,
    career, openings, opens_on as opened_on, closes_on, _known_on
  from open_only
),
stepped as (
  select
    step.origin,
    step.posting_no,
    count(*) as steps,
    max(step.applicants) as applicants
  from step
  group by step.origin, step.posting_no
),
documented as (
  select
    attached.origin,
    attached.posting_no,
    count(*) as files,
    bool_or(attached.document = 'job_description') as has_job_description
  from attached
  group by attached.origin, attached.posting_no
),
recruitment as (
  select
    -- ids
    posting.origin,
    posting.posting_no,
    posting.title,
    institution.institution_no,
    posting.institution,
    institution.entity_id,
    institution.institution_type,
    institution.institution_class,
    -- dates
    posting.opened_on,
    month_start(posting.opened_on) as month,
    posting.closes_on,
    posting._known_on as known_on,
    -- terms
    posting.field,
    posting.hire_type,
    posting.career,
    posting.region,
    sido.sido,
    posting.openings,
    -- selection
    cast(coalesce(stepped.steps, 0) as int) as steps,
    stepped.applicants,
    cast(coalesce(documented.files, 0) as int) as files,
    coalesce(documented.has_job_description, false) as has_job_description
  from posting
  left join institution
    on institution.institution = posting.institution
  left join sido
    on sido.short_ko = posting.region
  left join stepped
    on stepped.origin = posting.origin
    and stepped.posting_no = posting.posting_no
  left join documented
    on documented.origin = posting.origin
    and documented.posting_no = posting.posting_no
)
select * from recruitment
