/*---
description:
  ko: 실업급여를 받았는지
  en: >-
    whether the benefit was drawn
grain: [row_no]
materialized: table
owner: learning
label: true
tags: [research]
sort_by: [row_no]
columns:
  row_no: {tests: [not_null]}
  label: {description: "true, false, or null while not known", tags: [label]}
---*/
with sample as (
  select * from {{ source('benefit_take_up') }}
),
benefit_take_up_label as (
  select
    sample.row_no,
    sample._known_on as recorded_on,
    sample.received_benefit as label,
    sample._known_on as label_known_on
  from sample
)
select * from benefit_take_up_label
