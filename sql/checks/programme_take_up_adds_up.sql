/*---
description: {ko: "참여자는 참여 기록보다 많지 않고 요건 없는 프로그램의 대상은 구직등록 수와 같다", en: "nobody participates without a record, and a programme without conditions has every registration as eligible"}
severity: error
---*/
with published as (
  select programme, sum(eligible) as eligible, sum(participated) as participated
  from {{ ref('programme_take_up') }}
  group by programme
),
event as (
  select base, count(*) as events from {{ ref('programme_event') }} group by base
),
rule as (
  select * from {{ seed('programme_rule') }}
),
participant as (
  select programme, count(*) as starts from {{ ref('programme_participation') }} group by programme
),
broken as (
  select rule.programme, published.eligible, event.events, published.participated, participant.starts
  from rule
  inner join event
    on event.base = rule.base
  left join published
    on published.programme = rule.programme
  left join participant
    on participant.programme = rule.programme
  where coalesce(published.eligible, 0) > event.events
    or rule.policy_no is null and coalesce(published.eligible, 0) <> event.events
    or coalesce(published.participated, 0) > 0
      and rule.programme not in ('training_card', 'job_seeking_benefit')
      and participant.starts is null
)
select * from broken
