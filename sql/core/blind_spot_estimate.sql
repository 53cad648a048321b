/*---
description:
  ko: 사각지대의 전국·부문별 추정 인원과 표본분산
  en: >-
    persons by class of coverage for the nation and by dimension: in the registers, estimated with the factors of
    blind_spot_factor, and the variance of the estimate over the replicates. Class `outside` adds up the three classes
    the law covers
grain: [month, dimension, member, class]
materialized: partitioned
partition_by: month
partitions_from: coverage_cell
reads: {coverage_cell: [0, 0], raking_cell: [0, 0], blind_spot_factor: [0, 0], survey_margin: [0, 0]}
owner: coverage
meta:
  formula:
    - "estimate of a replicate = sum over cells of persons in the whole month * factor of the cell"
    - "hired before the age of exemption: covered uninsured employees of 60 to 64 * insured employees of 65 and over / insured employees of 60 to 64 at workplaces of the size, taken from the exempt"
    - "sampling variance = (G - 1) / G * sum over replicates of (estimate of the replicate - estimate)^2 * (1 - sampled share of the population) (Kott 2001)"
    - "persons expected beyond the register in a part = hired before the age of exemption + named persons of the part * (estimate of the nation / named persons of the nation - 1), not below 0, where the named are those of the register and hired before: at the nation's rate, since a part's own estimate may lie below its register by chance (synthetic estimation, Rao and Molina 2015, ch. 3)"
    - "variance of spread = spread_effect * persons expected beyond the register * (1 - part's share of the nation): who no record names is spread over the parts at random, in groups (multinomial with a design effect, Kish 1965)"
    - "variance of the week = estimate^2 * sum over kinds of work of share * (1 - share) * undated * (undated / dated + 1) / (persons of the class at work in the week)^2, where share is that of the dated insured of the kind of work at work in the week: the same share is only expected of those whom no record dates (prediction error of a proportion, Cochran 1977)"
    - "variance of a part = sampling variance + variance of spread + variance of the week; those of `outside` are the sums over its three classes"
columns:
  dimension: {tests: [{accepted_values: [nation, sigungu, industry, size, sex, age_band, work_kind]}]}
  member: {description: "a dash for the nation and where the register does not know"}
  class: {tests: [{accepted_values: [insured, covered_uninsured, daily_unreported, contractor_outside, self_employed, exempt, outside]}]}
  persons: {description: persons in the registers, tests: [{range: {min: 0}}]}
  insured_alike: {description: "insured persons of the same kinds of work, among whom a missed link makes an uninsured one"}
  estimate: {description: null in a month without a survey}
---*/
with cell as (
  select * from {{ ref('coverage_cell') }}
  where month = date '{{ var('partition_start') }}'
),
raking_cell as (
  select * from {{ ref('raking_cell') }}
  where month = date '{{ var('partition_start') }}'
),
factor as (
  select * from {{ ref('blind_spot_factor') }}
  where month = date '{{ var('partition_start') }}'
),
sample as (
  select
    max(margin.replicate) as replicates,
    cast(max(margin.respondents) as double) / cast(max(margin.persons) as double) as sampled
  from {{ ref('survey_margin') }} as margin
  where margin.month = date '{{ var('partition_start') }}'
    and margin.margin = 'all'
    and (margin.replicate = 0 or margin.respondents > 0)
),
-- of those insured who went on working past the age of exemption, how many there are for each one just below it
past_age as (
  select {{ size_third('cell.size_class') }} as size, coalesce(cast(sum(cell.persons) filter (where cell.age_band = '65+') as double)
    / nullif(cast(sum(cell.persons) filter (where cell.age_band = '60-64') as double), 0.0), 0.0) as share
  from cell
  where cell.class = 'insured'
    and cell.work_kind = 'regular'
    and cell.size_class <> '-'
  group by {{ size_third('cell.size_class') }}
),
-- persons weigh what they count for in the estimate; the registers do not show who was hired before the age of exemption
weighed as (
  select cell.class, cell.work_kind, cell.sex, cell.age_band, cell.sigungu, cell.section, cell.size_class,
    cell.persons, cast(cell.persons as decimal(24, 6)) as weight, cell.uninsured_won
  from cell
  union all
  select hired.in_class as class, cell.work_kind, cell.sex, '65+' as age_band, cell.sigungu, cell.section, cell.size_class,
    0 as persons, cast(cast(cell.persons as double) * past_age.share * hired.sign as decimal(24, 6)) as weight,
    cast(0 as decimal(28, 0)) as uninsured_won
  from cell
  inner join past_age
    on past_age.size = {{ size_third('cell.size_class') }}
  cross join (values ('covered_uninsured', 1.0), ('exempt', -1.0)) as hired (in_class, sign)
  where cell.class = 'covered_uninsured'
    and cell.age_band = '60-64'
),
-- cells that the survey corrects, once for each dimension they are published in
part as (
  select
    mark.dimension,
    case mark.dimension when 'nation' then '-' when 'sigungu' then weighed.sigungu when 'industry' then weighed.section
         when 'size' then weighed.size_class when 'sex' then weighed.sex when 'age_band' then weighed.age_band
         else weighed.work_kind end as member,
    weighed.class,
    weighed.work_kind,
    weighed.sex,
    {{ age_third('weighed.age_band') }} as age_third,
    weighed.section,
    substr(weighed.sigungu, 1, 2) as sido,
    {{ size_third('weighed.size_class') }} as size,
    sum(weighed.persons) as persons,
    sum(weighed.weight) as weight,
    sum(weighed.uninsured_won) as uninsured_won
  from weighed
  cross join (values ('nation'), ('sigungu'), ('industry'), ('size'), ('sex'), ('age_band'), ('work_kind')) as mark (dimension)
  group by mark.dimension,
    case mark.dimension when 'nation' then '-' when 'sigungu' then weighed.sigungu when 'industry' then weighed.section
         when 'size' then weighed.size_class when 'sex' then weighed.sex when 'age_band' then weighed.age_band
         else weighed.work_kind end,
    weighed.class, weighed.work_kind, weighed.sex, {{ age_third('weighed.age_band') }}, weighed.section, substr(weighed.sigungu, 1, 2),
    {{ size_third('weighed.size_class') }}
),
grouping as (
  select t.class, t.in_class
  from (values
    ('insured', 'insured'), ('covered_uninsured', 'covered_uninsured'), ('daily_unreported', 'daily_unreported'),
    ('contractor_outside', 'contractor_outside'), ('self_employed', 'self_employed'), ('exempt', 'exempt'),
    ('covered_uninsured', 'outside'), ('daily_unreported', 'outside'), ('contractor_outside', 'outside')
  ) as t (class, in_class)
),
register as (
  select
    part.dimension, part.member, grouping.in_class as class,
    sum(part.persons) as persons,
    sum(part.weight) as weight,
    sum(part.uninsured_won) as uninsured_won
  from part
  inner join grouping
    on grouping.class = part.class
  group by part.dimension, part.member, grouping.in_class
),
alike as (
  select
    grouping.in_class as class,
    sum(insured.persons) as persons
  from (values ('covered_uninsured', 'regular'), ('daily_unreported', 'daily'), ('contractor_outside', 'contractor')) as t (class, work_kind)
  inner join grouping
    on grouping.class = t.class
  inner join (
    select cell.work_kind, sum(cell.persons) as persons from cell where cell.class = 'insured' group by cell.work_kind
  ) as insured
    on insured.work_kind = t.work_kind
  group by grouping.in_class
),
replicate_estimate as (
  select
    part.dimension, part.member, grouping.in_class as class, factor.replicate,
    sum(cast(cast(part.weight as double) * cast(factor.factor as double) as decimal(28, 8))) as estimate
  from part
  inner join grouping
    on grouping.class = part.class
  inner join raking_cell
    on raking_cell.work_kind = part.work_kind
    and raking_cell.sex = part.sex
    and raking_cell.age_third = part.age_third
    and raking_cell.section = part.section
    and raking_cell.sido = part.sido
    and raking_cell.size = part.size
  inner join factor
    on factor.in_sex_age = raking_cell.in_sex_age
    and factor.in_section = raking_cell.in_section
    and factor.in_sido = raking_cell.in_sido
    and factor.in_size = raking_cell.in_size
  where part.class not in ('insured', 'exempt')
  group by part.dimension, part.member, grouping.in_class, factor.replicate
),
sampled as (
  select
    spread.dimension, spread.member, spread.class,
    max(spread.estimate) filter (where spread.replicate = 0) as estimate,
    sum(cast((cast(spread.estimate as double) - cast(spread.whole as double))
      * (cast(spread.estimate as double) - cast(spread.whole as double)) as decimal(32, 6))) as squared
  from (
    select
      replicate_estimate.*,
      max(case when replicate_estimate.replicate = 0 then replicate_estimate.estimate end) over (
        partition by replicate_estimate.dimension, replicate_estimate.member, replicate_estimate.class
      ) as whole
    from replicate_estimate
  ) as spread
  group by spread.dimension, spread.member, spread.class
),
-- how far the share at work in the week of those whom no record dates may be from that of the insured of their kind
dated as (
  select
    cell.work_kind,
    nullif(cast(sum(cell.persons - cell.undated) as double), 0.0) as persons,
    cast(sum(cell.in_week) as double) / nullif(cast(sum(cell.persons - cell.undated) as double), 0.0) as share
  from cell
  where cell.class = 'insured'
  group by cell.work_kind
),
week as (
  select
    undated.class,
    cast(sum(cast(undated.undated * (undated.undated / dated.persons + 1.0) * dated.share * (1.0 - dated.share) as decimal(28, 8))) as double) as variance,
    cast(sum(cast(undated.in_week + undated.undated * coalesce(dated.share, 1.0) as decimal(24, 4))) as double) as persons
  from (
    select
      cell.class,
      cell.work_kind,
      cast(sum(cell.in_week) as double) as in_week,
      cast(sum(cell.undated) as double) as undated
    from cell
    where cell.class not in ('insured', 'exempt')
    group by cell.class, cell.work_kind
  ) as undated
  left join dated
    on dated.work_kind = undated.work_kind
  group by undated.class
),
-- each part beside the nation
beside_nation as (
  select
    register.dimension,
    register.member,
    register.class,
    register.persons,
    register.weight,
    register.uninsured_won,
    sampled.estimate,
    sampled.squared,
    max(case when register.dimension = 'nation' then register.persons end) over (partition by register.class) as nation_persons,
    max(case when register.dimension = 'nation' then register.weight end) over (partition by register.class) as nation_weight,
    max(case when register.dimension = 'nation' then sampled.estimate end) over (partition by register.class) as nation_estimate
  from register
  left join sampled
    on sampled.dimension = register.dimension
    and sampled.member = register.member
    and sampled.class = register.class
),
-- what a class of its own adds to the variance of sampling
modelled as (
  select
    beside_nation.*,
    case when beside_nation.class in ('insured', 'exempt', 'outside') then 0.0 else
      coalesce({{ blind_spot_setting('spread_effect') }}
        * (greatest(cast(beside_nation.weight as double) - cast(beside_nation.persons as double), 0.0)
          + cast(beside_nation.weight as double)
            * greatest(cast(beside_nation.nation_estimate as double) / nullif(cast(beside_nation.nation_weight as double), 0.0) - 1.0, 0.0))
        * (1.0 - cast(beside_nation.persons as double) / nullif(cast(beside_nation.nation_persons as double), 0.0)), 0.0)
      + coalesce(cast(beside_nation.estimate as double) * cast(beside_nation.estimate as double) * week.variance
        / nullif(week.persons * week.persons, 0.0), 0.0) end as model_variance
  from beside_nation
  left join week
    on week.class = beside_nation.class
),
with_variance as (
  select
    modelled.*,
    case when modelled.class = 'outside'
         then sum(case when modelled.class in ('covered_uninsured', 'daily_unreported', 'contractor_outside')
                       then cast(modelled.model_variance as decimal(32, 6)) end) over (partition by modelled.dimension, modelled.member)
         else cast(modelled.model_variance as decimal(32, 6)) end as added_variance
  from modelled
),
blind_spot_estimate as (
  select
    date '{{ var('partition_start') }}' as month,
    with_variance.dimension,
    with_variance.member,
    with_variance.class,
    -- persons
    cast(with_variance.persons as bigint) as persons,
    cast(coalesce(cast(alike.persons as double) * cast(with_variance.persons as double) / nullif(cast(with_variance.nation_persons as double), 0.0), 0.0) as decimal(24, 4)) as insured_alike,
    cast(case when sample.replicates is null then null
         when with_variance.class in ('insured', 'exempt') then cast(greatest(with_variance.weight, 0) as decimal(28, 8))
         else coalesce(with_variance.estimate, cast(with_variance.weight as decimal(28, 8))) end as decimal(24, 4)) as estimate,
    cast(case when sample.replicates is null then null else
      coalesce(cast(with_variance.squared as double), 0.0) * (1.0 - sample.sampled)
        * (sample.replicates - 1.0) / sample.replicates
      + cast(with_variance.added_variance as double) end as decimal(32, 4)) as variance,
    -- amounts
    cast(with_variance.uninsured_won as decimal(28, 0)) as uninsured_won
  from with_variance
  cross join sample
  left join alike
    on alike.class = with_variance.class
)
select * from blind_spot_estimate
