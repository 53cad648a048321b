/*---
description: {ko: 수급자의 최신 주민등록 세대, en: latest registered household of each person who applied for the benefit}
grain: [person_key]
materialized: table
owner: core
legal_basis: 주민등록법 제30조 · 고용보험법 제11조의2
columns:
  person_key: {tags: [pseudonym]}
  household_digest: {tags: [quasi_identifier]}
  address_digest: {tags: [quasi_identifier]}
  residence_digest:
    tags: [quasi_identifier]
    description: >-
      the address where claimants of no more than two households are registered, as a family whose grown child has a
      household of its own; else the household, as in a dormitory whose rooms have no number
---*/
with changes as (
  select * from {{ source('mois_household') }}
),
latest as (
  {{ latest_version('changes', ['person_key']) }}
),
addressed as (
  select latest.address_digest, count(distinct latest.household_digest) as households
  from latest
  group by latest.address_digest
),
claimant_household as (
  select
    latest.person_key,
    latest.household_digest,
    latest.address_digest,
    case when addressed.households <= 2 then latest.address_digest else latest.household_digest end as residence_digest,
    latest.moved_in_on,
    latest._known_on as known_on
  from latest
  left join addressed
    on addressed.address_digest = latest.address_digest
)
select * from claimant_household
