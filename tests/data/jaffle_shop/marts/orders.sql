/*---
description: one row per order with what was paid by each method
grain: [order_id]
materialized: table
owner: shop
columns:
  order_id: {tests: [unique, not_null]}
  customer_id: {tests: [not_null, {relationships: {to: customers, field: customer_id}}]}
  status: {tests: [{accepted_values: [placed, shipped, completed, return_pending, returned]}]}
  amount: {tests: [not_null]}
  credit_card_amount: {tests: [not_null]}
  coupon_amount: {tests: [not_null]}
  bank_transfer_amount: {tests: [not_null]}
  gift_card_amount: {tests: [not_null]}
---*/
{%- set payment_methods = ['credit_card', 'coupon', 'bank_transfer', 'gift_card'] %}
with orders as (
  select * from {{ ref('stg_orders') }}
),
payments as (
  select * from {{ ref('stg_payments') }}
),
order_payments as (
  select
    payments.order_id,
    {%- for method in payment_methods %}
    sum(case when payments.payment_method = '{{ method }}' then payments.amount else 0 end) as {{ method }}_amount,
    {%- endfor %}
    sum(payments.amount) as total_amount
  from payments
  group by payments.order_id
),
final as (
  select
    orders.order_id,
    orders.customer_id,
    orders.order_date,
    orders.status,
    {%- for method in payment_methods %}
    order_payments.{{ method }}_amount,
    {%- endfor %}
    order_payments.total_amount as amount
  from orders
  left join order_payments
    on order_payments.order_id = orders.order_id
)
select * from final
