/*---
description: {ko: 공공기관이 개방하는 시설의 최신 상태, en: latest listing of facilities that institutions open to the public}
grain: [facility_no]
materialized: table
owner: core
columns:
  institution_no: {tests: [{relationships: {to: institution, field: institution_no}}]}
  kind: {tests: [{accepted_values: [meeting_room, auditorium, sports, parking, lodging]}]}
  fee_won: {tests: [{range: {min: 0}}]}
---*/
with changes as (
  select * from {{ source('alio_facility') }}
),
latest as (
  {{ latest_version('changes', ['facility_no']) }}
),
public_facility as (
  select
    -- ids
    latest.facility_no,
    latest.institution_no,
    latest.facility_name,
    latest.kind,
    latest.sigungu,
    substr(latest.sigungu, 1, 2) as sido,
    -- dates
    cast(date_part('year', latest._period) as int) as year,
    latest._known_on as known_on,
    -- terms
    latest.capacity,
    latest.fee_won
  from latest
)
select * from public_facility
