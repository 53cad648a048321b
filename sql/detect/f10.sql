/*---
description:
  ko: F10 한 계좌 또는 한 기기로 여러 수급자가 지급받거나 실업인정을 받음
  en: "F10: one account paid, or one device certified, several claimants"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 3
legal_basis: 고용보험법 제37조의2 · 제61조 · 제62조 · 제116조
meta:
  severity: critical
  evidence: certifications that share an account or a device; one row per claim and shared value
  threshold: three claimants on one account, four on one device; devices that centres put up are left out whatever their number
  sources: [ei_certification, ei_benefit_claim, ei_workplace, centre_device, mois_household]
  look_back: three years from the certified days (고용보험법 제62조 제3항)
  clears:
    - {ko: "모두 한 가구, 또는 한 주소의 두 가구로 등록됨", en: "all of them are registered in one household, or in two at one address"}
    - {ko: "공용 컴퓨터나 기관 계좌처럼, 조직이라기에는 쓴 사람이 많음", en: "more users than a ring has, as of a public computer or an institution's account"}
    - {ko: "공용 컴퓨터처럼, 기기를 쓴 사람들의 신청 시기가 흩어져 있고 계좌도 이직 사업장도 같지 않음", en: "a device whose users came over time as all claimants do and share neither account nor employer, as of a public computer"}
    - {ko: "기관 계좌처럼, 열 사람 넘게 쓴 계좌로 신청 시기가 흩어져 있고 기기도 이직 사업장도 같지 않음", en: "an account of ten or more who came over time and share neither device nor employer, as of an institution that manages its residents' money"}
columns:
  person_key: {tags: [pseudonym]}
  pivot_key: {description: "the account all rows of a ring share, or the device where no account is shared", tags: [account]}
  evidence_kind: {tests: [{accepted_values: [shared_account, shared_device]}]}
  evidence_key: {tags: [account]}
  evidence_from: {description: first certification with it}
  evidence_to: {description: last certification with it}
  fact_on: {description: day of the first certification by another claimant}
  group_size: {description: claimants who share it, tests: [{range: {min: 3}}]}
  group_matched: {description: "households they are registered in, two at one address as one; a claimant without a known one counts as one"}
  users: {description: claimants who share it and whose claims are on record}
  together: {description: "most claimants who applied within 61 days of one; null for hubs and for accounts of fewer than ten"}
  together_p_value: {description: "chance that the claimants applied so close to each other; null where together is"}
  group_alike: {description: "most claimants who share an employer, and an account of a device or a device of an account; null where together is"}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
---*/
with certification as (
  select * from {{ ref('certification') }}
),
household as (
  select * from {{ ref('claimant_household') }}
),
shared_value as (
  select * from {{ ref('shared_value') }}
),
kiosk as (
  select * from {{ ref('centre_device') }}
),
claim as (
  select * from {{ ref('claim') }}
),
paid as (
  {{ paid_claim() }}
),
used as (
  select
    'shared_account' as evidence_kind,
    certification.account_digest as digest,
    certification.claim_no,
    certification.person_key,
    certification.certified_on,
    certification.known_on
  from certification
  where certification.days_paid > 0
    and certification.account_digest is not null
  union all
  select
    'shared_device' as evidence_kind,
    certification.device_digest as digest,
    certification.claim_no,
    certification.person_key,
    certification.certified_on,
    certification.known_on
  from certification
  where certification.days_paid > 0
    and certification.channel = 'online'
    and certification.device_digest is not null
    and not exists (select 1 from kiosk where kiosk.device_digest = certification.device_digest)
),
shared as (
  select
    used.evidence_kind,
    used.digest,
    count(distinct used.person_key) as group_size,
    count(distinct coalesce(household.residence_digest, household.household_digest, cast(used.person_key as varchar))) as group_matched,
    min(household.known_on) as household_known_on
  from used
  left join household
    on household.person_key = used.person_key
  group by used.evidence_kind, used.digest
  having count(distinct used.person_key) >= case used.evidence_kind when 'shared_account' then 3 else 4 end
),
use_of_claim as (
  select
    shared.evidence_kind,
    shared.digest,
    shared.group_size,
    shared.group_matched,
    used.claim_no,
    used.person_key,
    min(used.certified_on) as first_on,
    max(used.certified_on) as last_on,
    min(used.known_on) as known_on
  from shared
  inner join used
    on used.evidence_kind = shared.evidence_kind
    and used.digest = shared.digest
  group by shared.evidence_kind, shared.digest, shared.group_size, shared.group_matched, used.claim_no, used.person_key
),
-- the day the pattern exists: the last claimant that makes it several
pattern as (
  select evidence_kind, digest, min(first_on) as first_on, max(known_on) as known_on
  from use_of_claim
  group by evidence_kind, digest
),
account_of_claim as (
  select claim_no, min(digest) as digest
  from use_of_claim
  where evidence_kind = 'shared_account'
  group by claim_no
),
f10 as (
  select
    -- rule
    'F10' as rule_id,
    3 as rule_version,
    -- ids
    'ring/' || coalesce(account_of_claim.digest, use_of_claim.digest) as pivot_key,
    use_of_claim.person_key,
    claim.workplace_no,
    use_of_claim.claim_no,
    -- evidence
    use_of_claim.evidence_kind,
    use_of_claim.digest as evidence_key,
    use_of_claim.first_on as evidence_from,
    use_of_claim.last_on as evidence_to,
    pattern.first_on as fact_on,
    paid.paid_from,
    paid.paid_to,
    use_of_claim.group_size,
    use_of_claim.group_matched,
    paid.amount_won as amount_at_risk_won,
    greatest(use_of_claim.known_on, pattern.known_on) as known_on,
    -- what clears it
    use_of_claim.group_matched = 1 or coalesce(shared_value.is_hub or shared_value.is_public or shared_value.is_institution, false) as cleared,
    case
      when use_of_claim.group_matched = 1 then 'one household'
      when shared_value.is_hub then 'more users than a ring has'
      when shared_value.is_public then 'a public computer'
      when shared_value.is_institution then 'an account of an institution' end as cleared_by,
    -- what derives it again
    paid.amount_won as paid_won,
    shared_value.claimants as users,
    shared_value.together,
    shared_value.together_p_value,
    shared_value.alike as group_alike
  from use_of_claim
  inner join pattern
    on pattern.evidence_kind = use_of_claim.evidence_kind
    and pattern.digest = use_of_claim.digest
  inner join paid
    on paid.claim_no = use_of_claim.claim_no
  left join claim
    on claim.claim_no = use_of_claim.claim_no
  left join shared_value
    on shared_value.tie_kind = case use_of_claim.evidence_kind when 'shared_account' then 'account' else 'device' end
    and shared_value.digest = use_of_claim.digest
  left join account_of_claim
    on account_of_claim.claim_no = use_of_claim.claim_no
)
select * from f10
