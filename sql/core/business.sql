/*---
description: {ko: 개인사업자의 최신 등록 상태, en: latest known registration of each sole proprietor}
grain: [biz_no]
materialized: table
owner: core
columns:
  biz_no: {tests: [not_null, unique]}
  owner_key: {tags: [pseudonym], tests: [not_null]}
  status: {tests: [{accepted_values: [active, suspended, closed]}]}
---*/
with changes as (
  select * from {{ source('nts_business_registration') }}
),
versions as (
  select changes.biz_no, max({{ row_version('changes') }}) as version
  from changes
  group by changes.biz_no
),
business as (
  select
    -- ids
    changes.biz_no,
    changes.person_key as owner_key,
    changes.birth_date as owner_birth_date,
    changes.sex as owner_sex,
    changes.foreigner as owner_foreigner,
    -- state
    changes.status,
    changes.opened_on,
    changes.closed_on,
    changes._known_on as known_on
  from changes
  inner join versions
    on versions.biz_no = changes.biz_no
    and versions.version = {{ row_version('changes') }}
)
select * from business
