/*---
description:
  ko: 행정자료의 미가입자를 조사의 주변합에 맞춘 보정계수
  en: >-
    by how much the uninsured whom the registers name are multiplied so that they add up to what the survey counts in
    the reference week: raked over kind of work, sex and age, industry, province and size
grain: [month, replicate, in_sex_age, in_section, in_sido, in_size]
materialized: partitioned
partition_by: month
partitions_from: raking_target
reads: {raking_cell: [0, 0], raking_target: [0, 0]}
owner: coverage
legal_basis: 통계법 제18조
columns:
  replicate: {description: "0 for the whole sample, else the group of households left out"}
  factor: {tests: [{range: {min: 0}}]}
---*/
with cell as (
  select * from {{ ref('raking_cell') }}
  where month = date '{{ var('partition_start') }}'
),
target as (
  select * from {{ ref('raking_target') }}
  where month = date '{{ var('partition_start') }}'
),
replicate as (
  select distinct target.replicate from target
),
-- cells that share all margins get the same factor, so they are raked as one
raking_start as (
  select
    replicate.replicate, joined.in_sex_age, joined.in_section, joined.in_sido, joined.in_size,
    joined.open_persons, joined.open_persons as persons
  from (
    select cell.in_sex_age, cell.in_section, cell.in_sido, cell.in_size,
      cast(sum(cell.open_persons) as decimal(28, 8)) as open_persons
    from cell
    where cell.open_persons > 0
    group by cell.in_sex_age, cell.in_section, cell.in_sido, cell.in_size
  ) as joined
  cross join replicate
),
{{ rake('raked', 'raking_start', 'target', ['in_section', 'in_sido', 'in_size', 'in_sex_age'], ['open_persons'], 3) }},
blind_spot_factor as (
  select
    date '{{ var('partition_start') }}' as month,
    raked.replicate,
    raked.in_sex_age,
    raked.in_section,
    raked.in_sido,
    raked.in_size,
    cast(cast(raked.persons as double) / cast(raked.open_persons as double) as decimal(18, 8)) as factor
  from raked
)
select * from blind_spot_factor
