/*---
description: {ko: 병역 복무와 예비군 훈련, en: periods of active military service and reserve training}
grain: [person_key, service_from, kind]
materialized: table
owner: core
legal_basis: 고용보험법 제11조의2
tests:
  - {expression: "service_to >= service_from"}
columns:
  person_key: {tags: [pseudonym]}
  kind: {tests: [{accepted_values: [active, reserve_training]}]}
---*/
with service as (
  select * from {{ source('mma_service') }}
),
military_service as (
  select
    service.person_key,
    service.kind,
    service.service_from,
    max(service.service_to) as service_to,
    max(service._known_on) as known_on
  from service
  group by service.person_key, service.service_from, service.kind
)
select * from military_service
