/*---
description: {ko: 고용센터가 수급자용으로 둔 기기, en: devices that employment centres put up for claimants}
grain: [device_digest]
materialized: table
owner: core
legal_basis: 고용보험법 제44조
columns:
  device_digest: {tags: [account]}
---*/
with device as (
  select * from {{ source('centre_device') }}
),
centre_device as (
  select
    device.device_digest,
    min(device.centre) as centre,
    min(device.installed_on) as installed_on,
    min(device._known_on) as known_on
  from device
  group by device.device_digest
)
select * from centre_device
