/*---
description: {ko: 구직신청의 최신 상태, en: latest state of each job seeker registration}
grain: [seeker_no]
materialized: table
owner: core
legal_basis: 직업안정법 제9조
columns:
  seeker_no: {tests: [not_null, unique]}
  person_key: {tags: [pseudonym], tests: [not_null]}
  birth_date: {tags: [personal]}
  sex: {tags: [personal]}
  month: {description: month of registration}
---*/
with changes as (
  select * from {{ source('wn_seeker') }}
),
occupation as (
  select * from {{ seed('keco_minor') }}
),
versions as (
  select changes.seeker_no, max({{ row_version('changes') }}) as version
  from changes
  group by changes.seeker_no
),
seeker as (
  select
    -- ids
    changes.seeker_no,
    changes.person_key,
    -- person
    changes.birth_date,
    changes.sex,
    -- dates
    changes.registered_on,
    month_start(changes.registered_on) as month,
    changes.closed_on,
    changes._known_on as known_on,
    -- wishes
    changes.wished_occupation,
    occupation.major as wished_major,
    changes.wished_sigungu,
    substr(changes.wished_sigungu, 1, 2) as wished_sido,
    changes.desired_contract,
    -- background
    changes.education,
    changes.licences,
    changes.career_months,
    -- amounts
    changes.wished_wage_won
  from changes
  inner join versions
    on versions.seeker_no = changes.seeker_no
    and versions.version = {{ row_version('changes') }}
  left join occupation
    on occupation.occupation = changes.wished_occupation
)
select * from seeker
