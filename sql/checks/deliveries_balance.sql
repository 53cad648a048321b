/*---
description: {ko: "전달 = 채택 + 격리 + 거부", en: "delivered = accepted + quarantined + rejected, in rows and in won, for every delivery"}
severity: error
---*/
with quality as (
  select * from {{ ref('data_quality') }}
),
broken as (
  select delivery_id, rows_delivered, rows_accepted, rows_quarantined, rows_rejected
  from quality
  where not balanced
)
select * from broken
