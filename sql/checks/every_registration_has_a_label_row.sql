/*---
description: {ko: "특성의 모든 줄에 정답 줄이 있다", en: "features and labels hold the same registrations"}
severity: error
---*/
with feature as (
  select seeker_no, registered_on from {{ ref('employment_success') }}
),
label as (
  select seeker_no, registered_on from {{ ref('employment_success_label') }}
),
broken as (
  select coalesce(feature.seeker_no, label.seeker_no) as seeker_no
  from feature
  full outer join label
    on label.seeker_no = feature.seeker_no
    and label.registered_on = feature.registered_on
  where feature.seeker_no is null
    or label.seeker_no is null
)
select * from broken
