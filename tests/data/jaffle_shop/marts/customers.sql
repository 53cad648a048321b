/*---
description: one row per customer with the orders and what they came to
grain: [customer_id]
materialized: table
owner: shop
contract: {enforced: true}
columns:
  customer_id: {type: int, description: primary key, tests: [unique, not_null]}
  label: {type: string, description: stands for the name}
  first_order: {type: date, description: day of the first order}
  most_recent_order: {type: date, description: day of the latest order}
  number_of_orders: {type: bigint, description: orders so far, tests: [{range: {min: 1}}]}
  customer_lifetime_value: {type: "decimal(14,2)", description: dollars paid so far}
---*/
with customers as (
  select * from {{ ref('stg_customers') }}
),
orders as (
  select * from {{ ref('stg_orders') }}
),
payments as (
  select * from {{ ref('stg_payments') }}
),
customer_orders as (
  select
    orders.customer_id,
    min(orders.order_date) as first_order,
    max(orders.order_date) as most_recent_order,
    count(*) as number_of_orders
  from orders
  group by orders.customer_id
),
customer_payments as (
  select orders.customer_id, sum(payments.amount) as total_amount
  from payments
  left join orders
    on orders.order_id = payments.order_id
  group by orders.customer_id
),
final as (
  select
    customers.customer_id,
    customers.label,
    customer_orders.first_order,
    customer_orders.most_recent_order,
    customer_orders.number_of_orders,
    cast(customer_payments.total_amount as decimal(14, 2)) as customer_lifetime_value
  from customers
  left join customer_orders
    on customer_orders.customer_id = customers.customer_id
  left join customer_payments
    on customer_payments.customer_id = customers.customer_id
)
select * from final
