/*---
description: {ko: "모든 기관의 기대 취업을 더하면 실제 취업이다", en: "over all agencies the expected placements equal the placements, and every referral belongs to a scorecard"}
severity: error
---*/
with published as (
  select
    coalesce(sum(referrals), 0) as referrals,
    coalesce(sum(observed), 0) as observed,
    coalesce(sum(placed), 0) as placed,
    coalesce(sum(cast(expected_placed as decimal(24, 6))), 0) as expected_placed,
    coalesce(sum(retained), 0) as retained,
    coalesce(sum(cast(expected_retained as decimal(24, 6))), 0) as expected_retained,
    count(*) as agencies
  from {{ ref('agency_scorecard') }}
),
counted as (
  select
    count(*) as referrals,
    count(placed) as observed,
    count(*) filter (where placed) as placed,
    count(*) filter (where retained) as retained
  from {{ ref('agency_referral_outcome') }}
),
broken as (
  select published.placed, published.expected_placed, counted.placed as counted_placed
  from published
  cross join counted
  -- each agency has at most 36 strata, each short of less than a millionth
  where published.referrals <> counted.referrals
    or published.observed <> counted.observed
    or published.placed <> counted.placed
    or published.retained <> counted.retained
    or abs(cast(published.placed as double) - cast(published.expected_placed as double)) > 0.0001 * (published.agencies + 1)
    or abs(cast(published.retained as double) - cast(published.expected_retained as double)) > 0.0001 * (published.agencies + 1)
)
select * from broken
