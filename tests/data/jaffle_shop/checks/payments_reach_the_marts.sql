/*---
description: what was paid stands in the orders and in the customers
severity: error
---*/
select paid.dollars as paid, orders.dollars as in_orders, customers.dollars as in_customers
from (select sum(amount) as dollars from {{ ref('stg_payments') }}) as paid
cross join (select sum(amount) as dollars from {{ ref('orders') }}) as orders
cross join (select sum(customer_lifetime_value) as dollars from {{ ref('customers') }}) as customers
where paid.dollars <> orders.dollars or paid.dollars <> customers.dollars
