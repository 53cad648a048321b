/*---
description: customers under their project-wide names
grain: [customer_id]
materialized: view
owner: shop
tags: [staging]
columns:
  customer_id: {tests: [unique, not_null]}
---*/
with renamed as (
  select
    id as customer_id,
    label
  from {{ seed('raw_customers') }}
)
select * from renamed
