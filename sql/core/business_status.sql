/*---
description: {ko: 국세청 사업자 상태조회의 최신 결과, en: latest answer of the tax office about each business number asked for}
grain: [biz_no]
materialized: table
owner: core
columns:
  status: {description: "active, suspended, closed, or unregistered when the tax office knows no such number", tests: [{accepted_values: [active, suspended, closed, unregistered]}]}
---*/
with answer as (
  select * from {{ source('nts_business_status') }}
),
latest as (
  {{ latest_listed('answer', ['biz_no']) }}
),
business_status as (
  select
    -- ids
    latest.biz_no,
    -- state
    case latest.status_code
      when '01' then 'active'
      when '02' then 'suspended'
      when '03' then 'closed'
      else 'unregistered' end as status,
    latest.tax_kind_name,
    latest.closed_on,
    latest.tax_kind_changed_on,
    latest._known_on as known_on
  from latest
)
select * from business_status
