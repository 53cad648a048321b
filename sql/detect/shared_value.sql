/*---
description:
  ko: 여러 수급자가 함께 쓴 계좌와 기기, 우연이라면 몇 세대가 함께 쓸지, 공용 기기나 기관 계좌인지
  en: accounts and devices that several claimants used, how many households chance would give, and whether it is a hub
grain: [tie_kind, digest]
materialized: table
owner: detection
legal_basis: 고용보험법 제37조의2 · 제61조
meta:
  hubs: >-
    left out by register: devices that centres put up. By degree: a device of more than thirty claimants is a public
    computer, an account of more than a hundred an institution that manages its residents' money; they stay listed, cleared
  public_computer: >-
    a device of fewer claimants is one too when they came over time as all claimants do and not more than half of them
    share an account or a former employer. Poisson: of its claimants so many applied within 28 or 61 days as the
    country's other claims of the same days give; Chernoff bound times the windows, two that begin with each claimant
  institution: >-
    an account of fewer claimants is an institution's when ten or more use it who came over time: not more than a third of
    them applied within 61 days of one another, the same bound does not refute it, and not more than half share a device or
    a former employer. An account says more than a device, and of fewer than ten the bound refutes little but that nearly
    all applied together: they stay raised
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
  together: {description: "most claimants who applied within 61 days of one; null for hubs and for accounts of fewer than ten"}
  together_p_value: {description: null where together is, tests: [{range: {min: 0, max: 1}}]}
  alike: {description: "most claimants who share an employer, and an account of a device or a device of an account; null where together is"}
  is_public: {description: "a device whose claimants neither applied together nor share an account or an employer"}
  is_institution: {description: "an account of ten or more claimants who came over time and share neither a device nor an employer"}
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
member as (
  select used.tie_kind, used.digest, counted.claimants, mark.claim_no, mark.person_key, mark.business_group, mark.applied_on
  from used
  inner join mark
    on mark.claim_no = used.claim_no
  inner join counted
    on counted.tie_kind = used.tie_kind
    and counted.digest = used.digest
  where (used.tie_kind = 'device' and counted.claimants between 3 and 30)
    or (used.tie_kind = 'account' and counted.claimants between 10 and 100)
),
daily as (
  select applied_on, count(*) as claims from mark group by applied_on
),
length as (
  select window_days from (values (28), (61)) as length (window_days)
),
started as (
  select distinct member.tie_kind, member.digest, member.claimants, member.applied_on, length.window_days
  from member
  cross join length
),
usual as (
  select time.applied_on, time.window_days, sum(daily.claims) as claims
  from (select distinct applied_on, window_days from started) as time
  inner join daily
    on daily.applied_on >= time.applied_on
  where daily.applied_on <= add_days(time.applied_on, cast(time.window_days - 1 as int))
  group by time.applied_on, time.window_days
),
crowd as (
  select
    started.tie_kind,
    started.digest,
    started.claimants,
    started.applied_on,
    started.window_days,
    count(distinct other.person_key) as together,
    count(*) as claims
  from started
  inner join member as other
    on other.tie_kind = started.tie_kind
    and other.digest = started.digest
  where other.applied_on between started.applied_on and add_days(started.applied_on, cast(started.window_days - 1 as int))
  group by started.tie_kind, started.digest, started.claimants, started.applied_on, started.window_days
),
-- one more on both sides, so that days without another claim have a share
expecting as (
  select
    crowd.*,
    cast(crowd.claimants as double) * cast(usual.claims - crowd.claims + 1 as double)
      / cast(total.claims - crowd.claims + 1 as double) as expected
  from crowd
  cross join (select count(*) as claims from mark) as total
  inner join usual
    on usual.applied_on = crowd.applied_on
    and usual.window_days = crowd.window_days
),
burst as (
  select
    expecting.tie_kind,
    expecting.digest,
    max(expecting.together) as together,
    least(1.0, min(2.0 * cast(expecting.claimants as double)
      * exp(-{{ poisson_ratio('cast(expecting.together as double)', 'expecting.expected') }}))) as p_value
  from expecting
  group by expecting.tie_kind, expecting.digest
),
of_account as (
  select member.tie_kind, member.digest, certification.account_digest as other_digest, count(distinct member.person_key) as claimants
  from member
  inner join certification
    on certification.claim_no = member.claim_no
  where member.tie_kind = 'device'
    and certification.account_digest is not null
  group by member.tie_kind, member.digest, certification.account_digest
),
of_device as (
  select member.tie_kind, member.digest, used.digest as other_digest, count(distinct member.person_key) as claimants
  from member
  inner join used
    on used.claim_no = member.claim_no
  where member.tie_kind = 'account'
    and used.tie_kind = 'device'
  group by member.tie_kind, member.digest, used.digest
),
of_employer as (
  select tie_kind, digest, business_group, count(distinct person_key) as claimants
  from member
  group by tie_kind, digest, business_group
),
alike as (
  select tie_kind, digest, max(claimants) as claimants
  from (
    select tie_kind, digest, claimants from of_account
    union all
    select tie_kind, digest, claimants from of_device
    union all
    select tie_kind, digest, claimants from of_employer
  ) as shared_by
  group by tie_kind, digest
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
      * exp(-{{ poisson_ratio('cast(counted.households - 1 as double)', 'stray.rate') }})) as p_value,
    -- whether its claimants belong together
    burst.together,
    burst.p_value as together_p_value,
    alike.claimants as alike,
    coalesce(
      counted.tie_kind = 'device'
      and burst.p_value > 0.01
      and 2 * alike.claimants <= counted.claimants, false) as is_public,
    coalesce(
      counted.tie_kind = 'account'
      and burst.p_value > 0.01
      and 3 * burst.together <= counted.claimants
      and 2 * alike.claimants <= counted.claimants, false) as is_institution
  from counted
  inner join stray
    on stray.tie_kind = counted.tie_kind
  left join burst
    on burst.tie_kind = counted.tie_kind
    and burst.digest = counted.digest
  left join alike
    on alike.tie_kind = counted.tie_kind
    and alike.digest = counted.digest
  where counted.claimants >= 3
)
select * from shared_value
