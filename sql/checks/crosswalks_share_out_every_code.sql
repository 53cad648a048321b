/*---
description: {ko: "연계표에서 옛 코드의 몫은 모두 나누어진다", en: "in every crosswalk the shares of an old code add up to one"}
severity: error
---*/
with crosswalk as (
  select 'KSIC9 to KSIC10' as crosswalk, from_code, share from {{ crosswalk('KSIC9', 'KSIC10') }}
  union all
  select 'KSIC10 to KSIC11' as crosswalk, from_code, share from {{ crosswalk('KSIC10', 'KSIC11') }}
  union all
  select 'KECO2018 to KECO2025' as crosswalk, from_code, share from {{ crosswalk('KECO2018', 'KECO2025') }}
  union all
  select 'SIGUNGU2018 to SIGUNGU2024' as crosswalk, from_code, share from {{ crosswalk('SIGUNGU2018', 'SIGUNGU2024') }}
),
broken as (
  select crosswalk.crosswalk, crosswalk.from_code, sum(crosswalk.share) as shared_out
  from crosswalk
  group by crosswalk.crosswalk, crosswalk.from_code
  having sum(crosswalk.share) <> 1
)
select * from broken
