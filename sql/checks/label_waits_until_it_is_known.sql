/*---
description: {ko: "알 수 있는 날 전의 정답은 비어 있다", en: "no label stands before the day it is known"}
severity: error
---*/
with label as (
  select * from {{ ref('employment_success_label') }}
),
broken as (
  select seeker_no, registered_on, label_known_on
  from label
  where label is not null
    and label_known_on > date '{{ var('as_of') }}'
)
select * from broken
