/*---
description: {ko: "연령대 식은 연령대 표와 같다", en: "the age band expression agrees with the seed"}
severity: error
---*/
with age_band as (
  select * from {{ seed('age_band') }}
),
broken as (
  select age_band.age_band
  from age_band
  where {{ age_band('age_band.age_from') }} <> age_band.age_band
    or {{ age_band('age_band.age_to') }} <> age_band.age_band
)
select * from broken
