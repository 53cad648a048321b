/*---
description:
  ko: 한 사업주 집단에서 같은 날 또는 짧은 기간에 함께 이직해 수급한 무리. 기간과 크기를 함께 훑은 스캔 통계량으로 찾는다.
  en: >-
    claimants of one business group who separated on one day or within a few weeks, more of them than chance gives:
    a scan over start, length and size of the window. A large honest layoff is one too; what makes a ring is decided behind
grain: [business_group, mark, window_from]
materialized: table
owner: detection
legal_basis: 고용보험법 제40조 · 제58조
meta:
  null_model: >-
    Poisson: a group's claimants of a window are its staff times the rate of the same days in the rest of the country or
    of its industry section, whichever is higher, so that season and month ends are in the rate; of marked claims times
    the share of all claims with that mark
  statistic: >-
    the Poisson log likelihood ratio c ln(c/m) - (c - m) of Kulldorff (A spatial scan statistic, Communications in
    Statistics 26, 1997) where the country is much larger than the group; windows of one group that overlap leave the highest
  p_value: >-
    windows scanned times exp(-ratio), the Chernoff bound of the Poisson tail (Mitzenmacher and Upfal, Probability and
    Computing, theorem 5.4) with Bonferroni's correction: an upper bound and no draw, so the same every night
columns:
  business_group: {tags: [firm]}
  mark: {description: "any separation, or those with a mark", tests: [{accepted_values: [any, rehired, late_report, unpaid]}]}
  window_days: {description: length of the window, tests: [{range: {min: 1, max: 183}}]}
  claims: {description: "claims of the mark in the window", tests: [{range: {min: 3}}]}
  group_claims: {description: all claims of the group in the window}
  closed_on: {description: last day on which a workplace that the claimants left closed; null when one is open}
  staff: {description: insured with the group on the first day of the window}
  expected: {description: claims of the mark that chance gives}
  log_likelihood_ratio: {tests: [{range: {min: 0}}]}
  p_value: {description: corrected for all windows scanned, tests: [{range: {min: 0, max: 0.01}}]}
  share_p_value: {description: "Chernoff bound for as many with the mark among the group's claims of the window; 1 for any separation", tests: [{range: {min: 0, max: 1}}]}
---*/
with mark as (
  select * from {{ ref('claim_mark') }}
),
linked as (
  select * from {{ ref('linked_business') }}
),
workplace as (
  select * from {{ ref('workplace') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
),
event as (
  select claim_no, business_group, section, separated_on, 'any' as mark from mark
  union all
  select claim_no, business_group, section, separated_on, 'rehired' as mark from mark where is_rehired
  union all
  select claim_no, business_group, section, separated_on, 'late_report' as mark from mark where is_late
  union all
  select claim_no, business_group, section, separated_on, 'unpaid' as mark from mark where is_unpaid
),
-- one more in numerator and denominator, so that a mark never seen before has a rate
base as (
  select
    cast(count(*) as double) as claims,
    cast(count(*) filter (where is_rehired) + 1 as double) / cast(count(*) + 1 as double) as rehired,
    cast(count(*) filter (where is_late) + 1 as double) / cast(count(*) + 1 as double) as late_report,
    cast(count(*) filter (where is_unpaid) + 1 as double) / cast(count(*) + 1 as double) as unpaid,
    min(separated_on) as first_on,
    max(separated_on) as last_on
  from mark
),
length as (
  select mark, window_days
  from (values
    ('any', 1), ('any', 7), ('any', 28),
    ('rehired', 1), ('rehired', 7), ('rehired', 28),
    ('unpaid', 1), ('unpaid', 7), ('unpaid', 28),
    ('late_report', 1), ('late_report', 7), ('late_report', 28), ('late_report', 183)
  ) as length (mark, window_days)
),
scanned as (
  select event.business_group, event.mark, event.separated_on as window_from, length.window_days
  from (select distinct business_group, mark, separated_on from event) as event
  inner join length
    on length.mark = event.mark
),
scans as (
  select count(*) as scans from scanned
),
counted as (
  select
    scanned.business_group,
    scanned.mark,
    scanned.window_from,
    scanned.window_days,
    min(event.section) as section,
    count(*) as claims
  from scanned
  inner join event
    on event.business_group = scanned.business_group
    and event.mark = scanned.mark
  where event.separated_on between scanned.window_from and add_days(scanned.window_from, cast(scanned.window_days - 1 as int))
  group by scanned.business_group, scanned.mark, scanned.window_from, scanned.window_days
  having count(*) >= 3
),
together as (
  select counted.business_group, counted.mark, counted.window_from, counted.window_days, count(*) as group_claims
  from counted
  inner join mark
    on mark.business_group = counted.business_group
  where mark.separated_on between counted.window_from and add_days(counted.window_from, cast(counted.window_days - 1 as int))
  group by counted.business_group, counted.mark, counted.window_from, counted.window_days
),
started as (
  select distinct business_group, window_from from counted
),
staffed as (
  select started.business_group, started.window_from, count(distinct insured_spell.person_key) as staff
  from started
  inner join linked
    on linked.sure_group = started.business_group
  inner join insured_spell
    on insured_spell.workplace_no = linked.workplace_no
  where insured_spell.insured_from <= started.window_from
    and (insured_spell.insured_to is null or insured_spell.insured_to >= started.window_from)
  group by started.business_group, started.window_from
),
-- persons insured on an average day of the span, in all and by section
insured_days as (
  select
    coalesce(insured_spell.section, '-') as section,
    sum(cast(days_overlap(insured_spell.insured_from, insured_spell.insured_to, base.first_on, base.last_on) as bigint)) as days
  from insured_spell
  cross join base
  where insured_spell.insured_from <= base.last_on
    and (insured_spell.insured_to is null or insured_spell.insured_to >= base.first_on)
  group by coalesce(insured_spell.section, '-')
),
insured as (
  select
    insured_days.section,
    cast(insured_days.days as double) / cast(days_between(base.first_on, base.last_on) + 1 as double) as persons,
    cast(sum(insured_days.days) over () as double) / cast(days_between(base.first_on, base.last_on) + 1 as double) as all_persons
  from insured_days
  cross join base
),
daily as (
  select section, separated_on, count(*) as claims from mark group by section, separated_on
),
period as (
  select distinct section, window_from, window_days from counted
),
-- days of the section by an equal section, days of the country over few windows: both stay small
in_section as (
  select period.section, period.window_from, period.window_days, sum(daily.claims) as claims
  from period
  inner join daily
    on daily.section = period.section
  where daily.separated_on between period.window_from and add_days(period.window_from, cast(period.window_days - 1 as int))
  group by period.section, period.window_from, period.window_days
),
all_daily as (
  select separated_on, sum(claims) as claims from daily group by separated_on
),
in_country as (
  select time.window_from, time.window_days, sum(all_daily.claims) as claims
  from (select distinct window_from, window_days from period) as time
  inner join all_daily
    on all_daily.separated_on >= time.window_from
  where all_daily.separated_on <= add_days(time.window_from, cast(time.window_days - 1 as int))
  group by time.window_from, time.window_days
),
elsewhere as (
  select
    in_section.section,
    in_section.window_from,
    in_section.window_days,
    in_country.claims as all_claims,
    in_section.claims as section_claims
  from in_section
  inner join in_country
    on in_country.window_from = in_section.window_from
    and in_country.window_days = in_section.window_days
),
expecting as (
  select
    counted.*,
    together.group_claims,
    coalesce(staffed.staff, counted.claims) as staff,
    scans.scans,
    case counted.mark when 'rehired' then base.rehired when 'late_report' then base.late_report when 'unpaid' then base.unpaid else 1.0 end as mark_share,
    cast(greatest(coalesce(staffed.staff, 0), together.group_claims) as double) * greatest(
      cast(elsewhere.all_claims - together.group_claims + 1 as double) / insured.all_persons,
      cast(greatest(elsewhere.section_claims - together.group_claims, 0) as double) / greatest(insured.persons, 1.0)) as expected_claims
  from counted
  cross join scans
  cross join base
  inner join together
    on together.business_group = counted.business_group
    and together.mark = counted.mark
    and together.window_from = counted.window_from
    and together.window_days = counted.window_days
  inner join elsewhere
    on elsewhere.section = counted.section
    and elsewhere.window_from = counted.window_from
    and elsewhere.window_days = counted.window_days
  inner join insured
    on insured.section = counted.section
  left join staffed
    on staffed.business_group = counted.business_group
    and staffed.window_from = counted.window_from
),
tested as (
  select
    expecting.*,
    expecting.expected_claims * expecting.mark_share as expected,
    {{ poisson_ratio('cast(expecting.claims as double)', 'expecting.expected_claims * expecting.mark_share') }} as log_likelihood_ratio,
    {{ poisson_ratio('cast(expecting.claims as double)', 'cast(expecting.group_claims as double) * expecting.mark_share') }} as share_ratio
  from expecting
),
significant as (
  select
    tested.*,
    least(1.0, cast(tested.scans as double) * exp(-tested.log_likelihood_ratio)) as p_value
  from tested
  where cast(tested.scans as double) * exp(-tested.log_likelihood_ratio) <= 0.01
),
-- of windows that overlap the likeliest stays: ratio, then the shorter, then the earlier one
outdone as (
  select distinct weaker.business_group, weaker.mark, weaker.window_from, weaker.window_days
  from significant as weaker
  inner join significant as stronger
    on stronger.business_group = weaker.business_group
    and stronger.mark = weaker.mark
  where stronger.window_from <= add_days(weaker.window_from, cast(weaker.window_days - 1 as int))
    and weaker.window_from <= add_days(stronger.window_from, cast(stronger.window_days - 1 as int))
    and (stronger.log_likelihood_ratio > weaker.log_likelihood_ratio
      or (stronger.log_likelihood_ratio = weaker.log_likelihood_ratio
        and (stronger.window_days < weaker.window_days
          or (stronger.window_days = weaker.window_days and stronger.window_from < weaker.window_from))))
),
-- the owner of several businesses may close one: those count that the claimants left
closing as (
  select
    significant.business_group,
    significant.mark,
    significant.window_from,
    significant.window_days,
    max(coalesce(workplace.closed_on, date '9999-12-31')) as closed_on
  from significant
  inner join mark
    on mark.business_group = significant.business_group
  inner join workplace
    on workplace.workplace_no = mark.workplace_no
  where mark.separated_on between significant.window_from and add_days(significant.window_from, cast(significant.window_days - 1 as int))
  group by significant.business_group, significant.mark, significant.window_from, significant.window_days
),
separation_cluster as (
  select
    -- ids
    significant.business_group,
    significant.mark,
    -- window
    significant.window_from,
    add_days(significant.window_from, cast(significant.window_days - 1 as int)) as window_to,
    significant.window_days,
    nullif(closing.closed_on, date '9999-12-31') as closed_on,
    -- size
    significant.claims,
    significant.group_claims,
    significant.staff,
    -- chance
    significant.expected,
    significant.log_likelihood_ratio,
    significant.p_value,
    case when significant.mark = 'any' then 1.0 else least(1.0, exp(-significant.share_ratio)) end as share_p_value
  from significant
  left join closing
    on closing.business_group = significant.business_group
    and closing.mark = significant.mark
    and closing.window_from = significant.window_from
    and closing.window_days = significant.window_days
  where not exists (
    select 1 from outdone
    where outdone.business_group = significant.business_group
      and outdone.mark = significant.mark
      and outdone.window_from = significant.window_from
      and outdone.window_days = significant.window_days
  )
)
select * from separation_cluster
