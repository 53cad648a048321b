/*---
description:
  ko: 월·기관유형·기관분류·채용분야·근무지별 공공기관 채용의 공고, 채용인원, 경쟁률, 공고일수
  en: >-
    recruitment of public institutions by month of opening, type and class of institution, field and region: notices,
    openings, applicants and days open. A notice of two fields or regions stands in each of their cells
grain: [month, institution_type, institution_class, field, region]
materialized: table
owner: public_institutions
legal_basis: 공공기관의 운영에 관한 법률 제11조
columns:
  is_whole: {description: "the month was over on the day of the night; of the month that runs the open interface tells only what has been published so far", tests: [not_null]}
  postings: {description: notices in the cell, tests: [{range: {min: 1}}]}
  postings_once: {description: "of those the ones counted here and nowhere else: sums over cells count every notice once", tests: [{range: {min: 0}}]}
  openings_once: {description: openings of those, tests: [{range: {min: 0}}]}
  competed_openings: {description: openings of the notices whose applicants are known, tests: [{range: {min: 0}}]}
  applicants: {description: "applicants of the first step of the notices whose openings are known; divide by competed_openings for the competition", tests: [{range: {min: 0}}]}
  dated_postings: {description: notices with a last day, tests: [{range: {min: 0}}]}
  days_open: {description: days open summed over those notices, tests: [{range: {min: 0}}]}
---*/
with recruitment as (
  select * from {{ ref('public_recruitment') }}
),
total as (
  select
    recruitment.month,
    recruitment.institution_type,
    recruitment.institution_class,
    recruitment.field,
    recruitment.region,
    count(*) as postings,
    count(*) filter (where recruitment.counts) as postings_once,
    sum(recruitment.openings) as openings,
    sum(recruitment.openings) filter (where recruitment.counts) as openings_once,
    sum(recruitment.openings) filter (where recruitment.applicants is not null) as competed_openings,
    sum(recruitment.applicants) filter (where recruitment.openings is not null) as applicants,
    count(recruitment.days_open) as dated_postings,
    sum(recruitment.days_open) as days_open
  from recruitment
  group by recruitment.month, recruitment.institution_type, recruitment.institution_class, recruitment.field, recruitment.region
),
public_recruitment_monthly as (
  select
    -- ids
    total.month,
    total.institution_type,
    total.institution_class,
    total.field,
    total.region,
    total.month < month_start(date '{{ var('as_of') }}') as is_whole,
    -- counts
    total.postings,
    total.postings_once,
    cast(coalesce(total.openings, 0) as bigint) as openings,
    cast(coalesce(total.openings_once, 0) as bigint) as openings_once,
    cast(coalesce(total.competed_openings, 0) as bigint) as competed_openings,
    cast(coalesce(total.applicants, 0) as bigint) as applicants,
    total.dated_postings,
    cast(coalesce(total.days_open, 0) as bigint) as days_open
  from total
)
select * from public_recruitment_monthly
