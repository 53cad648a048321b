/*---
description: {ko: 수급자의 최신 주민등록 세대, en: latest registered household of each person who applied for the benefit}
grain: [person_key]
materialized: table
owner: core
legal_basis: 주민등록법 제30조 · 고용보험법 제11조의2
columns:
  person_key: {tags: [pseudonym]}
  household_digest: {tags: [quasi_identifier]}
---*/
with changes as (
  select * from {{ source('mois_household') }}
),
latest as (
  {{ latest_version('changes', ['person_key']) }}
),
claimant_household as (
  select
    latest.person_key,
    latest.household_digest,
    latest.moved_in_on,
    latest._known_on as known_on
  from latest
)
select * from claimant_household
