/*---
description:
  ko: 여러 수급자가 함께 쓴 계좌와 기기, 우연이라면 몇 세대가 함께 쓸지, 공용 기기인지
  en: accounts and devices that several claimants used, how many households chance would give, and whether it is a hub
grain: [tie_kind, digest]
materialized: table
owner: detection
legal_basis: 고용보험법 제37조의2 · 제61조
meta:
  hubs: >-
    left out by register: devices that centres put up. By degree: a device of more than thirty claimants is a public
    computer, an account of more than a hundred an institution that manages its residents' money; they stay listed, cleared
  null_model: >-
    Poisson: households beyond the first are strays; their rate is that of the values with one or two households, below
    what any rule asks, so that rings do not raise their own expectation. Corrected for the number of values
columns:
  tie_kind: {tests: [{accepted_values: [account, device]}]}
  digest: {tags: [account]}
  claimants: {tests: [{range: {min: 3}}]}
  households: {tests: [{range: {min: 1}}]}
  expected_households: {description: households that chance gives one value}
  p_value: {description: "Chernoff bound times the values of the kind", tests: [{range: {min: 0, max: 1}}]}
  is_hub: {description: shared by more claimants than a ring has}
---*/
with certification as (
  select * from {{ ref('certification') }}
),
mark as (
  select * from {{ ref('claim_mark') }}
),
kiosk as (
  select * from {{ ref('centre_device') }}
),
used as (
  select distinct 'account' as tie_kind, certification.account_digest as digest, certification.claim_no
  from certification
  where certification.days_paid > 0
    and certification.account_digest is not null
  union all
  select distinct 'device' as tie_kind, certification.device_digest as digest, certification.claim_no
  from certification
  where certification.days_paid > 0
    and certification.channel = 'online'
    and certification.device_digest is not null
    and not exists (select 1 from kiosk where kiosk.device_digest = certification.device_digest)
),
counted as (
  select
    used.tie_kind,
    used.digest,
    count(distinct mark.person_key) as claimants,
    count(distinct mark.household_digest) as households
  from used
  inner join mark
    on mark.claim_no = used.claim_no
  group by used.tie_kind, used.digest
),
-- one more on both sides, so that the rate of strays is never zero
stray as (
  select
    counted.tie_kind,
    count(*) as digests,
    cast(count(*) filter (where counted.households = 2) + 1 as double)
      / cast(count(*) filter (where counted.households <= 2) + 1 as double) as rate
  from counted
  group by counted.tie_kind
),
shared_value as (
  select
    -- ids
    counted.tie_kind,
    counted.digest,
    -- size
    counted.claimants,
    counted.households,
    counted.claimants > case counted.tie_kind when 'device' then 30 else 100 end as is_hub,
    -- chance
    1.0 + stray.rate as expected_households,
    least(1.0, cast(stray.digests as double)
      * exp(-{{ poisson_ratio('cast(counted.households - 1 as double)', 'stray.rate') }})) as p_value
  from counted
  inner join stray
    on stray.tie_kind = counted.tie_kind
  where counted.claimants >= 3
)
select * from shared_value
