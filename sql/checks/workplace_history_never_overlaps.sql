/*---
description: {ko: "사업장 이력의 판은 겹치지 않고 이어진다", en: "versions of a workplace follow each other without overlap or gap, and one is current"}
severity: error
---*/
with version as (
  select * from {{ ref('workplace_history') }}
),
ordered as (
  select
    version.workplace_no,
    version.valid_from,
    version.is_current,
    lag(version.valid_to) over (partition by version.workplace_no order by version.valid_from) as previous_to,
    lag(version.valid_from) over (partition by version.workplace_no order by version.valid_from) as previous_from
  from version
),
broken as (
  select workplace_no, valid_from, previous_to
  from ordered
  where previous_from is not null
    and (add_days(previous_to, 1) is distinct from valid_from)
  union all
  select version.workplace_no, max(version.valid_from) as valid_from, cast(null as date) as previous_to
  from version
  group by version.workplace_no
  having count(*) filter (where version.is_current) <> 1
)
select * from broken
