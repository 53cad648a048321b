/*---
description:
  ko: 회신을 받았는지
  en: >-
    whether the resume was called back
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
  select * from {{ source('resume_callback') }}
),
resume_callback_label as (
  select
    sample.row_no,
    sample._known_on as recorded_on,
    sample.received_callback as label,
    sample._known_on as label_known_on
  from sample
)
select * from resume_callback_label
