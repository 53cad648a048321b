/*---
description:
  ko: 고용보험 사각지대의 전국·시군구·업종·규모·성·연령·종사상지위별 추정 인원과 95% 구간
  en: >-
    persons outside employment insurance by class, for the nation and by district, industry, size, sex, age and kind of
    work: in the registers, and estimated with a 95 % interval. Class `outside` adds up the classes the law covers
grain: [month, dimension, member, class]
materialized: table
owner: coverage
meta:
  formula:
    - "half width = Student's quantile * standard error + insured of the same kind of work * (missed + mistaken links)"
columns:
  member: {description: "a dash for the nation and where the registers do not know"}
  standard_error: {description: "of sampling, of spreading those no record names and of the share at work in the survey's week; null in a month without a survey"}
  link_error: {description: persons whom missed or mistaken links can have put on the wrong side}
  estimate_persons: {description: null in a month without a survey}
---*/
with estimate as (
  select * from {{ ref('blind_spot_estimate') }}
),
link as (
  select max(link_error.missed) as missed, max(link_error.mistaken) as mistaken
  from {{ ref('link_error') }} as link_error
),
setting as (
  select {{ blind_spot_setting('replicates') }} as replicates
),
with_width as (
  select
    estimate.*,
    {{ blind_spot_interval('estimate', 'link', 'setting.replicates') }} as half_width,
    cast(estimate.insured_alike as double) * coalesce(cast(link.missed as double) + cast(link.mistaken as double), 0.0) as link_error
  from estimate
  cross join link
  cross join setting
),
blind_spot_part as (
  select
    -- ids
    with_width.month,
    with_width.dimension,
    with_width.member,
    with_width.class,
    -- persons
    with_width.persons,
    cast(round(cast(with_width.estimate as double)) as bigint) as estimate_persons,
    cast(round(greatest(cast(with_width.estimate as double) - with_width.half_width, 0.0)) as bigint) as estimate_low,
    cast(round(cast(with_width.estimate as double) + with_width.half_width) as bigint) as estimate_high,
    cast(sqrt(cast(with_width.variance as double)) as decimal(24, 4)) as standard_error,
    cast(with_width.link_error as decimal(24, 4)) as link_error,
    -- amounts
    with_width.uninsured_won
  from with_width
)
select * from blind_spot_part
