/*---
description:
  ko: 배정 4년째에 절반 넘는 주를 일했는지
  en: >-
    whether work filled at least half of the weeks of the fourth year after assignment
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
  select * from {{ source('job_corps') }}
),
job_corps_label as (
  select
    cast(sample._row_number as bigint) as row_no,
    sample._known_on as recorded_on,
    sample.pworky4 >= 50 as label,
    sample._known_on as label_known_on
  from sample
)
select * from job_corps_label
