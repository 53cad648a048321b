/*---
description: {ko: "공공채용표는 모든 공고를 한 번씩 센다", en: "public recruitment counts every notice once, with its openings"}
severity: error
---*/
with counted as (
  select count(*) as postings, coalesce(sum(openings), 0) as openings from {{ ref('recruitment') }}
),
listed as (
  select count(*) as postings, coalesce(sum(openings), 0) as openings from {{ ref('public_recruitment') }} where counts
),
monthly as (
  select coalesce(sum(postings_once), 0) as postings, coalesce(sum(openings_once), 0) as openings
  from {{ ref('public_recruitment_monthly') }}
),
broken as (
  select counted.postings as counted_postings, listed.postings as listed_postings, monthly.postings as monthly_postings
  from counted
  cross join listed
  cross join monthly
  where counted.postings <> listed.postings
    or counted.postings <> monthly.postings
    or counted.openings <> listed.openings
    or counted.openings <> monthly.openings
)
select * from broken
