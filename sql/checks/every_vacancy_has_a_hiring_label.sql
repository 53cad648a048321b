/*---
description: {ko: "구인 특성의 모든 줄에 정답 줄이 있다", en: every row of the vacancy features has its label row}
severity: error
---*/
with feature as (
  select vacancy_no, opened_on from {{ ref('hiring_success') }}
),
label as (
  select vacancy_no, opened_on from {{ ref('hiring_success_label') }}
)
select feature.vacancy_no
from feature
left join label
  on label.vacancy_no = feature.vacancy_no
  and label.opened_on = feature.opened_on
where label.vacancy_no is null
