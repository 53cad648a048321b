/*---
description:
  ko: F06 이직사유를 나중에 수급자격이 되는 사유로 바꾼 뒤 수급하거나, 경영상 감원이라면서 같은 직종을 새로 채용
  en: "F06: the loss reason was changed after the fact to one that entitles, or redundancy was given beside new hires for the same occupation, and a claim followed"
grain: [claim_no, evidence_kind, evidence_key]
materialized: table
owner: detection
version: 4
legal_basis: 고용보험법 제40조 · 제58조 · 제61조 · 제62조 · 제116조
meta:
  severity: high
  evidence: >-
    first report of the loss x report that stands x claim for that separation; or claim for redundancy x other people's
    acquisitions for the same occupation at the same workplace from 30 days before to 60 days after the separation
  threshold: >-
    a change counts alone. Hires beside a redundancy count when at least as many were hired as were made redundant in
    that time and the workplace's own turnover in that occupation, of the whole time or of the year before, does not
    explain them: upper bounds of the Poisson tail, the first term by Stirling's formula and the others by a geometric
    series, of which as many count as hold the share that chance gives at 0.05 (Benjamini and Hochberg, Controlling the
    false discovery rate, Journal of the Royal Statistical Society B 57, 1995), among separations of one, of two, and of
    three or more together
  sources: [ei_insured_spell, ei_correction, ei_benefit_claim, ei_certification]
  look_back: three years from separation (고용보험법 제62조 제3항)
  clears:
    - {ko: "서류(계약서, 사직서, 판정서)를 갖춘 정정", en: "a correction filed with a document (contract, letter of resignation, ruling)"}
    - {ko: "채용이 감원보다 적거나, 평소의 이직·채용을 넘지 않음", en: "fewer hired than made redundant, or no more than the usual turnover gives"}
columns:
  person_key: {tags: [pseudonym]}
  evidence_kind: {tests: [{accepted_values: [reason_changed, redundant_beside_hires]}]}
  evidence_from: {description: "day of the first report, or last insured day"}
  evidence_to: {description: day of application}
  fact_on: {description: "day of the report that changed the reason, or of the first hire"}
  group_size: {description: "one, the person; or people made redundant in the occupation"}
  group_matched: {description: "one; or people hired for it"}
  loss_reason_before: {description: reason of the first report; null where none was changed}
  loss_reason: {description: reason that stands}
  document: {description: the document that the correction was filed with}
  expected: {description: hires for the occupation that the turnover of the workplace gives these days}
  p_value: {description: upper bound of the Poisson tail for so many hires, tests: [{range: {min: 0, max: 1}}]}
  tests: {description: "redundancies that were tested together, those of one, of two, or of three or more people"}
  amount_at_risk_won: {description: the whole claim since its condition is false, tests: [{range: {min: 0}}]}
---*/
with change as (
  select * from {{ ref('loss_reason_change') }}
),
reason as (
  select * from {{ seed('loss_reason') }}
),
claim as (
  select * from {{ ref('claim') }}
),
paid as (
  {{ paid_claim() }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
  where not cancelled
    and occupation is not null
),
redundant as (
  select
    claim.claim_no,
    claim.person_key,
    claim.workplace_no,
    claim.separated_on,
    claim.applied_on,
    insured_spell.occupation,
    paid.paid_from,
    paid.paid_to,
    paid.amount_won,
    greatest(claim.known_on, paid.known_on) as known_on
  from claim
  inner join paid
    on paid.claim_no = claim.claim_no
  inner join insured_spell
    on insured_spell.person_key = claim.person_key
    and insured_spell.workplace_no = claim.workplace_no
    and insured_spell.insured_to = claim.separated_on
  where claim.loss_reason = '23'
),
-- the days on which hires are on record for all
span as (
  select
    add_days(min(redundant.separated_on), -30) as from_on,
    add_days(max(redundant.separated_on), 60) as to_on
  from redundant
),
-- whether they claim or not
let_go as (
  select redundant.claim_no, count(distinct insured_spell.person_key) as group_size
  from redundant
  inner join insured_spell
    on insured_spell.workplace_no = redundant.workplace_no
    and insured_spell.occupation = redundant.occupation
  where abs(days_between(redundant.separated_on, insured_spell.insured_to)) <= 45
    and (insured_spell.loss_reason = '23' or insured_spell.person_key = redundant.person_key)
  group by redundant.claim_no
),
-- people of one birth date and sex whose acquisition was reported on one day for one day are one hire: of one of them the
-- number was mistyped
acquisition as (
  select
    insured_spell.workplace_no,
    insured_spell.occupation,
    insured_spell.acquired_on,
    min(insured_spell.person_key) as person_key,
    min(insured_spell.known_on) as known_on
  from insured_spell
  where exists (select 1 from redundant where redundant.workplace_no = insured_spell.workplace_no)
  group by
    insured_spell.workplace_no,
    insured_spell.occupation,
    insured_spell.acquired_on,
    insured_spell.acquired_reported_on,
    insured_spell.birth_date,
    insured_spell.sex,
    case when insured_spell.birth_date is null then insured_spell.person_key end
),
-- a person who was made redundant there and comes back is another rule's
hired as (
  select
    redundant.claim_no,
    count(distinct acquisition.person_key) filter (where acquisition.acquired_on >= span.from_on) as hires,
    count(distinct acquisition.person_key) filter (
      where acquisition.acquired_on between add_days(redundant.separated_on, -395) and add_days(redundant.separated_on, -31)) as year_before,
    count(distinct acquisition.person_key) filter (
      where acquisition.acquired_on between add_days(redundant.separated_on, -30) and add_days(redundant.separated_on, 60)) as group_matched,
    min(acquisition.acquired_on) filter (
      where acquisition.acquired_on between add_days(redundant.separated_on, -30) and add_days(redundant.separated_on, 60)) as hired_on,
    min(acquisition.known_on) filter (
      where acquisition.acquired_on between add_days(redundant.separated_on, -30) and add_days(redundant.separated_on, 60)) as known_on
  from redundant
  cross join span
  inner join acquisition
    on acquisition.workplace_no = redundant.workplace_no
    and acquisition.occupation = redundant.occupation
  where acquisition.acquired_on between add_days(span.from_on, -365) and span.to_on
    and acquisition.person_key <> redundant.person_key
  group by redundant.claim_no
),
family as (
  select least(let_go.group_size, 3) as size, count(*) as separations
  from let_go
  group by least(let_go.group_size, 3)
),
-- turnover is that of the whole time, or of the year before where it was higher; one more, so that a workplace that hired
-- nobody else has a rate
weighed as (
  select
    redundant.*,
    let_go.group_size,
    hired.group_matched,
    hired.hired_on,
    greatest(redundant.known_on, hired.known_on) as pattern_known_on,
    family.size,
    family.separations,
    cast(hired.group_matched as double) as hires,
    greatest(
      cast(hired.hires - hired.group_matched + 1 as double) * 91.0
        / cast(greatest(91, days_between(span.from_on, span.to_on) - 90) as double),
      cast(hired.year_before as double) * 91.0 / 365.0) as expected_hires
  from redundant
  cross join span
  inner join let_go
    on let_go.claim_no = redundant.claim_no
  inner join family
    on family.size = least(let_go.group_size, 3)
  inner join hired
    on hired.claim_no = redundant.claim_no
  where hired.group_matched > 0
),
tested as (
  select
    weighed.*,
    case
      when weighed.hires > weighed.expected_hires
        then least(1.0, exp(-{{ poisson_ratio('weighed.hires', 'weighed.expected_hires') }})
          * (weighed.hires + 1.0) / (weighed.hires + 1.0 - weighed.expected_hires) / sqrt(2.0 * pi() * weighed.hires))
      else 1.0 end as p_value
  from weighed
),
-- how many chance gives below a bound, by how many lie below it
ranked as (
  select
    tested.*,
    tested.p_value * cast(tested.separations as double)
      / cast(count(*) over (partition by tested.size order by tested.p_value) as double) as share_by_chance
  from tested
),
judged as (
  select
    ranked.*,
    min(ranked.share_by_chance) over (
      partition by ranked.size order by ranked.p_value range between current row and unbounded following) as false_share
  from ranked
),
changed as (
  select
    -- rule
    'F06' as rule_id,
    4 as rule_version,
    -- ids
    'person/' || cast(claim.person_key as varchar) as pivot_key,
    claim.person_key,
    change.workplace_no,
    claim.claim_no,
    -- evidence
    'reason_changed' as evidence_kind,
    change.workplace_no || '/' || cast(change.acquired_on as varchar) || '/' || change.first_reason || '>' || change.reason as evidence_key,
    change.first_reported_on as evidence_from,
    claim.applied_on as evidence_to,
    change.changed_on as fact_on,
    paid.paid_from,
    paid.paid_to,
    cast(1 as bigint) as group_size,
    cast(1 as bigint) as group_matched,
    paid.amount_won as amount_at_risk_won,
    greatest(claim.known_on, paid.known_on, change.known_on) as known_on,
    -- what clears it
    change.document is not null as cleared,
    case when change.document is not null then 'corrected with a document: ' || change.document end as cleared_by,
    -- what derives it again
    paid.amount_won as paid_won,
    change.first_reason as loss_reason_before,
    change.reason as loss_reason,
    change.document,
    cast(null as double) as expected,
    cast(null as double) as p_value,
    cast(null as bigint) as tests
  from change
  inner join claim
    on claim.person_key = change.person_key
    and claim.workplace_no = change.workplace_no
    and claim.separated_on = change.insured_to
  inner join paid
    on paid.claim_no = claim.claim_no
  inner join reason as first_reason
    on first_reason.loss_reason = change.first_reason
  inner join reason
    on reason.loss_reason = change.reason
  where first_reason.entitling = 'no'
    and reason.entitling = 'yes'
),
beside_hires as (
  select
    -- rule
    'F06' as rule_id,
    4 as rule_version,
    -- ids
    'workplace/' || judged.workplace_no as pivot_key,
    judged.person_key,
    judged.workplace_no,
    judged.claim_no,
    -- evidence
    'redundant_beside_hires' as evidence_kind,
    judged.workplace_no || '/' || cast(judged.separated_on as varchar) || '/' || judged.occupation as evidence_key,
    judged.separated_on as evidence_from,
    judged.applied_on as evidence_to,
    judged.hired_on as fact_on,
    judged.paid_from,
    judged.paid_to,
    judged.group_size,
    judged.group_matched,
    judged.amount_won as amount_at_risk_won,
    judged.pattern_known_on as known_on,
    -- what clears it
    judged.group_matched < judged.group_size or judged.false_share > 0.05 as cleared,
    case
      when judged.group_matched < judged.group_size then 'fewer hired than made redundant'
      when judged.false_share > 0.05 then 'no more hired than the usual turnover' end as cleared_by,
    -- what derives it again
    judged.amount_won as paid_won,
    cast(null as varchar) as loss_reason_before,
    '23' as loss_reason,
    cast(null as varchar) as document,
    judged.expected_hires as expected,
    judged.p_value,
    judged.separations as tests
  from judged
),
f06 as (
  select * from changed
  union all
  select * from beside_hires
)
select * from f06
