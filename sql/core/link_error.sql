/*---
description:
  ko: 보험 자료를 사람에 잇지 못했거나 잘못 이은 비율
  en: >-
    how often a record of the insurance is missing for its person, by source: refused rows that nobody has released,
    and numbers mistyped without being noticed
grain: [source]
materialized: table
owner: coverage
meta:
  formula:
    - "missed = (rows refused + mistyped numbers that pass) / rows delivered"
    - "mistyped numbers that pass = rows refused / 10: the check digit of a resident number is one of eleven values, and no worse than one wrong digit in eleven passes it. Such a record stands under a number nobody else has"
    - "false = mistyped numbers that pass and belong to another person: of a hundred million numbers that a birth date and sex allow in all, as many as the registers hold persons"
  assumptions:
    - a refused row is an error of the row, not of the employment it tells of
    - numbers given out since October 2020 have no check digit; for them a mistyped digit is never noticed, which the source above understates
columns:
  missed: {description: share of records that are not found under their person, tests: [{range: {min: 0, max: 1}}]}
  mistaken: {description: share of records that are found under another person, tests: [{range: {min: 0, max: 1}}]}
---*/
with delivered as (
  select
    delivery.source,
    sum(delivery.rows_delivered) as rows_delivered,
    sum(delivery.rows_quarantined - delivery.rows_released) as rows_refused
  from {{ ops('deliveries') }} as delivery
  where delivery.source in ('ei_insured_spell', 'ei_daily_work', 'ei_contractor_spell')
    and delivery.status = 'accepted'
  group by delivery.source
),
person as (
  select count(*) as persons from {{ ref('person') }}
),
link_error as (
  select
    delivered.source,
    cast(delivered.rows_delivered as bigint) as rows_delivered,
    cast(delivered.rows_refused as bigint) as rows_refused,
    cast(cast(delivered.rows_refused as double) * 1.1 / nullif(cast(delivered.rows_delivered as double), 0.0) as decimal(12, 8)) as missed,
    cast(cast(delivered.rows_refused as double) * 0.1 / nullif(cast(delivered.rows_delivered as double), 0.0)
      * least(cast(person.persons as double) / 1.0e8, 1.0) as decimal(12, 8)) as mistaken
  from delivered
  cross join person
)
select * from link_error
