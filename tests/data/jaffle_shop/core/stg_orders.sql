/*---
description: orders under their project-wide names
grain: [order_id]
materialized: view
owner: shop
tags: [staging]
columns:
  order_id: {tests: [unique, not_null]}
  status: {tests: [{accepted_values: [placed, shipped, completed, return_pending, returned]}]}
---*/
with renamed as (
  select
    id as order_id,
    user_id as customer_id,
    order_date,
    status
  from {{ seed('raw_orders') }}
)
select * from renamed
