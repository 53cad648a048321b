/*---
description: pay by person and month
grain: [person_key, month]
materialized: partitioned
partition_by: month
reads: {nts_wage_statement: [0, 0]}
owner: test
columns:
  gross_won: {tests: [{range: {min: 0}}]}
---*/
select person_key, paid_month as month, sum(gross_won) as gross_won
from {{ source('nts_wage_statement') }}
where paid_month = date '{{ var('partition_start') }}'
group by person_key, paid_month
