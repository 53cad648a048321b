/*---
description:
  ko: 수급 중이거나 최근인 수급자격이 같은 시기의 다른 수급자격과 얼마나 다른지. 정답으로 배운 적 없는 유형을 위해 순위만 보여 주며 경보를 올리지 않는다.
  en: >-
    how unlike the others of its age a claim is, for what no decision ever taught. Each fact of the risk model counts with
    the surprise of its upper tail: minus the logarithm of the share of claims of the same stretch that have as much or
    more of it (empirical tails, Li and others 2022). What is usual adds nothing. It raises no alert
schema: alerts
grain: [claim_no]
materialized: table
owner: detection
legal_basis: 고용보험법 제61조 · 제109조
sort_by: [claim_no]
meta:
  not_independent: "facts are not independent, so the sum is an order and no probability"
columns:
  claim_no: {tests: [not_null]}
  surprise: {description: "sum over facts, 0 where everything is usual", tests: [{range: {min: 0}}]}
  as_strange_share: {description: "share of claims of the same stretch that are as strange or stranger", tests: [{range: {min: 0, max: 1}}]}
  strange_facts: {description: "facts that at most one in a hundred has as much of, the columns of features.fraud_risk; null where there is none"}
  is_alerted: {description: "a rule speaks against the claim already"}
---*/
{% set facts = ['undeclared_insured_days', 'undeclared_daily_days', 'undeclared_pay_days', 'undeclared_business_days',
  'abroad_rounds', 'service_days', 'shared_account_households', 'shared_device_households', 'prior_claims',
  'reason_changed', 'loss_report_months', 'late_leavers', 'left_together', 'rehired_together', 'unpaid_months'] -%}
with feature as (
  select * from {{ ref('fraud_risk') }}
),
evidence as (
  select * from {{ ref('evidence') }}
  where not cleared
),
alerted as (
  select distinct evidence.claim_no from evidence where evidence.claim_no is not null
),
-- the stretch that runs today
present as (
  select * from feature
  where feature.observed_on = date '{{ var('as_of') }}'
),
{% for fact in facts -%}
{{ fact }}_count as (
  select present.months_after, present.{{ fact }} as amount, count(*) as claims
  from present
  group by present.months_after, present.{{ fact }}
),
{{ fact }}_tail as (
  select
    {{ fact }}_count.months_after,
    {{ fact }}_count.amount,
    cast(sum({{ fact }}_count.claims) over (
      partition by {{ fact }}_count.months_after order by {{ fact }}_count.amount desc) as double)
      / cast(sum({{ fact }}_count.claims) over (partition by {{ fact }}_count.months_after) as double) as tail
  from {{ fact }}_count
),
{% endfor -%}
surprised as (
  select
    present.claim_no,
    present.months_after
    {%- for fact in facts %},
    -ln({{ fact }}_tail.tail) as {{ fact }}
    {%- endfor %}
  from present
  {%- for fact in facts %}
  inner join {{ fact }}_tail
    on {{ fact }}_tail.months_after = present.months_after
    and {{ fact }}_tail.amount = present.{{ fact }}
  {%- endfor %}
),
summed as (
  select
    surprised.claim_no,
    surprised.months_after,
    {% for fact in facts %}{% if not loop.first %} + {% endif %}abs(surprised.{{ fact }}){% endfor %} as surprise,
    nullif(concat_ws(','
      {%- for fact in facts %},
      case when surprised.{{ fact }} >= ln(100.0) then '{{ fact }}' end
      {%- endfor %}), '') as strange_facts
  from surprised
),
claim_anomaly as (
  select
    -- ids
    summed.claim_no,
    -- order
    summed.months_after,
    summed.surprise,
    cume_dist() over (partition by summed.months_after order by summed.surprise desc) as as_strange_share,
    -- reasons
    summed.strange_facts,
    alerted.claim_no is not null as is_alerted
  from summed
  left join alerted
    on alerted.claim_no = summed.claim_no
)
select * from claim_anomaly
