/*---
description:
  ko: 지급된 수급자격마다 집단 이상을 가려낼 표지. 수급 중 같은 사업주에게 재고용, 늦은 상실신고, 급여 지급명세 없음.
  en: >-
    marks of each paid claim from which rings are scanned: hired back by the same business group while payable, loss
    reported three months late, never paid according to statements. A mark alone proves nothing
grain: [claim_no]
materialized: table
owner: detection
legal_basis: 고용보험법 제40조 · 제61조 · 제62조
columns:
  person_key: {tags: [pseudonym]}
  business_group: {tags: [firm], description: "the group of linked_business where the link is sure, otherwise the workplace"}
  link_probability: {description: "that the workplace belongs to the business, where no number says so"}
  rehired_link: {description: "that the workplace left and the one that hired are one business, where no number says so"}
  household_digest: {tags: [quasi_identifier], description: "the household, two at one address as one, or the person where none is known"}
  rehired_on: {description: "the first employment after the separation, when it is at the same group; whether the benefit could still be paid or not"}
  is_rehired: {description: the first employment after the separation is at the same group and began while the benefit could be paid and before a seasonal closure was to end}
  is_season: {description: the workplace told its centre of a seasonal closure before the separation}
  is_late: {description: the loss was reported three months late or more and the claim followed within 60 days}
  reopens_on: {description: when that closure was to end}
  statements: {description: months of the employment for which the payer stated wages}
  months_observed: {description: months of the employment with statements delivered}
  statements_until: {description: last month with statements delivered}
  is_unpaid: {description: "three or more months with statements delivered, those of the pay due within 14 days of leaving (근로기준법 제36조) too, and none of them from this payer"}
---*/
with claim as (
  select * from {{ ref('claim') }}
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
income as (
  select * from {{ ref('income_month') }}
  where income_kind = 'wage'
),
household as (
  select * from {{ ref('claimant_household') }}
),
closure as (
  select * from {{ ref('centre_closure') }}
),
paid as (
  {{ paid_claim() }}
),
observed as (
  select min(income.month) as first_month, max(income.month) as last_month from income
),
ended as (
  select
    claim.claim_no,
    claim.person_key,
    claim.workplace_no,
    coalesce(linked.sure_group, claim.workplace_no) as business_group,
    case when {{ is_sure_link('linked.link_probability') }} then linked.link_probability end as link_probability,
    workplace.biz_no,
    coalesce(workplace.section, '-') as section,
    claim.separated_on,
    claim.applied_on,
    {{ entitled_until('claim') }} as payable_until,
    paid.paid_from,
    paid.paid_to,
    paid.amount_won,
    greatest(claim.known_on, paid.known_on) as known_on
  from claim
  inner join paid
    on paid.claim_no = claim.claim_no
  left join linked
    on linked.workplace_no = claim.workplace_no
  left join workplace
    on workplace.workplace_no = claim.workplace_no
),
spell as (
  select
    ended.claim_no,
    max(insured_spell.acquired_on) as acquired_on,
    max(insured_spell.lost_reported_on) as lost_reported_on,
    max(insured_spell.known_on) as known_on
  from ended
  inner join insured_spell
    on insured_spell.person_key = ended.person_key
    and insured_spell.workplace_no = ended.workplace_no
    and insured_spell.insured_to = ended.separated_on
  group by ended.claim_no
),
-- the first employment after the separation decides
next_spell as (
  select ended.claim_no, min(insured_spell.acquired_on) as acquired_on
  from ended
  inner join insured_spell
    on insured_spell.person_key = ended.person_key
  where insured_spell.acquired_on > ended.separated_on
    and insured_spell.acquired_on <= add_days(ended.separated_on, 730)
  group by ended.claim_no
),
rehired as (
  select
    ended.claim_no,
    min(insured_spell.acquired_on) as rehired_on,
    min(insured_spell.known_on) as known_on,
    -- the surest way: the same workplace, a number, the higher probability
    max(case when insured_spell.workplace_no = ended.workplace_no then 2.0
      else least(coalesce(ended.link_probability, 2.0), coalesce(linked.link_probability, 2.0)) end) as surest_link
  from next_spell
  inner join ended
    on ended.claim_no = next_spell.claim_no
  inner join insured_spell
    on insured_spell.person_key = ended.person_key
    and insured_spell.acquired_on = next_spell.acquired_on
  left join linked
    on linked.workplace_no = insured_spell.workplace_no
  where coalesce(linked.sure_group, insured_spell.workplace_no) = ended.business_group
  group by ended.claim_no
),
season as (
  {{ told_closure('ended') }}
),
stated as (
  select ended.claim_no, count(*) as statements
  from ended
  inner join spell
    on spell.claim_no = ended.claim_no
  inner join income
    on income.person_key = ended.person_key
    and income.payer_biz_no = ended.biz_no
  where income.month >= month_start(spell.acquired_on)
    and income.month <= month_start(ended.separated_on)
  group by ended.claim_no
),
claim_mark as (
  select
    -- ids
    ended.claim_no,
    ended.person_key,
    ended.workplace_no,
    ended.business_group,
    ended.section,
    coalesce(household.residence_digest, household.household_digest, cast(ended.person_key as varchar)) as household_digest,
    -- dates
    spell.acquired_on,
    ended.separated_on,
    spell.lost_reported_on,
    ended.applied_on,
    ended.payable_until,
    rehired.rehired_on,
    ended.paid_from,
    ended.paid_to,
    greatest(ended.known_on, coalesce(spell.known_on, ended.known_on), coalesce(rehired.known_on, ended.known_on)) as known_on,
    -- marks
    coalesce(
      rehired.rehired_on <= ended.payable_until
      and (season.reopens_on is null or rehired.rehired_on < add_days(season.reopens_on, -7)), false) as is_rehired,
    coalesce(
      spell.lost_reported_on >= add_months(ended.separated_on, 3)
      and ended.applied_on between spell.lost_reported_on and add_days(spell.lost_reported_on, 60), false) as is_late,
    coalesce(
      stated.claim_no is null
      and ended.biz_no is not null
      and months_between(
        greatest(month_start(spell.acquired_on), observed.first_month),
        least(month_start(ended.separated_on), observed.last_month)) + 1 >= 3
      and observed.last_month >= month_start(add_days(ended.separated_on, 14)), false) as is_unpaid,
    season.claim_no is not null as is_season,
    -- what the marks rest on
    season.reopens_on,
    ended.link_probability,
    case when rehired.surest_link <= 1.0 then rehired.surest_link end as rehired_link,
    coalesce(stated.statements, 0) as statements,
    greatest(0, months_between(
      greatest(month_start(spell.acquired_on), observed.first_month),
      least(month_start(ended.separated_on), observed.last_month)) + 1) as months_observed,
    observed.last_month as statements_until,
    -- amounts
    ended.amount_won
  from ended
  cross join observed
  left join spell
    on spell.claim_no = ended.claim_no
  left join rehired
    on rehired.claim_no = ended.claim_no
  left join stated
    on stated.claim_no = ended.claim_no
  left join season
    on season.claim_no = ended.claim_no
  left join household
    on household.person_key = ended.person_key
)
select * from claim_mark
