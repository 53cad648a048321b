/*---
description:
  ko: >-
    이직자가 수급자격을 신청한 사업장을 분기마다 한 줄씩, 그 분기가 끝날 때(진행 중이면 오늘) 알 수 있었던 신고와
    명세서만으로 만든 특성. 그날까지 아홉 달 안에 신청한 수급자격을 본다.
  en: >-
    a workplace whose leavers claimed, by quarters, each as it was known when the quarter ended, or today where it still
    runs. It looks at the claims applied for in the nine months to that day, the longest a benefit is paid, and at what
    the employer reported. Facts enter by the day they were reported or delivered. They are what the duty to report and
    the conditions of the benefit are about; they prove nothing and raise nothing
grain: [workplace_no, entered_on]
materialized: table
owner: detection
legal_basis: 고용보험법 제15조 · 제40조 · 제50조 · 제62조
sort_by: [workplace_no, entered_on]
meta:
  left_out:
    - "who the leavers are: nationality, language, free text, health, sex and age of no person enters; size, industry, place and age of the workplace stand here to compare groups and are no features"
    - "how many claimed and how long ago: they say how many decisions can come and when, not what was done"
    - "alerts and what cleared them: they are computed with what became known later"
    - "other businesses of the same owner: no column says since when businesses are linked"
columns:
  workplace_no: {tests: [not_null]}
  entered_on: {description: "first day of the quarter", tests: [not_null]}
  observed_on: {description: "last day of the quarter, or today; nothing later is read", tests: [not_null]}
  headcount_class: {title: {ko: 상시근로자 규모, en: headcount class}}
  sido: {title: {ko: 소재지 시도, en: province}}
  section: {title: {ko: 산업 대분류, en: industry section}}
  age_class: {title: {ko: "사업장 나이(년)", en: years since the workplace was established}, tests: [{accepted_values: ["0", "1-4", "5-9", "10+", unknown]}]}
  claimants: {title: {ko: 아홉 달 안에 신청한 사람, en: persons who claimed within nine months}, tests: [{range: {min: 1}}]}
  claiming_share: {title: {ko: 상실이 신고된 이직자 가운데 신청한 비율, en: share of reported leavers who claimed}, tests: [{range: {min: 0, max: 1}}]}
  late_loss_share: {title: {ko: 법정 기한을 넘긴 상실신고 비율, en: share of losses reported after the legal term}, tests: [{range: {min: 0, max: 1}}]}
  late_acquisition_share: {title: {ko: 법정 기한을 넘긴 취득신고 비율, en: share of acquisitions reported after the legal term}, tests: [{range: {min: 0, max: 1}}]}
  late_leavers: {title: {ko: 석 달 넘게 늦은 상실신고 뒤에 신청한 사람, en: claimants whose loss was reported three months late}, tests: [{range: {min: 0}}]}
  reasons_changed: {title: {ko: 이직 사유가 증빙 없이 바뀐 신청자, en: claimants whose reason was changed without a document}, tests: [{range: {min: 0}}]}
  replaced_share: {title: {ko: 감원 전후로 같은 직종에 다른 사람을 채용한 신청자 비율, en: share of claimants made redundant beside a hire for their occupation}, tests: [{range: {min: 0, max: 1}}]}
  dismissed_while_subsidised: {title: {ko: 지원금을 받는 동안 감원된 신청자, en: claimants made redundant while a subsidy was paid}, tests: [{range: {min: 0}}]}
  left_together: {title: {ko: "같은 날 이직해 신청한 사람(가장 많은 날)", en: most claimants who left on one day}, tests: [{range: {min: 1}}]}
  rehired_together: {title: {ko: 함께 이직한 뒤 수급 중에 같은 사업장에 재고용된 사람, en: claimants who left on one day and were hired back while payable}, tests: [{range: {min: 0}}]}
  just_eligible_share: {title: {ko: 피보험 기간이 180일에서 270일인 신청자 비율, en: share of claimants insured there for 180 to 270 days}, tests: [{range: {min: 0, max: 1}}]}
  unpaid_months: {title: {ko: 신청자 한 사람당 지급명세서 없는 피보험 개월 수, en: insured months without a statement of pay per claimant}, tests: [{range: {min: 0, max: 24}}]}
  closed: {title: {ko: 사업장의 폐업, en: the workplace has closed}, tests: [{accepted_values: [0, 1]}]}
  shared_account_households: {title: {ko: 신청자 가운데 같은 계좌를 쓴 세대 수, en: households of its claimants on one account}, tests: [{range: {min: 1}}]}
  shared_device_households: {title: {ko: "신청자 가운데 같은 기기를 쓴 세대 수(센터 기기 제외)", en: households of its claimants on one device but those of centres}, tests: [{range: {min: 1}}]}
---*/
with claim as (
  select * from {{ ref('claim') }}
),
certification as (
  select * from {{ ref('certification') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
subsidy as (
  select * from {{ source('ei_subsidy') }}
),
income as (
  select * from {{ ref('income_month') }}
  where income_kind = 'wage'
),
household as (
  select * from {{ ref('claimant_household') }}
),
kiosk as (
  select * from {{ ref('centre_device') }}
),
division as (
  select * from {{ seed('ksic_division') }}
),
back as (
  select * from (
    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19)
  ) as back (quarters)
),
quarter as (
  select
    add_months(cast(date_trunc('quarter', date '{{ var('as_of') }}') as date), -3 * cast(back.quarters as int)) as entered_on,
    least(
      add_days(add_months(cast(date_trunc('quarter', date '{{ var('as_of') }}') as date), 3 - 3 * cast(back.quarters as int)), -1),
      date '{{ var('as_of') }}') as observed_on
  from back
),
claimant as (
  select
    claim.claim_no,
    claim.person_key,
    claim.workplace_no,
    claim.separated_on,
    {{ entitled_until('claim') }} as payable_until,
    claim.loss_reason,
    quarter.entered_on,
    quarter.observed_on
  from claim
  cross join quarter
  where claim.applied_on <= quarter.observed_on
    and claim.applied_on > add_months(quarter.observed_on, -9)
),
entered as (
  select claimant.workplace_no, claimant.entered_on, claimant.observed_on, count(distinct claimant.person_key) as claimants
  from claimant
  group by claimant.workplace_no, claimant.entered_on, claimant.observed_on
),
known_workplace as (
  {{ workplace_as_known('entered') }}
),
claimed as (
  select distinct claimant.workplace_no, claimant.entered_on, claimant.person_key, claimant.separated_on
  from claimant
),
-- who left in the nine months, as far as it was reported; reports are due by the 15th of the next month
leaver as (
  select
    entered.workplace_no,
    entered.entered_on,
    count(*) as spells,
    count(*) filter (
      where insured_spell.acquired_reported_on > add_days(add_months(month_start(insured_spell.acquired_on), 1), 14)) as late_acquisitions,
    count(*) filter (
      where insured_spell.lost_reported_on > add_days(add_months(month_start(insured_spell.lost_on), 1), 14)) as late_losses,
    count(claimed.person_key) as claims
  from entered
  inner join insured_spell
    on insured_spell.workplace_no = entered.workplace_no
  left join claimed
    on claimed.workplace_no = entered.workplace_no
    and claimed.entered_on = entered.entered_on
    and claimed.person_key = insured_spell.person_key
    and claimed.separated_on = insured_spell.insured_to
  where insured_spell.acquired_reported_on <= entered.observed_on
    and insured_spell.lost_reported_on <= entered.observed_on
    and not insured_spell.cancelled
    and insured_spell.insured_to > add_months(entered.observed_on, -9)
    and insured_spell.insured_to <= entered.observed_on
  group by entered.workplace_no, entered.entered_on
),
ended as (
  {{ ended_employment('claimant') }}
),
eligible as (
  select
    ended.workplace_no,
    ended.entered_on,
    count(*) as claims,
    count(*) filter (where days_between(ended.acquired_on, ended.separated_on) + 1 between 180 and 270) as just_eligible
  from ended
  group by ended.workplace_no, ended.entered_on
),
undocumented as (
  {{ undocumented_change('claimant') }}
),
late_claim as (
  {{ late_claim() }}
),
season as (
  {{ told_season() }}
),
hired_back as (
  {{ hired_back('claimant') }}
),
told as (
  select
    claimant.workplace_no,
    claimant.entered_on,
    count(distinct claimant.person_key) filter (where undocumented.claim_no is not null) as reasons_changed,
    count(distinct claimant.person_key) filter (where late_claim.claim_no is not null) as late_leavers
  from claimant
  left join undocumented
    on undocumented.claim_no = claimant.claim_no
    and undocumented.entered_on = claimant.entered_on
  left join late_claim
    on late_claim.claim_no = claimant.claim_no
  group by claimant.workplace_no, claimant.entered_on
),
same_day as (
  select
    claimant.workplace_no,
    claimant.entered_on,
    claimant.separated_on,
    count(distinct claimant.person_key) as persons,
    count(distinct hired_back.person_key) filter (where season.claim_no is null) as hired_back
  from claimant
  left join hired_back
    on hired_back.claim_no = claimant.claim_no
    and hired_back.entered_on = claimant.entered_on
  left join season
    on season.claim_no = claimant.claim_no
  group by claimant.workplace_no, claimant.entered_on, claimant.separated_on
),
together as (
  select
    same_day.workplace_no,
    same_day.entered_on,
    max(same_day.persons) as persons,
    max(same_day.hired_back) filter (where same_day.persons > 1) as hired_back
  from same_day
  group by same_day.workplace_no, same_day.entered_on
),
redundant as (
  select
    claimant.claim_no,
    claimant.person_key,
    claimant.workplace_no,
    claimant.entered_on,
    claimant.observed_on,
    claimant.separated_on,
    insured_spell.occupation
  from claimant
  inner join insured_spell
    on insured_spell.person_key = claimant.person_key
    and insured_spell.workplace_no = claimant.workplace_no
  where insured_spell.acquired_reported_on <= claimant.observed_on
    and insured_spell.lost_reported_on <= claimant.observed_on
    and insured_spell.insured_to = claimant.separated_on
    and claimant.loss_reason = '23'
),
-- the days of rule F06
replaced as (
  select redundant.workplace_no, redundant.entered_on, count(distinct redundant.person_key) as persons
  from redundant
  inner join insured_spell
    on insured_spell.workplace_no = redundant.workplace_no
    and insured_spell.occupation = redundant.occupation
  where insured_spell.acquired_reported_on <= redundant.observed_on
    and insured_spell.acquired_on between add_days(redundant.separated_on, -30) and add_days(redundant.separated_on, 60)
    and insured_spell.person_key <> redundant.person_key
    and not (insured_spell.cancelled and insured_spell.lost_reported_on <= redundant.observed_on)
  group by redundant.workplace_no, redundant.entered_on
),
-- nobody is to be made redundant in the months of a subsidy and the one after (고용보험법 시행령 제19조)
dismissed as (
  select redundant.workplace_no, redundant.entered_on, count(distinct redundant.person_key) as persons
  from redundant
  inner join subsidy
    on subsidy.workplace_no = redundant.workplace_no
  where subsidy._known_on <= redundant.observed_on
    and subsidy.programme <> 'parental_leave'
    and redundant.separated_on between subsidy.from_month and month_end(add_months(subsidy.to_month, 1))
  group by redundant.workplace_no, redundant.entered_on
),
{{ unpaid_steps() }},
unpaid_at as (
  select ended.workplace_no, ended.entered_on, sum(unpaid.months) as months, count(*) as claims
  from unpaid
  inner join ended
    on ended.claim_no = unpaid.claim_no
    and ended.entered_on = unpaid.entered_on
  where unpaid.insured_months > 0
  group by ended.workplace_no, ended.entered_on
),
certified as (
  select distinct
    claimant.workplace_no,
    claimant.entered_on,
    claimant.person_key,
    certification.account_digest,
    certification.device_digest
  from claimant
  inner join certification
    on certification.claim_no = claimant.claim_no
  where certification.certified_on <= claimant.observed_on
    and certification.days_paid > 0
),
used as (
  select certified.workplace_no, certified.entered_on, certified.person_key, 'account' as kind, certified.account_digest as digest
  from certified
  where certified.account_digest is not null
  union all
  select certified.workplace_no, certified.entered_on, certified.person_key, 'device' as kind, certified.device_digest as digest
  from certified
  left join kiosk
    on kiosk.device_digest = certified.device_digest
    and kiosk.known_on <= date '{{ var('as_of') }}'
  where certified.device_digest is not null
    and kiosk.device_digest is null
),
shared_digest as (
  select
    used.workplace_no,
    used.entered_on,
    used.kind,
    used.digest,
    count(distinct coalesce(household.household_digest, cast(used.person_key as varchar))) as households
  from used
  left join household
    on household.person_key = used.person_key
    and household.known_on <= date '{{ var('as_of') }}'
  group by used.workplace_no, used.entered_on, used.kind, used.digest
),
shared as (
  select
    shared_digest.workplace_no,
    shared_digest.entered_on,
    max(shared_digest.households) filter (where shared_digest.kind = 'account') as account_households,
    max(shared_digest.households) filter (where shared_digest.kind = 'device') as device_households
  from shared_digest
  group by shared_digest.workplace_no, shared_digest.entered_on
),
workplace_risk as (
  select
    -- ids and dates
    entered.workplace_no,
    entered.entered_on,
    entered.observed_on,
    -- groups to compare, no features
    coalesce({{ headcount_class('known_workplace.headcount') }}, 'unknown') as headcount_class,
    coalesce(substr(known_workplace.sigungu, 1, 2), 'unknown') as sido,
    coalesce(division.section, 'unknown') as section,
    case
      when known_workplace.established_on is null then 'unknown'
      when known_workplace.established_on > add_months(entered.observed_on, -12) then '0'
      when known_workplace.established_on > add_months(entered.observed_on, -60) then '1-4'
      when known_workplace.established_on > add_months(entered.observed_on, -120) then '5-9'
      else '10+' end as age_class,
    cast(entered.claimants as int) as claimants,
    -- reports of acquisition and loss
    cast(leaver.claims as double) / cast(leaver.spells as double) as claiming_share,
    cast(leaver.late_losses as double) / cast(leaver.spells as double) as late_loss_share,
    cast(leaver.late_acquisitions as double) / cast(leaver.spells as double) as late_acquisition_share,
    cast(told.late_leavers as int) as late_leavers,
    -- reasons
    cast(told.reasons_changed as int) as reasons_changed,
    cast(coalesce(replaced.persons, 0) as double) / cast(entered.claimants as double) as replaced_share,
    cast(coalesce(dismissed.persons, 0) as int) as dismissed_while_subsidised,
    -- separations
    cast(together.persons as int) as left_together,
    cast(coalesce(together.hired_back, 0) as int) as rehired_together,
    -- employment
    cast(eligible.just_eligible as double) / cast(eligible.claims as double) as just_eligible_share,
    coalesce(cast(unpaid_at.months as double) / cast(unpaid_at.claims as double), 0.0) as unpaid_months,
    case when known_workplace.closed_on <= entered.observed_on then 1 else 0 end as closed,
    -- accounts and devices
    cast(coalesce(shared.account_households, 1) as int) as shared_account_households,
    cast(coalesce(shared.device_households, 1) as int) as shared_device_households
  from entered
  inner join told
    on told.workplace_no = entered.workplace_no
    and told.entered_on = entered.entered_on
  inner join together
    on together.workplace_no = entered.workplace_no
    and together.entered_on = entered.entered_on
  left join known_workplace
    on known_workplace.workplace_no = entered.workplace_no
    and known_workplace.observed_on = entered.observed_on
  left join division
    on division.division = substr(known_workplace.ksic, 1, 2)
    and known_workplace.ksic_version in ('10', '11')
  left join leaver
    on leaver.workplace_no = entered.workplace_no
    and leaver.entered_on = entered.entered_on
  left join eligible
    on eligible.workplace_no = entered.workplace_no
    and eligible.entered_on = entered.entered_on
  left join replaced
    on replaced.workplace_no = entered.workplace_no
    and replaced.entered_on = entered.entered_on
  left join dismissed
    on dismissed.workplace_no = entered.workplace_no
    and dismissed.entered_on = entered.entered_on
  left join unpaid_at
    on unpaid_at.workplace_no = entered.workplace_no
    and unpaid_at.entered_on = entered.entered_on
  left join shared
    on shared.workplace_no = entered.workplace_no
    and shared.entered_on = entered.entered_on
)
select * from workplace_risk
