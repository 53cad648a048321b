/*---
description:
  ko: 담당자가 손으로 찾은 사업장의 짝. 같은 물음에는 마지막 답이 남는다.
  en: what clerks found by hand for workplaces drawn at random, the latest answer to each question
grain: [left_source, left_id, right_source, answer_id]
materialized: table
owner: linkage
columns:
  left_id: {tags: [firm], tests: [not_null]}
  answer_id: {description: "the right id, empty when there is no counterpart in the right source", tags: [firm], tests: [not_null]}
  is_match: {tests: [not_null]}
---*/
with label as (
  select * from {{ source('linkage_label') }}
),
ranked as (
  select
    left_source,
    left_id,
    right_source,
    coalesce(right_id, '') as answer_id,
    is_match,
    labelled_on,
    row_number() over (
      partition by left_source, left_id, right_source, coalesce(right_id, '')
      order by labelled_on desc, _known_on desc, _delivery_id desc, _row_number desc) as version
  from label
),
workplace_label as (
  select
    -- ids
    left_source,
    left_id,
    right_source,
    answer_id,
    -- answer
    is_match,
    labelled_on
  from ranked
  where version = 1
)
select * from workplace_label
