/*---
description:
  ko: R01 우연을 넘는 묶음으로 이어진 수급자 조직
  en: "R01: a ring of claimants whom shared accounts, devices or a common separation tie beyond chance"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 4
legal_basis: 고용보험법 제61조 · 제62조 · 제116조
meta:
  severity: critical
  evidence: one row per member and tie beyond chance; what made the tie is in `alerts.ring_tie`, the ring in `alerts.ring`
  threshold: three claims on a tie, corrected p at most 0.01; see ring_anchor, separation_cluster and shared_value for the null models
  sources: [ei_insured_spell, ei_benefit_claim, ei_certification, ei_workplace, centre_device, mois_household, nts_wage_statement, nts_business_registration, centre_closure]
  look_back: three years from separation (고용보험법 제62조 제3항)
  clears:
    - {ko: "쓴 사람이 모두 한 가구, 또는 한 주소의 두 가구로 등록됨", en: "all users are registered in one household, or in two at one address"}
    - {ko: "공용 컴퓨터나 기관 계좌처럼, 조직이라기에는 쓴 사람이 많음", en: "more users than a ring has, as of a public computer or an institution's account"}
    - {ko: "공용 컴퓨터처럼, 기기를 쓴 사람들의 신청 시기가 흩어져 있고 계좌도 이직 사업장도 같지 않음", en: "a device whose users came over time as all claimants do and share neither account nor employer, as of a public computer"}
    - {ko: "기관 계좌처럼, 열 사람 넘게 쓴 계좌로 신청 시기가 흩어져 있고 기기도 이직 사업장도 같지 않음", en: "an account of ten or more who came over time and share neither device nor employer, as of an institution that manages its residents' money"}
    - {ko: "사업장이 문을 닫아 직원 모두가 수급함", en: "the whole staff claims because the business closed"}
    - {ko: "상실을 늦게 신고하였으나 이직할 때 사업장이 문을 닫음", en: "the losses were reported late, and the business closed when they left"}
    - {ko: "사업장이 센터에 미리 알린 계절 휴업", en: "a seasonal closure that the workplace told its centre of before"}
    - {ko: "계절이 지난 뒤처럼, 급여를 받을 수 있는 기간이 지난 뒤 재고용됨", en: "hired back after the benefit could be paid, as after a season"}
    - {ko: "달리 이어진 것이 없는 감원", en: "a layoff whose people nothing else ties"}
columns:
  person_key: {tags: [pseudonym]}
  pivot_key: {tags: [account, firm]}
  evidence_kind: {tests: [{accepted_values: [account, device, rehired, late_report, unpaid, whole_staff, separation]}]}
  evidence_key: {tags: [account, firm]}
  evidence_from: {description: "first certification with the account or device, or last insured day"}
  evidence_to: {description: "last certification with it, or last day on which the claim could be paid"}
  fact_on: {description: "hired back, reported or applied; null for accounts and devices"}
  group_size: {description: "claims of the business in the window; of an account or device its claimants"}
  group_matched: {description: "claims with the mark; of an account or device the households", tests: [{range: {min: 1}}]}
  p_value: {description: "chance of the tie, corrected", tests: [{range: {min: 0, max: 1}}]}
  households: {description: households of those tied}
  window_from: {description: "first day of the window; null for accounts and devices, as all that follows"}
  staff: {description: insured with the business on that day}
  closed_on: {description: last day on which a workplace that they left closed}
  statements: {description: months of the employment for which the payer stated wages}
  link_probability: {description: "lowest probability of the links between businesses that the tie rests on; null where all are by number"}
  months_observed: {description: months of the employment with statements delivered}
  statements_until: {description: last month with statements delivered}
  together: {description: "most claimants who applied within 61 days of one; null for hubs, for accounts of fewer than ten and for those who left together"}
  amount_at_risk_won: {tests: [{range: {min: 0}}]}
---*/
with tie as (
  select * from {{ ref('ring_tie') }}
  where role = 'anchor'
),
ring as (
  select * from {{ ref('ring') }}
),
member as (
  select * from {{ ref('ring_member') }}
),
mark as (
  select * from {{ ref('claim_mark') }}
),
shared as (
  select * from {{ ref('shared_value') }}
),
clustered as (
  select * from {{ ref('separation_cluster') }}
),
-- who left one workplace together needs no link between businesses
linked_tie as (
  select tie.tie_kind, tie.tie_key, min(mark.link_probability) as link_probability
  from tie
  inner join mark
    on mark.claim_no = tie.claim_no
  where tie.tie_kind not in ('account', 'device')
  group by tie.tie_kind, tie.tie_key
  having count(distinct mark.workplace_no) > 1
),
r01 as (
  select
    -- rule
    'R01' as rule_id,
    4 as rule_version,
    -- ids
    ring.pivot_key,
    tie.person_key,
    member.workplace_no,
    tie.claim_no,
    -- evidence
    tie.tie_kind as evidence_kind,
    tie.tie_key as evidence_key,
    tie.evidence_from,
    tie.evidence_to,
    tie.fact_on,
    member.paid_from,
    member.paid_to,
    tie.pool as group_size,
    case when tie.tie_kind in ('account', 'device') then tie.households else tie.tied end as group_matched,
    member.amount_won as amount_at_risk_won,
    tie.known_on,
    -- what clears it
    tie.cleared_by is not null as cleared,
    tie.cleared_by,
    -- what derives it again
    member.amount_won as paid_won,
    tie.p_value,
    tie.households,
    shared.together,
    shared.together_p_value,
    shared.alike as group_alike,
    clustered.window_from,
    clustered.window_to,
    clustered.staff,
    clustered.closed_on,
    case when clustered.window_from is not null then mark.applied_on end as applied_on,
    case when clustered.window_from is not null then mark.rehired_on end as rehired_on,
    case when clustered.window_from is not null then mark.reopens_on end as reopens_on,
    case when clustered.window_from is not null then mark.statements end as statements,
    case when clustered.window_from is not null then mark.months_observed end as months_observed,
    case when clustered.window_from is not null then mark.statements_until end as statements_until,
    nullif(least(
      coalesce(linked_tie.link_probability, 2.0),
      case when tie.tie_kind = 'rehired' then coalesce(mark.rehired_link, 2.0) else 2.0 end), 2.0) as link_probability
  from tie
  inner join ring
    on ring.ring_id = tie.ring_id
  inner join member
    on member.ring_id = tie.ring_id
    and member.claim_no = tie.claim_no
  left join mark
    on mark.claim_no = tie.claim_no
  left join linked_tie
    on linked_tie.tie_kind = tie.tie_kind
    and linked_tie.tie_key = tie.tie_key
  left join shared
    on shared.tie_kind = tie.tie_kind
    and shared.digest = tie.tie_key
  left join clustered
    on clustered.mark = case when tie.tie_kind in ('whole_staff', 'separation') then 'any' else tie.tie_kind end
    and clustered.business_group || '/' || cast(clustered.window_from as varchar) = tie.tie_key
)
select * from r01
