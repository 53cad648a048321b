/*---
description:
  ko: 미가입 사람·월이 많고 신고 누락일 가능성이 큰 사업체의 작업 목록
  en: >-
    work-list of payers by the person-months the law covers and no insured day covers, and by how likely these are an
    omission of the payer
grain: [biz_no]
materialized: table
owner: coverage
meta:
  formula:
    - "likelihood of error = (uninsured person-months + 2 * the national share) / (person-months paid + 2), the mean of a beta distribution: a payer with one gap among many insured has a lower one than a payer who insures nobody"
    - "expected months = uninsured person-months * likelihood of error; the list is ranked by it"
  assumptions:
    - a gap at a payer who insures almost everybody is more often an error of a record than an omission
columns:
  biz_no: {tags: [firm]}
  rank: {description: "1 is looked at first; equal ones in order of the number", tests: [unique]}
  uninsured_months: {description: person-months, tests: [{range: {min: 1}}]}
  persons: {description: different persons, tests: [{range: {min: 1}}]}
  paid_months: {description: "person-months paid by kind of income, insured or not", tests: [{range: {min: 1}}]}
  likelihood_of_error: {tests: [{range: {min: 0, max: 1}}]}
  uninsured_won: {tests: [{range: {min: 0}}]}
---*/
with pay as (
  select * from {{ ref('uninsured_pay') }}
),
payer_month as (
  select * from {{ ref('payer_month') }}
),
-- first one row per payer and person, so that counting persons needs no distinct over the whole table
payer_person as (
  select
    pay.payer_biz_no,
    pay.person_key,
    count(*) as months,
    count(*) filter (where pay.class = 'covered_uninsured') as wage_months,
    count(*) filter (where pay.class = 'daily_unreported') as daily_months,
    max(pay.month) as last_month,
    sum(pay.gross_won) as gross_won
  from pay
  group by pay.payer_biz_no, pay.person_key
),
listed as (
  select
    payer_person.payer_biz_no as biz_no,
    sum(payer_person.months) as uninsured_months,
    sum(payer_person.wage_months) as wage_months,
    sum(payer_person.daily_months) as daily_months,
    count(*) as persons,
    max(payer_person.last_month) as last_month,
    sum(payer_person.gross_won) as uninsured_won
  from payer_person
  group by payer_person.payer_biz_no
),
paid as (
  select payer_month.payer_biz_no as biz_no, sum(payer_month.paid_persons) as paid_months
  from payer_month
  group by payer_month.payer_biz_no
),
nation as (
  select cast(sum(listed.uninsured_months) as double) / cast(sum(paid.paid_months) as double) as share
  from paid
  left join listed
    on listed.biz_no = paid.biz_no
),
judged as (
  select
    listed.*,
    paid.paid_months,
    (cast(listed.uninsured_months as double) + 2.0 * nation.share) / (cast(paid.paid_months as double) + 2.0) as likelihood
  from listed
  inner join paid
    on paid.biz_no = listed.biz_no
  cross join nation
),
blind_spot_workplace as (
  select
    -- ids
    judged.biz_no,
    row_number() over (order by judged.uninsured_months * judged.likelihood desc, judged.biz_no) as rank,
    -- person-months
    cast(judged.uninsured_months as bigint) as uninsured_months,
    cast(judged.wage_months as bigint) as wage_months,
    cast(judged.daily_months as bigint) as daily_months,
    cast(judged.uninsured_months - judged.wage_months - judged.daily_months as bigint) as contractor_months,
    cast(judged.paid_months as bigint) as paid_months,
    judged.persons,
    judged.last_month,
    cast(judged.likelihood as decimal(9, 6)) as likelihood_of_error,
    cast(judged.uninsured_months * judged.likelihood as decimal(18, 4)) as expected_months,
    -- amounts
    cast(judged.uninsured_won as decimal(28, 0)) as uninsured_won
  from judged
)
select * from blind_spot_workplace
