/*---
description:
  ko: 공공기관 채용공고를 잡알리오의 다섯 조건(기관유형·기관분류·기관명·채용분야·근무지)으로 찾는 표. 분야와 근무지마다 한 줄.
  en: >-
    recruitment notices of public institutions by the five filters of JobAlio (institution type, class, name, field,
    workplace): one row per notice, field and region, because a notice may name several
grain: [origin, posting_no, field, region]
materialized: table
owner: public_institutions
legal_basis: 공공기관의 운영에 관한 법률 제11조
tests:
  - {expression: "days_open is null or days_open >= 0"}
columns:
  institution_type: {description: "기관유형; unknown when the institution is not in the list of institutions"}
  institution_class: {description: "기관분류; unknown likewise"}
  institution: {description: 기관명}
  field: {description: "채용분야: one NCS name"}
  region: {description: "근무지: one province as written"}
  counts: {description: "true on one row of each notice: sums over those rows count every notice once"}
  days_open: {description: days from opening to the last day; null when no last day is given}
  state: {description: "open on the day of the night, closed, or not yet open", tests: [{accepted_values: [open, closed, ahead]}]}
  competition: {description: "applicants of the first step / openings; null while either is not known", tests: [{range: {min: 0}}]}
---*/
with recruitment as (
  select * from {{ ref('recruitment') }}
),
-- an empty text splits into nothing, and the notice would be lost
by_field as (
  select
    recruitment.origin,
    recruitment.posting_no,
    recruitment.region as regions,
    unnest(string_to_array(coalesce(nullif(trim(recruitment.field), ''), 'unknown'), ',')) as field_name
  from recruitment
),
by_region as (
  select
    by_field.origin,
    by_field.posting_no,
    by_field.field_name,
    unnest(string_to_array(coalesce(nullif(trim(by_field.regions), ''), 'unknown'), ',')) as region_name
  from by_field
),
named as (
  select
    by_region.origin,
    by_region.posting_no,
    case when trim(by_region.field_name) = '' then 'unknown' else trim(by_region.field_name) end as field,
    case when trim(by_region.region_name) = '' then 'unknown' else trim(by_region.region_name) end as region
  from by_region
),
entry as (
  select named.origin, named.posting_no, named.field, named.region
  from named
  group by named.origin, named.posting_no, named.field, named.region
),
first_field as (
  select entry.origin, entry.posting_no, min(concat(entry.field, chr(9), entry.region)) as first_entry
  from entry
  group by entry.origin, entry.posting_no
),
public_recruitment as (
  select
    -- ids
    entry.origin,
    entry.posting_no,
    recruitment.title,
    -- the five filters
    coalesce(recruitment.institution_type, 'unknown') as institution_type,
    coalesce(recruitment.institution_class, 'unknown') as institution_class,
    recruitment.institution,
    entry.field,
    entry.region,
    -- dates
    recruitment.month,
    recruitment.opened_on,
    recruitment.closes_on,
    -- terms
    recruitment.hire_type,
    recruitment.career,
    recruitment.has_job_description,
    -- counts
    first_field.first_entry = concat(entry.field, chr(9), entry.region) as counts,
    recruitment.openings,
    recruitment.applicants,
    case
      when recruitment.opened_on > date '{{ var('as_of') }}' then 'ahead'
      when recruitment.closes_on < date '{{ var('as_of') }}' then 'closed'
      else 'open' end as state,
    days_between(recruitment.opened_on, recruitment.closes_on) + 1 as days_open,
    case when recruitment.openings > 0
         then cast(recruitment.applicants as double) / cast(recruitment.openings as double) end as competition
  from entry
  inner join recruitment
    on recruitment.origin = entry.origin
    and recruitment.posting_no = entry.posting_no
  inner join first_field
    on first_field.origin = entry.origin
    and first_field.posting_no = entry.posting_no
)
select * from public_recruitment
