/*---
description:
  ko: 이름이 있는 원천마다 사업장 한 곳에 한 줄. 사업장 연계의 입력이다.
  en: "one row per workplace as one source with names knows it, the input of the workplace linkage"
grain: [source, source_id]
materialized: table
owner: linkage
columns:
  source: {tests: [not_null, {accepted_values: [alio_institution, ei_workplace, kcomwel_workplace, nps_workplace]}]}
  source_id: {description: "number in the source; the pension's list numbers nothing, so there it is made of what stands in the row", tags: [firm]}
  name: {description: as written by the source, tags: [firm]}
  biz_no: {description: "business number, ten digits; six in the pension's list", tags: [firm]}
  address: {tags: [firm]}
---*/
with insured as (
  select * from {{ ref('workplace') }}
),
pension as (
  select * from {{ source('nps_workplace') }}
),
accident as (
  select * from {{ source('kcomwel_workplace') }}
),
posting as (
  select * from {{ source('alio_posting') }}
),
recruitment as (
  select * from {{ source('alio_recruitment') }}
),
sido as (
  select * from {{ seed('sido') }}
),
sigungu as (
  select * from {{ seed('sigungu') }}
),
-- addresses name the province in short or in full
place as (
  select sido.short_ko as sido_name, sigungu.name_ko, sigungu.sigungu
  from sigungu
  inner join sido on sido.sido = sigungu.sido
  union all
  select sido.name_ko as sido_name, sigungu.name_ko, sigungu.sigungu
  from sigungu
  inner join sido on sido.sido = sigungu.sido
),
-- the list is a whole one each month: the latest month counts, a row once
pension_month as (
  select max(month) as month from pension
),
pension_row as (
  select
    concat(
      pension.biz_no_prefix, ':', to_char(pension.joined_on, '%Y%m%d'), ':',
      pension.sido, pension.sigungu_suffix, ':', pension.workplace_name) as source_id,
    pension.workplace_name,
    pension.biz_no_prefix,
    concat(pension.sido, pension.sigungu_suffix) as sigungu,
    coalesce(pension.road_address, pension.lot_address) as address,
    pension.joined_on,
    pension.left_on,
    pension.members,
    pension._known_on,
    pension._delivery_id,
    pension._row_number
  from pension
  inner join pension_month on pension_month.month = pension.month
),
pension_ranked as (
  select
    pension_row.*,
    row_number() over (
      partition by source_id order by _known_on desc, _delivery_id desc, _row_number) as version
  from pension_row
),
accident_ranked as (
  select
    accident.*,
    split_part(accident.address, ' ', 1) as sido_name,
    split_part(accident.address, ' ', 2) as second_word,
    split_part(accident.address, ' ', 3) as third_word,
    row_number() over (
      partition by biz_no order by _known_on desc, insurance_kind, _delivery_id desc, _row_number) as version
  from accident
),
accident_row as (
  select
    accident_ranked.*,
    coalesce(of_district.sigungu, of_city.sigungu) as sigungu
  from accident_ranked
  left join place as of_city
    on of_city.sido_name = accident_ranked.sido_name and of_city.name_ko = accident_ranked.second_word
  left join place as of_district
    on of_district.sido_name = accident_ranked.sido_name
    and of_district.name_ko = concat(accident_ranked.second_word, ' ', accident_ranked.third_word)
  where accident_ranked.version = 1
),
institution as (
  select institution from posting
  union
  select institution from recruitment
),
workplace_record as (
  select
    'ei_workplace' as source,
    insured.workplace_no as source_id,
    insured.firm_name as name,
    insured.biz_no as biz_no,
    insured.sigungu as sigungu,
    cast(null as varchar) as address,
    insured.established_on as started_on,
    insured.closed_on as ended_on,
    cast(insured.headcount as int) as headcount
  from insured
  union all
  select
    'nps_workplace' as source,
    pension_ranked.source_id as source_id,
    pension_ranked.workplace_name as name,
    pension_ranked.biz_no_prefix as biz_no,
    pension_ranked.sigungu as sigungu,
    pension_ranked.address as address,
    pension_ranked.joined_on as started_on,
    pension_ranked.left_on as ended_on,
    cast(pension_ranked.members as int) as headcount
  from pension_ranked
  where pension_ranked.version = 1
  union all
  select
    'kcomwel_workplace' as source,
    accident_row.biz_no as source_id,
    accident_row.workplace_name as name,
    accident_row.biz_no as biz_no,
    accident_row.sigungu as sigungu,
    accident_row.address as address,
    accident_row.established_on as started_on,
    cast(null as date) as ended_on,
    cast(accident_row.insured_persons as int) as headcount
  from accident_row
  union all
  select
    'alio_institution' as source,
    institution.institution as source_id,
    institution.institution as name,
    cast(null as varchar) as biz_no,
    cast(null as varchar) as sigungu,
    cast(null as varchar) as address,
    cast(null as date) as started_on,
    cast(null as date) as ended_on,
    cast(null as int) as headcount
  from institution
)
select * from workplace_record
