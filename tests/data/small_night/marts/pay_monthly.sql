/*---
description: {ko: 월별 보수, en: pay by month}
grain: [month]
materialized: table
owner: test
columns:
  month: {description: month of payment}
  of_owners: {description: persons who are paid and have a business}
---*/
with paid as (
  select * from {{ ref('paid') }}
),
business as (
  select distinct person_key from {{ ref('business') }} where closed_on is null
)
select
  paid.month,
  count(*) as persons,
  count(business.person_key) as of_owners,
  sum(paid.gross_won) as gross_won
from paid
left join business on business.person_key = paid.person_key
group by paid.month
