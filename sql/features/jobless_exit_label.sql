/*---
description:
  ko: 실직 26주 안에 다시 일했는지. 그 전에 중도절단되면 비어 있다.
  en: >-
    whether a spell ended in work within 26 weeks (13 units of two weeks). Null where it was censored before: a censored spell is not one without re-employment
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
  select * from {{ source('jobless_spell') }}
),
jobless_exit_label as (
  select
    sample.row_no,
    sample._known_on as recorded_on,
    case
      when sample.spell_two_weeks > 13 then false
      when sample.reemployed_full_time or sample.reemployed_part_time or sample.reemployed_left_job then true
      else cast(null as boolean) end as label,
    sample._known_on as label_known_on
  from sample
)
select * from jobless_exit_label
