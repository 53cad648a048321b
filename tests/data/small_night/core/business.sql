/*---
description: {ko: 사업자, en: businesses as last delivered}
grain: [biz_no]
materialized: keyed
key: biz_no
owner: test
---*/
with ranked as (
  select
    *,
    row_number() over (partition by biz_no order by _known_on desc, _delivery_id desc, _row_number desc) as place
  from {{ source('nts_business_registration') }}
)
select biz_no, person_key, opened_on, closed_on from ranked where place = 1
