/*---
description: payments in dollars; the seed counts cents
grain: [payment_id]
materialized: view
owner: shop
tags: [staging]
columns:
  payment_id: {tests: [unique, not_null]}
  payment_method: {tests: [{accepted_values: [credit_card, coupon, bank_transfer, gift_card]}]}
---*/
with renamed as (
  select
    id as payment_id,
    order_id,
    payment_method,
    cast(amount as decimal(12, 2)) / 100 as amount
  from {{ seed('raw_payments') }}
)
select * from renamed
