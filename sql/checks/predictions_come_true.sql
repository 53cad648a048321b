/*---
description:
  ko: 실제 비율이 예측의 0.9–1.1배를 우연 이상으로 벗어난 십분위나 집단이 없다
  en: no decile and no group in which what happened leaves 0.9 to 1.1 of what was predicted by more than chance
severity: warn
---*/
with predicted_realised as (
  select * from {{ ref('predicted_realised') }}
)
select model, basis, month, cut, value, persons_or_vacancies, predicted, realised_strict, ratio_strict
from predicted_realised
where alarm
