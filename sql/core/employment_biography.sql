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
    - daily work is cut at the end of a month, since every month is a report of its own
    - of several contractors' workplaces, payers, claims, courses or registrations the lowest number stands for them, and `parallel` says so
tests:
  - {expression: "to_on is null or to_on >= from_on"}
  - {expression: "spells >= 1"}
columns:
  person_key: {tags: [pseudonym]}
  to_on: {description: last day of the piece; null while everything on it is open}
  main_state: {description: "the first of the priority that runs on these days", tests: [not_null, {accepted_values: [insured, contractor, daily, taxed_wage, taxed_business, benefit, training, job_search]}]}
  spells: {description: reported spells that lie on the piece}
  parallel: {description: "two spells of one state lie on the piece that do not continue each other"}
  workplace_no: {description: "workplace the day is insured at, contractor's or daily work's where it is the main state", tags: [firm]}
  payer_biz_no: {description: payer of taxed pay without insurance, tags: [firm]}
  known_on: {description: the day the last of these spells became known}
---*/
with spell as (
  select * from {{ ref('biography_spell') }}
),
-- what ends on one day and goes on under the same number on the next cuts nothing; daily work is reported by month
numbered as (
  select
    spell.*,
    case when spell.state <> 'daily' then concat(spell.state, spell.spell_id) end as run
  from spell
),
-- every spell that touches an episode lies on all of it, alone or together with its continuation
episode as (
  select * from spell_episodes(numbered, person_key, from_on, to_on, continues => run)
),
described as (
  select
    episode.person_key,
    episode.episode_start as from_on,
    max(episode.episode_end) as to_on,
    count(*) as spells,
    min(episode.precedence) filter (where episode.state = 'insured') as insured_first,
    max(episode.precedence) filter (where episode.state = 'insured') as insured_last,
    min(episode.spell_id) filter (where episode.state = 'contractor') as contractor_no,
    max(episode.spell_id) filter (where episode.state = 'contractor') as contractor_last,
    min(episode.spell_id) filter (where episode.state = 'daily') as daily_no,
    max(episode.spell_id) filter (where episode.state = 'daily') as daily_last,
    min(episode.spell_id) filter (where episode.state = 'taxed_wage') as wage_payer,
    max(episode.spell_id) filter (where episode.state = 'taxed_wage') as wage_payer_last,
    min(episode.spell_id) filter (where episode.state = 'taxed_business') as business_payer,
    max(episode.spell_id) filter (where episode.state = 'taxed_business') as business_payer_last,
    min(episode.spell_id) filter (where episode.state = 'benefit') as claim_no,
    max(episode.spell_id) filter (where episode.state = 'benefit') as claim_last,
    min(episode.spell_id) filter (where episode.state = 'training') as course_no,
    max(episode.spell_id) filter (where episode.state = 'training') as course_last,
    min(episode.spell_id) filter (where episode.state = 'job_search') as seeker_no,
    max(episode.spell_id) filter (where episode.state = 'job_search') as seeker_last,
    max(episode.known_on) as known_on
  from episode
  group by episode.person_key, episode.episode_start
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
      when described.insured_first is not null then 'insured'
      when described.contractor_no is not null then 'contractor'
      when described.daily_no is not null then 'daily'
      when described.wage_payer is not null then 'taxed_wage'
      when described.business_payer is not null then 'taxed_business'
      when described.claim_no is not null then 'benefit'
      when described.course_no is not null then 'training'
      else 'job_search' end as main_state,
    described.insured_first is not null as insured,
    described.contractor_no is not null as contractor,
    described.daily_no is not null as daily_work,
    described.wage_payer is not null as taxed_wage,
    described.business_payer is not null as taxed_business,
    described.claim_no is not null as benefit,
    described.course_no is not null as training,
    described.seeker_no is not null as job_search,
    cast(described.spells as int) as spells,
    coalesce(described.insured_first <> described.insured_last, false)
      or coalesce(described.contractor_no <> described.contractor_last, false)
      or coalesce(described.daily_no <> described.daily_last, false)
      or coalesce(described.wage_payer <> described.wage_payer_last, false)
      or coalesce(described.business_payer <> described.business_payer_last, false)
      or coalesce(described.claim_no <> described.claim_last, false)
      or coalesce(described.course_no <> described.course_last, false)
      or coalesce(described.seeker_no <> described.seeker_last, false) as parallel,
    -- what runs
    coalesce(substr(described.insured_first, 23), described.contractor_no, described.daily_no) as workplace_no,
    coalesce(described.wage_payer, described.business_payer) as payer_biz_no,
    described.claim_no,
    described.course_no,
    described.seeker_no
  from described
)
select * from employment_biography
