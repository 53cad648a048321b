/*---
description:
  ko: "경보는 증거 행만으로 다시 도출된다"
  en: >-
    every alert is derived again from its evidence rows alone: each row that counts fulfils its rule by its own columns,
    a group has as many rows as it says, and each candidate has the rules, counts, days and severity of its rows
severity: error
---*/
with evidence as (
  select * from {{ ref('evidence') }}
),
candidate as (
  select * from {{ ref('candidate') }}
),
counted as (
  select * from evidence where not cleared
),
-- what the rule says, of the row alone; null and false alike break it
row_holds as (
  select
    counted.rule_id,
    counted.subject_key,
    counted.evidence_kind,
    counted.evidence_key,
    counted.pivot_key,
    case counted.rule_id
      when 'F01' then counted.overlap_days >= 1
        and counted.evidence_from <= counted.subject_to
        and coalesce(counted.evidence_to >= counted.subject_from, true)
        and (counted.evidence_kind <> 'insured_spell'
          or counted.overlap_days = days_overlap(counted.evidence_from, counted.evidence_to, counted.subject_from, counted.subject_to))
      when 'F02' then counted.overlap_days = days_overlap(counted.evidence_from, counted.evidence_to, counted.subject_from, counted.subject_to)
        and counted.overlap_days >= 1
      when 'F03' then counted.fact_on > counted.evidence_from
        and coalesce(counted.fact_on < counted.evidence_to, true)
      when 'F04' then counted.overlap_days = days_overlap(counted.evidence_from, counted.evidence_to, counted.subject_from, counted.subject_to)
        and counted.overlap_days >= 1
        and days_between(counted.evidence_from, counted.evidence_to) >= 7
      when 'F05' then counted.fact_on > counted.evidence_from
        and counted.fact_on <= counted.evidence_to
        and counted.group_matched >= 3
        and 2 * counted.group_matched >= counted.group_size
      when 'F06' then case counted.evidence_kind
          when 'redundant_beside_hires' then counted.group_matched >= counted.group_size
            and counted.fact_on between add_days(counted.evidence_from, -30) and add_days(counted.evidence_from, 60)
          else counted.fact_on > counted.evidence_from end
      when 'F07' then counted.group_matched = counted.group_size
        and days_between(counted.evidence_from, counted.evidence_to) <= 270
        and days_between(counted.evidence_to, counted.fact_on) <= 90 + 31
      when 'F08' then counted.fact_on >= add_months(counted.evidence_from, 3)
        and counted.evidence_to between counted.fact_on and add_days(counted.fact_on, 60)
        and counted.group_matched >= 2
        and 10 * counted.group_matched >= counted.group_size
      when 'F09' then counted.overlap_days = days_overlap(counted.evidence_from, counted.evidence_to, counted.subject_from, counted.subject_to)
        and counted.overlap_days >= 1
      when 'F10' then counted.group_size >= case counted.evidence_kind when 'shared_account' then 3 else 4 end
        and counted.group_matched >= 2
      when 'F11' then case counted.evidence_kind
          when 'back_dated_hire' then counted.fact_on >= add_months(counted.evidence_from, 2)
            and counted.fact_on > counted.subject_to
          else counted.evidence_from >= counted.subject_from
            and counted.evidence_to <= counted.subject_to
            and 2 * (days_between(counted.evidence_from, counted.evidence_to) + 1)
              > days_between(counted.subject_from, counted.subject_to) + 1 end
      when 'R01' then counted.group_matched >= 3
        and counted.group_matched <= counted.group_size
        and case counted.evidence_kind
          when 'rehired' then counted.fact_on > counted.evidence_from and counted.fact_on <= counted.evidence_to
          when 'late_report' then counted.fact_on >= add_months(counted.evidence_from, 3)
          when 'whole_staff' then counted.group_matched = counted.group_size
          else counted.evidence_kind in ('account', 'device', 'unpaid') end
      else false end as holds
  from counted
),
broken_row as (
  select 'row' as what, rule_id || ' ' || subject_key || ' ' || evidence_key as found
  from row_holds
  where holds is distinct from true
),
-- a pattern of several people shows each of them
mass_rehire as (
  select evidence_key, max(group_matched) as group_matched, count(*) as rows
  from counted
  where rule_id = 'F05'
  group by evidence_key
),
ring as (
  select evidence_kind, evidence_key, max(group_size) as group_size, count(distinct person_key) as persons
  from counted
  where rule_id = 'F10'
  group by evidence_kind, evidence_key
),
late_loss as (
  select pivot_key, count(distinct person_key) as persons
  from counted
  where rule_id = 'F08'
  group by pivot_key
),
ring_tie as (
  select
    evidence_kind,
    evidence_key,
    max(case when evidence_kind in ('account', 'device') then group_size else group_matched end) as persons,
    count(distinct person_key) as shown
  from counted
  where rule_id = 'R01'
  group by evidence_kind, evidence_key
),
broken_group as (
  select 'group' as what, 'F05 ' || evidence_key as found from mass_rehire where rows <> group_matched
  union all
  select 'group' as what, 'F10 ' || evidence_kind as found from ring where persons <> group_size
  union all
  select 'group' as what, 'F08 ' || pivot_key as found from late_loss where persons < 2
  union all
  select 'group' as what, 'R01 ' || evidence_kind as found from ring_tie where shown <> persons
),
derived as (
  select
    counted.pivot_key,
    count(*) as evidence_count,
    count(distinct counted.person_key) as persons,
    count(distinct counted.rule_id) as rule_count,
    string_agg(distinct counted.rule_id, ',' order by counted.rule_id) as rules,
    max(counted.known_on) as known_on
  from counted
  group by counted.pivot_key
),
broken_candidate as (
  select 'candidate' as what, coalesce(candidate.rules, derived.rules) as found
  from candidate
  full outer join derived
    on derived.pivot_key = candidate.pivot_key
  where candidate.pivot_key is null
    or derived.pivot_key is null
    or candidate.rules <> derived.rules
    or candidate.evidence_count <> derived.evidence_count
    or candidate.persons <> derived.persons
    or candidate.known_on <> derived.known_on
    or candidate.severity <> case
      when candidate.amount_at_risk_won >= 3000000 or (derived.rule_count >= 2 and candidate.amount_at_risk_won >= 1000000) then 'critical'
      when candidate.amount_at_risk_won >= 1000000 or derived.rule_count >= 2 then 'high'
      when candidate.amount_at_risk_won >= 300000 then 'medium'
      else 'low' end
),
broken as (
  select what, found from broken_row
  union all
  select what, found from broken_group
  union all
  select what, found from broken_candidate
)
select * from broken
