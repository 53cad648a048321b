/*---
description:
  ko: 미가입 사람·월이 많은 사업체의 작업 목록
  en: work-list of payers by the person-months the law covers and no insured day covers
grain: [biz_no]
materialized: table
owner: coverage
columns:
  biz_no: {tags: [firm]}
  uninsured_months: {description: person-months, tests: [{range: {min: 1}}]}
  persons: {description: different persons, tests: [{range: {min: 1}}]}
  uninsured_won: {tests: [{range: {min: 0}}]}
---*/
with pay as (
  select * from {{ ref('uninsured_pay') }}
),
-- first one row per payer and person, so that counting persons needs no distinct over the whole table
payer_person as (
  select
    pay.payer_biz_no,
    pay.person_key,
    count(*) as months,
    sum(pay.gross_won) as gross_won
  from pay
  group by pay.payer_biz_no, pay.person_key
),
blind_spot_workplace as (
  select
    payer_person.payer_biz_no as biz_no,
    cast(sum(payer_person.months) as bigint) as uninsured_months,
    count(*) as persons,
    cast(sum(payer_person.gross_won) as decimal(28, 0)) as uninsured_won
  from payer_person
  group by payer_person.payer_biz_no
)
select * from blind_spot_workplace
