/*---
description: every won that was delivered stands in the mart
severity: error
---*/
select delivered.won as delivered, mart.won as in_mart
from (select sum(gross_won) as won from {{ source('nts_wage_statement') }}) as delivered
cross join (select sum(gross_won) as won from {{ ref('pay_monthly') }}) as mart
where delivered.won <> mart.won
