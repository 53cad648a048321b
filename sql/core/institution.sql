/*---
description: {ko: 공공기관의 최신 지정 상태, en: "latest listing of each public institution, with the business it is"}
grain: [institution_no]
materialized: table
owner: core
legal_basis: 공공기관의 운영에 관한 법률 제4조 · 제5조
columns:
  institution: {tests: [not_null, unique]}
  institution_type: {description: "기관유형 (Act on the Management of Public Institutions, Art. 5)", tests: [{accepted_values: [market_corporation, quasi_market_corporation, fund_management, commissioned_service, other]}]}
  institution_class: {description: "기관분류, the field of its ministry"}
  entity_id: {description: "the business by linkage of the name, null while it is not linked", tags: [firm]}
  year: {description: year of the listing}
---*/
with changes as (
  select * from {{ source('alio_institution') }}
),
entity as (
  select * from {{ ref('workplace_entity') }}
),
latest as (
  {{ latest_version('changes', ['institution_no']) }}
),
institution as (
  select
    -- ids
    latest.institution_no,
    latest.institution,
    entity.entity_id,
    -- codes
    latest.institution_type,
    latest.institution_class,
    latest.ministry,
    latest.sigungu,
    substr(latest.sigungu, 1, 2) as sido,
    -- dates
    cast(date_part('year', latest._period) as int) as year,
    latest._known_on as known_on,
    -- size
    latest.staff
  from latest
  left join entity
    on entity.source = 'alio_institution'
    and entity.source_id = latest.institution
)
select * from institution
