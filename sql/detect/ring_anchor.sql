/*---
description:
  ko: 사람들을 우연 이상으로 묶는 것(계좌·기기·함께 이직한 무리의 표지)과 그에 묶인 수급자격. 소명된 것도 남긴다.
  en: >-
    what ties claims beyond chance, one row per claim and tie: a shared account or device, or a mark that a cluster of
    separations has in common. Explained ties stay, with their reason, and join nobody
grain: [tie_kind, tie_key, claim_no]
materialized: table
owner: detection
legal_basis: 고용보험법 제61조 · 제62조 · 제116조
meta:
  threshold: >-
    corrected p at most 0.01; of a mark also at most 0.01 among those who left in the window, so that a few returns in a
    large layoff are none. Only claims that have the mark are tied, not all who left
  clears:
    - all users are registered in one household
    - more users than a ring has, as of a public computer or an institution's account
    - fewer users of a device, who came over time as all claimants do and share neither account nor employer
    - ten or more users of an account, who came over time and share neither device nor employer, as of an institution
    - the whole staff claims because the business closed
    - the losses were reported late and the business closed when they left
    - a seasonal closure that the workplace told its centre of before
    - hired back after the benefit could be paid, as after a season
    - a layoff whose people nothing else ties
columns:
  tie_kind: {tests: [{accepted_values: [account, device, rehired, late_report, unpaid, whole_staff, separation]}]}
  tie_key: {description: "digest, or business group and first day of the window", tags: [account, firm]}
  person_key: {tags: [pseudonym]}
  tied: {description: claims tied, tests: [{range: {min: 3}}]}
  pool: {description: "claims of the group in the window; of an account or device its claimants"}
  households: {description: households of those tied}
  p_value: {tests: [{range: {min: 0, max: 1}}]}
---*/
with mark as (
  select * from {{ ref('claim_mark') }}
),
clustered as (
  select * from {{ ref('separation_cluster') }}
),
shared as (
  select * from {{ ref('shared_value') }}
),
certification as (
  select * from {{ ref('certification') }}
),
left_together as (
  select
    case
      when clustered.mark <> 'any' then clustered.mark
      when 10 * clustered.group_claims >= 8 * clustered.staff then 'whole_staff'
      else 'separation' end as tie_kind,
    clustered.business_group || '/' || cast(clustered.window_from as varchar) as tie_key,
    mark.claim_no,
    mark.person_key,
    mark.household_digest,
    mark.separated_on as evidence_from,
    mark.payable_until as evidence_to,
    case clustered.mark when 'rehired' then mark.rehired_on when 'late_report' then mark.lost_reported_on else mark.applied_on end as fact_on,
    mark.known_on,
    clustered.group_claims as pool,
    greatest(clustered.p_value, case when clustered.mark = 'any' then 0.0 else clustered.share_p_value end) as p_value,
    clustered.share_p_value,
    coalesce(clustered.closed_on between add_days(clustered.window_from, -31) and add_days(clustered.window_to, 92), false) as is_closing,
    mark.rehired_on > mark.payable_until as is_back_later,
    mark.is_season,
    clustered.closed_on
  from clustered
  inner join mark
    on mark.business_group = clustered.business_group
  where mark.separated_on between clustered.window_from and clustered.window_to
    and case clustered.mark
      when 'rehired' then mark.is_rehired
      when 'late_report' then mark.is_late
      when 'unpaid' then mark.is_unpaid
      else true end
),
used as (
  select
    shared.tie_kind,
    shared.digest,
    mark.claim_no,
    min(certification.certified_on) as evidence_from,
    max(certification.certified_on) as evidence_to,
    min(certification.known_on) as known_on
  from shared
  inner join certification
    on certification.account_digest = shared.digest
  inner join mark
    on mark.claim_no = certification.claim_no
  where shared.tie_kind = 'account'
    and certification.days_paid > 0
  group by shared.tie_kind, shared.digest, mark.claim_no
  union all
  select
    shared.tie_kind,
    shared.digest,
    mark.claim_no,
    min(certification.certified_on) as evidence_from,
    max(certification.certified_on) as evidence_to,
    min(certification.known_on) as known_on
  from shared
  inner join certification
    on certification.device_digest = shared.digest
  inner join mark
    on mark.claim_no = certification.claim_no
  where shared.tie_kind = 'device'
    and certification.channel = 'online'
    and certification.days_paid > 0
  group by shared.tie_kind, shared.digest, mark.claim_no
),
group_of_cluster as (
  select
    left_together.tie_kind,
    left_together.tie_key,
    count(*) as tied,
    count(distinct left_together.household_digest) as households,
    min(left_together.evidence_from) as first_on,
    max(left_together.evidence_from) as last_on,
    count(*) filter (where left_together.is_back_later) as back_later,
    count(*) filter (where left_together.is_season) as season
  from left_together
  group by left_together.tie_kind, left_together.tie_key
),
ring_anchor as (
  select
    -- ids
    left_together.tie_kind,
    left_together.tie_key,
    left_together.claim_no,
    left_together.person_key,
    -- dates
    left_together.evidence_from,
    left_together.evidence_to,
    left_together.fact_on,
    left_together.known_on,
    -- size and chance
    group_of_cluster.tied,
    left_together.pool,
    group_of_cluster.households,
    left_together.p_value,
    -- what clears it
    case
      when left_together.tie_kind = 'separation' then 'a layoff whose people nothing else ties'
      when left_together.tie_kind = 'whole_staff' and left_together.is_closing then 'the business closed'
      when left_together.tie_kind = 'late_report'
        and left_together.closed_on between add_days(group_of_cluster.last_on, -7) and add_days(group_of_cluster.first_on, 32)
        then 'the business had closed'
      when left_together.tie_kind = 'whole_staff' and 2 * group_of_cluster.season >= group_of_cluster.tied
        then 'a seasonal closure that the centre knew of'
      when left_together.tie_kind = 'whole_staff' and 2 * group_of_cluster.back_later >= group_of_cluster.tied
        then 'hired back after the benefit could be paid'
      when group_of_cluster.households = 1 then 'one household'
      when left_together.tie_kind <> 'whole_staff' and left_together.share_p_value > 0.01
        then 'no more of those who left than chance gives' end as cleared_by
  from left_together
  inner join group_of_cluster
    on group_of_cluster.tie_kind = left_together.tie_kind
    and group_of_cluster.tie_key = left_together.tie_key
  union all
  select
    used.tie_kind,
    used.digest as tie_key,
    used.claim_no,
    mark.person_key,
    used.evidence_from,
    used.evidence_to,
    cast(null as date) as fact_on,
    greatest(used.known_on, mark.known_on) as known_on,
    shared.claimants as tied,
    shared.claimants as pool,
    shared.households,
    shared.p_value,
    case
      when shared.is_hub then 'more users than a ring has'
      when shared.is_public then 'a public computer'
      when shared.is_institution then 'an account of an institution'
      when shared.households = 1 then 'one household'
      when shared.p_value > 0.01 then 'no more households than chance gives' end as cleared_by
  from used
  inner join shared
    on shared.tie_kind = used.tie_kind
    and shared.digest = used.digest
  inner join mark
    on mark.claim_no = used.claim_no
)
select * from ring_anchor
