/*---
description:
  ko: >-
    취업이력. 한 사람의 하루는 한 줄에만 속하고, 그날 함께 있은 고용·소득·급여·훈련·구직은 표시와 번호로 남는다.
  en: >-
    employment biography of each person: day-exact pieces that never overlap. The spells of all sources
    (biography_spell) are cut where one of them begins or ends (episode splitting, as in the integrated employment
    biographies of the Institute for Employment Research, Nuremberg); every piece says what runs on its days. Days on
    which no source knows of the person belong to no piece
grain: [person_key, from_on]
materialized: table
owner: core
legal_basis: 고용보험법 제18조
sort_by: [person_key, from_on]
meta:
  priority:
    - work before support, reported work before taxed work, and what names days before what names a month
    - insured, contractor, daily, taxed_wage, taxed_business, benefit, training, job_search
    - of several insured workplaces of a day the one that employment_spell gives the day to (Enforcement Decree on double employment)
    - of several contractors' workplaces, payers, claims, courses or registrations the lowest number stands for them, and `parallel` says so
tests:
  - {expression: "to_on is null or to_on >= from_on"}
  - {expression: "spells >= 1"}
columns:
  person_key: {tags: [pseudonym]}
  to_on: {description: last day of the piece; null while everything on it is open}
  main_state: {description: "the first of the priority that runs on these days", tests: [not_null, {accepted_values: [insured, contractor, daily, taxed_wage, taxed_business, benefit, training, job_search]}]}
  spells: {description: reported spells that lie on the piece}
  parallel: {description: "two spells of one kind with different numbers lie on the piece"}
  workplace_no: {description: "workplace the day is insured at, contractor's or daily work's where it is the main state", tags: [firm]}
  payer_biz_no: {description: payer of taxed pay without insurance, tags: [firm]}
  known_on: {description: the day the last of these spells became known}
---*/
with spell as (
  select * from {{ ref('biography_spell') }}
),
employment_spell as (
  select * from {{ ref('employment_spell') }}
),
-- what ends on one day and goes on under the same number on the next cuts nothing
event as (
  select person_key, state, spell_id, from_on as edge_on, 1 as change from spell
  union all
  select person_key, state, spell_id, add_days(to_on, 1) as edge_on, -1 as change from spell
  where to_on < date '9999-12-31'
),
lasting as (
  select event.person_key, event.state, event.spell_id, event.edge_on
  from event
  group by event.person_key, event.state, event.spell_id, event.edge_on
  having sum(event.change) <> 0
),
edge as (
  select distinct person_key, edge_on from lasting
),
segment as (
  select
    edge.person_key,
    edge.edge_on as from_on,
    coalesce(
      add_days(lead(edge.edge_on) over (partition by edge.person_key order by edge.edge_on), -1),
      date '9999-12-31'
    ) as to_on
  from edge
),
-- every spell that touches a segment lies on all of it, alone or together with its continuation
described as (
  select
    segment.person_key,
    segment.from_on,
    segment.to_on,
    count(*) as spells,
    bool_or(spell.state = 'insured') as insured,
    bool_or(spell.state = 'contractor') as contractor,
    bool_or(spell.state = 'daily') as daily_work,
    bool_or(spell.state = 'taxed_wage') as taxed_wage,
    bool_or(spell.state = 'taxed_business') as taxed_business,
    bool_or(spell.state = 'benefit') as benefit,
    bool_or(spell.state = 'training') as training,
    bool_or(spell.state = 'job_search') as job_search,
    min(spell.spell_id) filter (where spell.state = 'insured') as insured_no,
    max(spell.spell_id) filter (where spell.state = 'insured') as last_insured_no,
    min(spell.spell_id) filter (where spell.state = 'contractor') as contractor_no,
    max(spell.spell_id) filter (where spell.state = 'contractor') as last_contractor_no,
    min(spell.spell_id) filter (where spell.state = 'daily') as daily_no,
    max(spell.spell_id) filter (where spell.state = 'daily') as last_daily_no,
    min(spell.spell_id) filter (where spell.state in ('taxed_wage', 'taxed_business')) as payer_biz_no,
    max(spell.spell_id) filter (where spell.state in ('taxed_wage', 'taxed_business')) as last_payer_biz_no,
    min(spell.spell_id) filter (where spell.state = 'benefit') as claim_no,
    max(spell.spell_id) filter (where spell.state = 'benefit') as last_claim_no,
    min(spell.spell_id) filter (where spell.state = 'training') as course_no,
    max(spell.spell_id) filter (where spell.state = 'training') as last_course_no,
    min(spell.spell_id) filter (where spell.state = 'job_search') as seeker_no,
    max(spell.spell_id) filter (where spell.state = 'job_search') as last_seeker_no,
    max(spell.known_on) as known_on
  from segment
  inner join spell
    on spell.person_key = segment.person_key
    and spell.from_on <= segment.to_on
    and spell.to_on >= segment.from_on
  group by segment.person_key, segment.from_on, segment.to_on
),
doubled as (
  select
    described.person_key,
    described.from_on,
    max(employment_spell.workplace_no) as workplace_no
  from described
  inner join employment_spell
    on employment_spell.person_key = described.person_key
    and employment_spell.from_on <= described.from_on
    and (employment_spell.to_on is null or employment_spell.to_on >= described.from_on)
  where described.insured_no <> described.last_insured_no
  group by described.person_key, described.from_on
),
employment_biography as (
  select
    -- ids
    described.person_key,
    -- dates
    described.from_on,
    case when described.to_on < date '9999-12-31' then described.to_on end as to_on,
    described.known_on,
    -- states
    case
      when described.insured then 'insured'
      when described.contractor then 'contractor'
      when described.daily_work then 'daily'
      when described.taxed_wage then 'taxed_wage'
      when described.taxed_business then 'taxed_business'
      when described.benefit then 'benefit'
      when described.training then 'training'
      else 'job_search' end as main_state,
    described.insured,
    described.contractor,
    described.daily_work,
    described.taxed_wage,
    described.taxed_business,
    described.benefit,
    described.training,
    described.job_search,
    cast(described.spells as int) as spells,
    coalesce(described.insured_no <> described.last_insured_no, false)
      or coalesce(described.contractor_no <> described.last_contractor_no, false)
      or coalesce(described.daily_no <> described.last_daily_no, false)
      or coalesce(described.payer_biz_no <> described.last_payer_biz_no, false)
      or coalesce(described.claim_no <> described.last_claim_no, false)
      or coalesce(described.course_no <> described.last_course_no, false)
      or coalesce(described.seeker_no <> described.last_seeker_no, false) as parallel,
    -- what runs
    coalesce(doubled.workplace_no, described.insured_no, described.contractor_no, described.daily_no) as workplace_no,
    described.payer_biz_no,
    described.claim_no,
    described.course_no,
    described.seeker_no
  from described
  left join doubled
    on doubled.person_key = described.person_key
    and doubled.from_on = described.from_on
)
select * from employment_biography
