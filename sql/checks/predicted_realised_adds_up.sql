/*---
description:
  ko: 예측·실제 비교의 십분위와 집단이 전체와 맞다
  en: deciles and groups of predictions add up to all rows of their month
severity: error
---*/
with predicted_realised as (
  select * from {{ ref('predicted_realised') }}
),
by_cut as (
  select model, basis, month, cut, sum(persons_or_vacancies) as counted
  from predicted_realised
  group by model, basis, month, cut
),
whole as (
  select model, basis, month, counted from by_cut where cut = 'all'
)
select by_cut.model, by_cut.basis, by_cut.month, by_cut.cut, by_cut.counted, whole.counted as all_rows
from by_cut
inner join whole
  on whole.model = by_cut.model
  and whole.basis = by_cut.basis
  and whole.month = by_cut.month
where by_cut.counted <> whole.counted
