/*---
description: {ko: 사람과 시작일 순의 피보험기간, en: spells by person and start}
grain: [person_key, start_on, spell_no]
materialized: table
owner: benchmark
columns:
  person_key: {tags: [pseudonym]}
---*/
select
  spell_no,
  person_key,
  start_on,
  end_on,
  workplace_no,
  loss_reason,
  monthly_wage_won,
  weekly_hours,
  occupation
from {{ source('bench_spell') }}
