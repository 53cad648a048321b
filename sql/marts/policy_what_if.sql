/*---
description:
  ko: 구직급여 가정표의 각 가정에서 대상자·비용·분포와 오차. 실제 이직자에게 가정을 대어 셈한다.
  en: >-
    what each rule of the what-if table would give: persons, claims, cost, its distribution and its error, computed on
    the separations of a year whose benefit has been paid out. An answer to a question, not a forecast of behaviour
grain: [scenario, dimension, group_value]
materialized: table
owner: benefits
legal_basis: 고용보험법 제40조 · 제45조 · 제46조 · 제50조
meta:
  base: separations in the twelve months that ended a year before the last observed day, so that their benefit years are over
  method: >-
    static: every separation is put to each rule of its day; a full week of work has six paid days, so n insured days
    stand in n x 7 / 6 calendar days within 18 months. Who is eligible claims as often, and draws as much
    of the full benefit, as those of the same age and insured years whom the law in force entitles; so the present law gives back what was claimed and paid
  assumption: "people who leave of their own accord would claim as often as others; nobody leaves or stays because of the rule"
  error: >-
    delete-a-group jackknife over 20 random groups of persons (Wolter, Introduction to Variance Estimation, 2007, ch. 4):
    error of sampling and of the rates, not of the assumption
columns:
  scenario: {description: rule of the seed what_if_rule}
  dimension: {tests: [{accepted_values: [all, age_band, sex, wage_fifth]}]}
  group_value: {description: "all, an age band, m or f, or 1 (lowest) to 5 of the monthly wage"}
  separations: {tests: [{range: {min: 0}}]}
  eligible: {description: separations that meet the rule, tests: [{range: {min: 0}}]}
  claims: {description: eligible times the take-up of their age and insured years}
  cost_won: {description: benefit for those claims, tests: [{range: {min: 0}}]}
  cost_error_won: {description: standard error of the cost}
  present_cost_won: {description: cost under the law in force}
  paid_won: {description: "what was in fact paid on claims of these separations, whatever the scenario; the rules' arithmetic is held against it"}
---*/
with rule as (
  select * from {{ seed('what_if_rule') }}
),
minimum_wage as (
  select * from {{ seed('minimum_wage') }}
),
entitled as (
  select * from {{ seed('entitled_days') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
delivered as (
  select * from {{ source('ei_insured_spell') }}
),
spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
    and insured_to is not null
),
piece as (
  select * from {{ ref('employment_spell') }}
),
claim as (
  select * from {{ ref('claim') }}
),
paid as (
  select claim_no, paid_won from {{ ref('claim_outcome') }}
),
span as (
  select
    add_days(add_months({{ insured_observed_until('delivered') }}, -24), 1) as from_on,
    add_months({{ insured_observed_until('delivered') }}, -12) as to_on
  from delivered
),
separation as (
  select
    spell.person_key,
    spell.workplace_no,
    spell.insured_to as separated_on,
    max(spell.sex) as sex,
    max(age_at(spell.birth_date, spell.insured_to)) as age,
    max(spell.loss_reason) as loss_reason,
    max(spell.monthly_wage_won) as monthly_wage_won,
    max(least(coalesce(spell.weekly_hours, 40), 40)) as weekly_hours
  from spell
  cross join span
  where spell.insured_to between span.from_on and span.to_on
    and spell.monthly_wage_won is not null
  group by spell.person_key, spell.workplace_no, spell.insured_to
),
-- days before the last benefit do not count again (제40조 제2항 · 제50조 제4항)
last_claim as (
  select separation.person_key, separation.workplace_no, separation.separated_on, max(claim.separated_on) as counted_after
  from separation
  inner join claim
    on claim.person_key = separation.person_key
  where claim.separated_on < separation.separated_on
  group by separation.person_key, separation.workplace_no, separation.separated_on
),
insured as (
  select
    separation.person_key,
    separation.workplace_no,
    separation.separated_on,
    sum(days_overlap(
      piece.from_on, piece.to_on,
      greatest(add_days(add_months(separation.separated_on, -18), 1), coalesce(add_days(last_claim.counted_after, 1), date '1900-01-01')),
      separation.separated_on)) as qualifying_days,
    sum(days_overlap(
      piece.from_on, piece.to_on, coalesce(add_days(last_claim.counted_after, 1), date '1900-01-01'), separation.separated_on)) as insured_days
  from separation
  inner join piece
    on piece.person_key = separation.person_key
  left join last_claim
    on last_claim.person_key = separation.person_key
    and last_claim.workplace_no = separation.workplace_no
    and last_claim.separated_on = separation.separated_on
  where piece.from_on <= separation.separated_on
  group by separation.person_key, separation.workplace_no, separation.separated_on
),
claimed as (
  select
    claim.person_key,
    claim.workplace_no,
    claim.separated_on,
    count(*) as claims,
    cast(sum(coalesce(paid.paid_won, 0)) as decimal(38, 0)) as paid_won
  from claim
  left join paid
    on paid.claim_no = claim.claim_no
  group by claim.person_key, claim.workplace_no, claim.separated_on
),
described as (
  select
    separation.*,
    {{ age_band('separation.age') }} as age_band,
    case when separation.age < 50 then 'under_50' else 'age_50_or_over' end as entitled_band,
    cast(ntile(5) over (order by separation.monthly_wage_won, separation.person_key, separation.workplace_no, separation.separated_on) as varchar) as wage_fifth,
    -- any fixed split of persons will do; the key is a keyed digest and so a random number
    abs(separation.person_key % 20) as random_group,
    coalesce(reason.entitling = 'yes', false) as is_entitling,
    insured.qualifying_days,
    insured.insured_days,
    minimum_wage.hourly_won * separation.weekly_hours / 5 as daily_minimum_won,
    cast(separation.monthly_wage_won as bigint) * 3 / 91 as base_daily_won,
    coalesce(claimed.claims, 0) as claims,
    coalesce(claimed.paid_won, cast(0 as decimal(38, 0))) as paid_won
  from separation
  inner join insured
    on insured.person_key = separation.person_key
    and insured.workplace_no = separation.workplace_no
    and insured.separated_on = separation.separated_on
  left join minimum_wage
    on minimum_wage.year = cast(date_part('year', separation.separated_on) as int)
  left join reason
    on reason.loss_reason = separation.loss_reason
  left join claimed
    on claimed.person_key = separation.person_key
    and claimed.workplace_no = separation.workplace_no
    and claimed.separated_on = separation.separated_on
),
judged as (
  select
    described.*,
    rule.scenario,
    described.age_band || '/' || cast(coalesce(entitled.insured_days_from, 0) as varchar) as stratum,
    6 * described.qualifying_days >= 7 * rule.insured_days_from
      and (described.is_entitling or rule.reasons = 'all')
      and described.age between rule.age_from and rule.age_to as is_eligible,
    cast(entitled.entitled_days as decimal(18, 2)) * rule.days_rate as rule_days,
    greatest(
      least(cast(described.base_daily_won as decimal(18, 2)) * rule.replacement_rate, cast(rule.ceiling_daily_won as decimal(18, 2))),
      cast(coalesce(described.daily_minimum_won, 0) as decimal(18, 2)) * rule.floor_rate) as rule_daily_won
  -- the few rules first: the first side of a join without equality is held in memory
  from rule
  cross join described
  left join entitled
    on replace(entitled.age_band, '50_or_over', 'age_50_or_over') = described.entitled_band
    and described.insured_days >= entitled.insured_days_from
    and described.insured_days < entitled.insured_days_to
  where described.separated_on between rule.valid_from and rule.valid_to
),
-- dimensions side by side, then everything small: one row per group, stratum and random group
spread as (
  {% for dimension in ['all', 'age_band', 'sex', 'wage_fifth'] %}
  select
    judged.scenario,
    '{{ dimension }}' as dimension,
    {% if dimension == 'all' %}'all'{% else %}judged.{{ dimension }}{% endif %} as group_value,
    judged.stratum,
    judged.random_group,
    count(*) as separations,
    count(*) filter (where judged.is_eligible) as eligible,
    cast(coalesce(sum(judged.rule_daily_won * judged.rule_days) filter (where judged.is_eligible), 0) as decimal(38, 0)) as full_won,
    cast(sum(judged.paid_won) as decimal(38, 0)) as paid_won
  from judged
  group by
    judged.scenario,
    {% if dimension != 'all' %}judged.{{ dimension }},{% endif %}
    judged.stratum,
    judged.random_group
  {% if not loop.last %}union all{% endif %}
  {% endfor %}
),
-- what those did whom the law in force entitles
conduct as (
  select
    judged.stratum,
    judged.random_group,
    count(*) filter (where judged.is_eligible) as eligible,
    cast(sum(judged.claims) as bigint) as claims,
    cast(coalesce(sum(judged.rule_daily_won * judged.rule_days) filter (where judged.is_eligible), 0) as decimal(38, 0)) as full_won,
    cast(sum(judged.paid_won) as decimal(38, 0)) as paid_won
  from judged
  where judged.scenario = 'present'
  group by judged.stratum, judged.random_group
),
-- replicate 0 leaves nobody out, the others one random group each
replicate as (
  select replicate
  from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20)) as number (replicate)
),
conduct_replicate as (
  select
    replicate.replicate,
    conduct.stratum,
    cast(sum(conduct.claims) as double) / nullif(cast(sum(conduct.eligible) as double), 0.0) as take_up,
    cast(sum(conduct.paid_won) as double) / nullif(cast(sum(conduct.full_won) as double), 0.0) as used
  from conduct
  cross join replicate
  where conduct.random_group <> replicate.replicate - 1
  group by replicate.replicate, conduct.stratum
),
spread_replicate as (
  select
    replicate.replicate,
    spread.scenario,
    spread.dimension,
    spread.group_value,
    spread.stratum,
    sum(spread.eligible) as eligible,
    sum(spread.full_won) as full_won
  from spread
  cross join replicate
  where spread.random_group <> replicate.replicate - 1
  group by replicate.replicate, spread.scenario, spread.dimension, spread.group_value, spread.stratum
),
-- whole won and thousandths of a claim, so that the order of adding up does not matter
costed as (
  select
    spread_replicate.replicate,
    spread_replicate.scenario,
    spread_replicate.dimension,
    spread_replicate.group_value,
    cast(sum(cast(round(1000.0 * case when spread_replicate.replicate = 0 then 1.0 else 20.0 / 19.0 end
      * cast(spread_replicate.eligible as double) * coalesce(conduct_replicate.take_up, 0.0)) as bigint)) as bigint) as claims_thousandth,
    cast(sum(cast(round(case when spread_replicate.replicate = 0 then 1.0 else 20.0 / 19.0 end
      * cast(spread_replicate.full_won as double) * coalesce(conduct_replicate.used, 0.0)) as bigint)) as bigint) as cost_won
  from spread_replicate
  left join conduct_replicate
    on conduct_replicate.replicate = spread_replicate.replicate
    and conduct_replicate.stratum = spread_replicate.stratum
  group by spread_replicate.replicate, spread_replicate.scenario, spread_replicate.dimension, spread_replicate.group_value
),
estimate as (
  select * from costed where replicate = 0
),
varied as (
  select
    estimate.scenario,
    estimate.dimension,
    estimate.group_value,
    sum(cast(costed.cost_won - estimate.cost_won as decimal(19, 0)) * cast(costed.cost_won - estimate.cost_won as decimal(19, 0))) as squares
  from estimate
  inner join costed
    on costed.scenario = estimate.scenario
    and costed.dimension = estimate.dimension
    and costed.group_value = estimate.group_value
  where costed.replicate > 0
  group by estimate.scenario, estimate.dimension, estimate.group_value
),
total as (
  select
    spread.scenario,
    spread.dimension,
    spread.group_value,
    cast(sum(spread.separations) as bigint) as separations,
    cast(sum(spread.eligible) as bigint) as eligible,
    cast(sum(spread.paid_won) as decimal(38, 0)) as paid_won
  from spread
  group by spread.scenario, spread.dimension, spread.group_value
),
policy_what_if as (
  select
    -- ids
    total.scenario,
    total.dimension,
    total.group_value,
    -- dates
    span.from_on as separated_from,
    span.to_on as separated_to,
    -- counts
    total.separations,
    total.eligible,
    cast(round(cast(estimate.claims_thousandth as double) / 1000.0) as bigint) as claims,
    -- amounts
    cast(estimate.cost_won as decimal(18, 0)) as cost_won,
    cast(round(sqrt(19.0 / 20.0 * cast(varied.squares as double))) as bigint) as cost_error_won,
    cast(greatest(0.0, round(cast(estimate.cost_won as double) - 1.96 * sqrt(19.0 / 20.0 * cast(varied.squares as double)))) as bigint) as cost_low_won,
    cast(round(cast(estimate.cost_won as double) + 1.96 * sqrt(19.0 / 20.0 * cast(varied.squares as double))) as bigint) as cost_high_won,
    cast(coalesce(present.cost_won, 0) as decimal(18, 0)) as present_cost_won,
    cast(total.paid_won as decimal(18, 0)) as paid_won
  from total
  cross join span
  inner join estimate
    on estimate.scenario = total.scenario
    and estimate.dimension = total.dimension
    and estimate.group_value = total.group_value
  inner join varied
    on varied.scenario = total.scenario
    and varied.dimension = total.dimension
    and varied.group_value = total.group_value
  left join estimate as present
    on present.scenario = 'present'
    and present.dimension = total.dimension
    and present.group_value = total.group_value
)
select * from policy_what_if
