/*---
description:
  ko: 증거 행만으로 다시 도출되지 않는 경보. 비어 있어야 한다.
  en: >-
    alerts that do not follow from their evidence rows: rows that count and do not fulfil their rule by their own
    columns, rows that fulfil it and are cleared, groups unlike their rows, and candidates whose amount, counts, days,
    rules or severity are not those of their rows. Empty when all is well
grain: [what, found]
materialized: table
owner: detection
legal_basis: 행정절차법 제23조
meta:
  reads: "alerts.evidence, alerts.candidate and the code table of loss reasons, nothing else, so that whoever holds a case file can do the same"
  not_derived: "what a rule counted elsewhere and shows as a number: worked days of a month, staff, claims beside, hires that turnover gives, p-values of rings"
columns:
  what: {description: "row, group or candidate", tests: [{accepted_values: [row, cleared, group, candidate]}]}
  found: {description: "rule and key of the row or group, or case and what differs", tags: [pseudonym, account, firm]}
---*/
with evidence as (
  select * from {{ ref('evidence') }}
),
candidate as (
  select * from {{ ref('candidate') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
-- F06: how many such patterns chance gives, of all redundancies tested, counted or cleared
hired as (
  select
    evidence.claim_no,
    evidence.evidence_key,
    evidence.p_value,
    evidence.tests,
    least(evidence.group_size, 3) as size,
    case
      when cast(evidence.group_matched as double) > evidence.expected
        then least(1.0, exp(-{{ poisson_ratio('cast(evidence.group_matched as double)', 'evidence.expected') }})
          * (cast(evidence.group_matched as double) + 1.0) / (cast(evidence.group_matched as double) + 1.0 - evidence.expected)
          / sqrt(2.0 * pi() * cast(evidence.group_matched as double)))
      else 1.0 end as tail
  from evidence
  where evidence.evidence_kind = 'redundant_beside_hires'
),
hired_share as (
  select
    hired.*,
    hired.p_value * cast(hired.tests as double)
      / cast(count(*) over (partition by hired.size order by hired.p_value) as double) as share_by_chance
  from hired
),
hired_judged as (
  select
    hired_share.claim_no,
    hired_share.evidence_key,
    abs(hired_share.tail - hired_share.p_value) <= 0.000000001 * hired_share.p_value as is_tail,
    min(hired_share.share_by_chance) over (
      partition by hired_share.size order by hired_share.p_value range between current row and unbounded following) as false_share
  from hired_share
),
-- F02: paid days inside all rounds of the claim, and what was declared in any of them
statement as (
  select
    evidence.claim_no,
    evidence.evidence_key,
    sum(evidence.overlap_days) as overlap_days
  from evidence
  where evidence.rule_id = 'F02'
  group by evidence.claim_no, evidence.evidence_key
),
-- R01: of a staff that left as a whole, how many had a told season or came back after the benefit
whole_staff as (
  select
    evidence.evidence_key,
    count(*) filter (where evidence.reopens_on is not null) as season,
    count(*) filter (where evidence.rehired_on > evidence.evidence_to) as back_later
  from evidence
  where evidence.evidence_kind = 'whole_staff'
  group by evidence.evidence_key
),
-- R01: when those left whose losses were reported late together
late_report as (
  select
    evidence.evidence_key,
    min(evidence.evidence_from) as first_on,
    max(evidence.evidence_from) as last_on
  from evidence
  where evidence.evidence_kind = 'late_report'
  group by evidence.evidence_key
),
-- what the rule says, of the row alone; null and false alike break it
row_holds as (
  select
    evidence.*,
    case evidence.rule_id
      when 'F01' then not evidence.declared_work
        and evidence.overlap_days >= 1
        and evidence.evidence_from <= evidence.subject_to
        and coalesce(evidence.evidence_to >= evidence.subject_from, true)
        and case evidence.evidence_kind
          when 'insured_spell' then
            evidence.overlap_days = days_overlap(evidence.evidence_from, evidence.evidence_to, evidence.subject_from, evidence.subject_to)
            -- an open spell is neither the employment the claim ended nor an earlier one elsewhere
            and coalesce(
              evidence.evidence_to is not null
                or case when split_part(evidence.evidence_key, '/', 1) = evidence.ended_workplace_no
                  then evidence.evidence_from > evidence.ended_on
                  else evidence.evidence_from >= evidence.ended_acquired_on end, true)
          else evidence.overlap_days <= days_between(evidence.evidence_from, evidence.evidence_to) + 1
            and evidence.evidence_from >= evidence.subject_from
            and evidence.evidence_to <= evidence.subject_to end
      when 'F02' then not evidence.declared_work
        and coalesce(evidence.declared_income_won, 0) <= 0
        and evidence.income_won > 0
        and evidence.overlap_days = days_overlap(evidence.evidence_from, evidence.evidence_to, evidence.subject_from, evidence.subject_to)
        and evidence.overlap_days >= 1
        and statement.overlap_days = days_between(evidence.evidence_from, evidence.evidence_to) + 1
      when 'F03' then evidence.channel = 'online'
        and evidence.fact_on > evidence.evidence_from
        and coalesce(evidence.fact_on < evidence.evidence_to, true)
        and evidence.fact_on <= evidence.abroad_until
        and (evidence.evidence_to is not null or coalesce(evidence.seen_on <= evidence.evidence_from, true))
      when 'F04' then not evidence.declared_work
        and split_part(evidence.evidence_key, '/', 1) <> 'reserve_training'
        and evidence.overlap_days = days_overlap(evidence.evidence_from, evidence.evidence_to, evidence.subject_from, evidence.subject_to)
        and evidence.overlap_days >= 1
        and days_between(evidence.evidence_from, evidence.evidence_to) >= 7
      when 'F05' then evidence.fact_on > evidence.evidence_from
        and evidence.fact_on <= evidence.evidence_to
        and coalesce(evidence.fact_on < add_days(evidence.reopens_on, -7), true)
        and evidence.group_matched >= 3
        and 2 * evidence.group_matched >= evidence.group_size
      when 'F06' then case evidence.evidence_kind
          when 'redundant_beside_hires' then evidence.loss_reason = '23'
            and evidence.group_matched >= evidence.group_size
            and evidence.fact_on between add_days(evidence.evidence_from, -30) and add_days(evidence.evidence_from, 60)
            and hired_judged.is_tail
            and hired_judged.false_share <= 0.05
          else evidence.fact_on > evidence.evidence_from
            and evidence.document is null
            and before.entitling = 'no'
            and stands.entitling = 'yes' end
      when 'F07' then evidence.statements = 0
        and evidence.months_observed >= 3
        and evidence.statements_until >= month_start(add_days(evidence.evidence_to, 14))
        and evidence.group_matched = evidence.group_size
        and days_between(evidence.evidence_from, evidence.evidence_to) <= 270
        and days_between(evidence.evidence_to, evidence.fact_on) between -31 and 90 + 31
      when 'F08' then evidence.ended_workplace_no = evidence.workplace_no
        and evidence.ended_on = add_days(evidence.evidence_from, -1)
        and evidence.fact_on >= add_months(evidence.evidence_from, 3)
        and evidence.evidence_to between evidence.fact_on and add_days(evidence.fact_on, 60)
        and evidence.group_matched >= 2
        and 10 * evidence.group_matched >= evidence.group_size
      when 'F09' then not evidence.declared_work
        and evidence.evidence_from >= evidence.claim_paid_from
        and (evidence.evidence_from is distinct from evidence.evidence_to)
        and evidence.overlap_days = days_overlap(evidence.evidence_from, evidence.evidence_to, evidence.subject_from, evidence.subject_to)
        and evidence.overlap_days >= 1
      when 'F10' then evidence.group_matched >= 2
        and case evidence.evidence_kind
          when 'shared_account' then evidence.group_size >= 3
            and coalesce(evidence.users, evidence.group_size) <= 100
            and not coalesce(evidence.together_p_value > 0.01 and 3 * evidence.together <= evidence.users and 2 * evidence.group_alike <= evidence.users, false)
          else evidence.group_size >= 4
            and coalesce(evidence.users, evidence.group_size) <= 30
            and not coalesce(evidence.together_p_value > 0.01 and 2 * evidence.group_alike <= evidence.users, false) end
      when 'F11' then evidence.statements = 0
        and evidence.document is null
        and case evidence.evidence_kind
          when 'back_dated_hire' then evidence.fact_on >= add_months(evidence.evidence_from, 2)
            and evidence.evidence_from <= evidence.subject_to
            and evidence.fact_on > evidence.subject_to
          else evidence.evidence_from >= evidence.subject_from
            and evidence.evidence_to <= evidence.subject_to
            and 2 * (days_between(evidence.evidence_from, evidence.evidence_to) + 1)
              > days_between(evidence.subject_from, evidence.subject_to) + 1 end
      when 'R01' then evidence.p_value <= 0.01
        and evidence.group_matched <= evidence.group_size
        and case
          when evidence.evidence_kind = 'account' then evidence.group_matched >= 2
            and evidence.group_size between 3 and 100
            and not coalesce(evidence.together_p_value > 0.01 and 3 * evidence.together <= evidence.group_size and 2 * evidence.group_alike <= evidence.group_size, false)
          when evidence.evidence_kind = 'device' then evidence.group_matched >= 2
            and evidence.group_size between 3 and 30
            and not coalesce(evidence.together_p_value > 0.01 and 2 * evidence.group_alike <= evidence.group_size, false)
          else evidence.group_matched >= 3
            and evidence.households >= 2
            and evidence.evidence_from between evidence.window_from and evidence.window_to
            and case evidence.evidence_kind
              when 'rehired' then evidence.fact_on > evidence.evidence_from
                and evidence.fact_on <= evidence.evidence_to
                and coalesce(evidence.fact_on < add_days(evidence.reopens_on, -7), true)
              when 'late_report' then evidence.fact_on >= add_months(evidence.evidence_from, 3)
                and evidence.applied_on between evidence.fact_on and add_days(evidence.fact_on, 60)
                and not coalesce(evidence.closed_on between add_days(late_report.last_on, -7) and add_days(late_report.first_on, 32), false)
              when 'unpaid' then evidence.statements = 0
                and evidence.months_observed >= 3
                and evidence.statements_until >= month_start(add_days(evidence.evidence_from, 14))
              when 'whole_staff' then evidence.group_matched = evidence.group_size
                and 10 * evidence.group_size >= 8 * evidence.staff
                and not coalesce(evidence.closed_on between add_days(evidence.window_from, -31) and add_days(evidence.window_to, 92), false)
                and 2 * whole_staff.season < evidence.group_matched
                and 2 * whole_staff.back_later < evidence.group_matched
              else false end end
      else false end
      and {{ is_sure_link('evidence.link_probability') }} as holds,
    case
      when evidence.subject_kind = 'subsidy' then round(evidence.paid_won / evidence.group_size)
      when evidence.subject_kind = 'claim' or evidence.rule_id = 'F03' then evidence.paid_won
      else least(evidence.paid_won, coalesce(evidence.benefit_daily_won, evidence.paid_won) * evidence.overlap_days) end as risk_won
  from evidence
  left join statement
    on statement.claim_no = evidence.claim_no
    and statement.evidence_key = evidence.evidence_key
    and evidence.rule_id = 'F02'
  left join hired_judged
    on hired_judged.claim_no = evidence.claim_no
    and hired_judged.evidence_key = evidence.evidence_key
  left join whole_staff
    on whole_staff.evidence_key = evidence.evidence_key
    and evidence.evidence_kind = 'whole_staff'
  left join late_report
    on late_report.evidence_key = evidence.evidence_key
    and evidence.evidence_kind = 'late_report'
  left join reason as before
    on before.loss_reason = evidence.loss_reason_before
  left join reason as stands
    on stands.loss_reason = evidence.loss_reason
),
broken_row as (
  select
    case when cleared then 'cleared' else 'row' end as what,
    rule_id || ' ' || subject_key || ' ' || evidence_kind || ' ' || evidence_key as found
  from row_holds
  where ((holds is distinct from true) and not cleared)
    -- what clears a late report may be that the other one is cleared
    or (holds and cleared and rule_id <> 'F08')
    or ((risk_won is distinct from amount_at_risk_won) and not cleared)
),
counted as (
  select * from row_holds
  where not cleared
),
-- a pattern of several people shows each of them
mass_rehire as (
  select evidence_key, max(group_matched) as group_matched, count(*) as rows
  from counted
  where rule_id = 'F05'
  group by evidence_key
),
short_staff as (
  select workplace_no
  from counted
  where rule_id = 'F07'
  group by workplace_no
  having days_between(min(evidence_to), max(evidence_to)) > 31
    or days_between(max(evidence_to), max(fact_on)) > 90
    or count(distinct person_key) > max(group_size)
),
late_loss as (
  select one.claim_no, one.evidence_key, count(other.person_key) as others
  from counted as one
  left join counted as other
    on other.workplace_no = one.workplace_no
    and other.rule_id = 'F08'
    and other.person_key <> one.person_key
    and abs(days_between(one.evidence_from, other.evidence_from)) <= 183
  where one.rule_id = 'F08'
  group by one.claim_no, one.evidence_key
),
shared as (
  select evidence_kind, evidence_key, max(group_size) as group_size, count(distinct person_key) as persons
  from counted
  where rule_id = 'F10'
  group by evidence_kind, evidence_key
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
  select 'F05 ' || evidence_key as found from mass_rehire where rows <> group_matched
  union all
  select 'F07 ' || workplace_no as found from short_staff
  union all
  select 'F08 ' || evidence_key as found from late_loss where others = 0
  union all
  select 'F10 ' || evidence_kind || ' ' || evidence_key as found from shared where persons <> group_size
  union all
  select 'R01 ' || evidence_kind || ' ' || evidence_key as found from ring_tie where shown <> persons
),
-- two proofs of one round count once, of a claim the larger of what questions it as a whole and its rounds together
subject_risk as (
  select
    counted.pivot_key,
    coalesce(counted.claim_no, counted.subject_key) as risk_key,
    counted.subject_kind,
    counted.subject_key,
    case when counted.subject_kind = 'subsidy' then sum(counted.risk_won) else max(counted.risk_won) end as risk_won
  from counted
  group by counted.pivot_key, coalesce(counted.claim_no, counted.subject_key), counted.subject_kind, counted.subject_key
),
claim_risk as (
  select
    subject_risk.pivot_key,
    subject_risk.risk_key,
    count(*) as subjects,
    greatest(
      coalesce(sum(subject_risk.risk_won) filter (where subject_risk.subject_kind = 'round'), 0),
      coalesce(max(subject_risk.risk_won) filter (where subject_risk.subject_kind <> 'round'), 0)) as risk_won
  from subject_risk
  group by subject_risk.pivot_key, subject_risk.risk_key
),
case_risk as (
  select pivot_key, cast(sum(subjects) as bigint) as subjects, sum(risk_won) as risk_won
  from claim_risk
  group by pivot_key
),
derived as (
  select
    counted.pivot_key,
    count(*) as evidence_count,
    count(distinct counted.person_key) as persons,
    count(distinct counted.rule_id) as rule_count,
    string_agg(distinct counted.rule_id, ',' order by counted.rule_id) as rules,
    min(case
      when counted.subject_kind = 'round' then greatest(counted.evidence_from, counted.subject_from)
      else counted.subject_from end) as first_on,
    max(case
      when counted.subject_kind = 'round' then least(coalesce(counted.evidence_to, counted.subject_to), counted.subject_to)
      else counted.subject_to end) as last_on,
    max(counted.known_on) as known_on,
    min(counted.link_probability) as link_probability
  from counted
  group by counted.pivot_key
),
broken_candidate as (
  select
    coalesce(candidate.pivot_key, derived.pivot_key) || case
      when candidate.pivot_key is null then ' is no candidate'
      when derived.pivot_key is null then ' has no evidence'
      when candidate.rules <> derived.rules then ' rules'
      when candidate.evidence_count <> derived.evidence_count or candidate.persons <> derived.persons or candidate.subjects <> case_risk.subjects
        then ' counts'
      when (candidate.first_on is distinct from derived.first_on)
        or (candidate.last_on is distinct from derived.last_on)
        or (candidate.known_on is distinct from derived.known_on) then ' days'
      when candidate.amount_at_risk_won <> case_risk.risk_won then ' amount'
      when (candidate.link_probability is distinct from derived.link_probability) then ' link'
      when candidate.severity <> case
        when case_risk.risk_won >= 3000000 or (derived.rule_count >= 2 and case_risk.risk_won >= 1000000) then 'critical'
        when case_risk.risk_won >= 1000000 or derived.rule_count >= 2 then 'high'
        when case_risk.risk_won >= 300000 then 'medium'
        else 'low' end then ' severity' end as found
  from candidate
  full outer join derived
    on derived.pivot_key = candidate.pivot_key
  left join case_risk
    on case_risk.pivot_key = derived.pivot_key
),
underived_alert as (
  select what, found from broken_row
  union
  select 'group' as what, found from broken_group
  union
  select 'candidate' as what, found from broken_candidate where found is not null
)
select * from underived_alert
