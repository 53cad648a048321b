/*---
description:
  ko: 수급자격 한 건을 신청 다음 달부터 석 달씩 나누어, 그 석 달이 끝날 때(진행 중이면 오늘) 알 수 있었던 사실만으로 만든 특성.
  en: >-
    a claim by stretches of three months from the month after its application, each as it was known when the stretch
    ended, or today where it still runs. Facts enter by the day they were reported or delivered: rounds by their
    certification, spells by the report of the acquisition, a loss once it was reported, pay by the delivery of its
    statement. What it counts is what the duty to declare is about; it proves nothing and raises nothing
grain: [claim_no, entered_on]
materialized: table
owner: detection
legal_basis: 고용보험법 제47조 · 제61조 · 제109조
sort_by: [claim_no, entered_on]
meta:
  left_out:
    - "nationality, language, free text, health, sex, age and place, by the lessons of DOMAIN 4; sex, age band, province and the foreign registration stand here to compare groups and are no features"
    - "alerts and what cleared them: they are computed with what became known later"
    - "rehires by another business of the same owner: no column says since when businesses are linked"
columns:
  claim_no: {tests: [not_null]}
  entered_on: {description: "first day of the three months", tests: [not_null]}
  observed_on: {description: "last day of the three months, or today; nothing later is read", tests: [not_null]}
  months_after: {title: {ko: 신청 뒤 지난 달, en: months since the application}}
  sex: {title: {ko: 성별, en: sex}}
  age_band: {title: {ko: 연령대, en: age band}}
  sido: {title: {ko: 관할 시도, en: province}}
  foreign_registration: {title: {ko: 외국인등록번호, en: foreign registration number}}
  loss_reason: {title: {ko: 이직 사유, en: reason of the separation}}
  undeclared_insured_days: {title: {ko: 인정기간 중 신고하지 않은 피보험일, en: insured days inside certified days that were not declared}, tests: [{range: {min: 0}}]}
  undeclared_daily_days: {title: {ko: 인정기간 중 신고하지 않은 일용근로일, en: days of daily work inside certified days that were not declared}, tests: [{range: {min: 0}}]}
  undeclared_pay_days: {title: {ko: 인정기간 안의 신고하지 않은 지급기간 일수, en: paid days of statements wholly inside certified days that were not declared}, tests: [{range: {min: 0}}]}
  undeclared_business_days: {title: {ko: 인정기간에 연 사업의 신고하지 않은 날, en: certified days with a business opened on them and not declared}, tests: [{range: {min: 0}}]}
  abroad_rounds: {title: {ko: 해외에서 온라인으로 인정받은 회차, en: rounds certified online while abroad}, tests: [{range: {min: 0}}]}
  service_days: {title: {ko: 인정기간 중 현역 복무일, en: days of active service inside certified days}, tests: [{range: {min: 0}}]}
  rounds_paid: {title: {ko: 지급된 회차, en: rounds paid}, tests: [{range: {min: 1}}]}
  online_share: {title: {ko: 온라인 인정 비율, en: share of rounds certified online}, tests: [{range: {min: 0, max: 1}}]}
  searches_per_round: {title: {ko: 회차당 구직활동, en: search activities per round}}
  declared_days: {title: {ko: 신고한 근로일, en: days of work declared}}
  shared_account_households: {title: {ko: 같은 계좌를 쓴 세대 수, en: households on the same account}, tests: [{range: {min: 1}}]}
  shared_device_households: {title: {ko: "같은 기기를 쓴 세대 수(센터 기기 제외)", en: households on the same device but those of centres}, tests: [{range: {min: 1}}]}
  prior_claims: {title: {ko: 5년 안의 이전 수급자격 수, en: earlier claims within five years}}
  insured_years: {title: {ko: 피보험단위기간(년), en: insured years}}
  reason_changed: {title: {ko: 증빙 없이 바뀐 이직 사유, en: reason of the separation changed without a document}}
  loss_report_months: {title: {ko: 상실신고가 늦은 달 수, en: months between separation and report of the loss}}
  late_leavers: {title: {ko: 같은 사업장에서 늦게 신고되어 신청한 사람, en: claimants of the workplace whose loss was reported late}}
  left_together: {title: {ko: 같은 날 함께 이직해 신청한 사람, en: claimants who left the workplace on the same day}}
  rehired_together: {title: {ko: 그중 수급 중 같은 사업장에 재고용된 사람, en: of them hired back by the workplace while payable}}
  unpaid_months: {title: {ko: 지급명세서가 없는 피보험 개월, en: insured months without a statement of pay}, tests: [{range: {min: 0, max: 24}}]}
  workplace_closed: {title: {ko: 이직한 사업장의 폐업, en: the workplace left has closed}}
---*/
with claim as (
  select * from {{ ref('claim') }}
),
delivered_claim as (
  select * from {{ source('ei_benefit_claim') }}
),
certification as (
  select * from {{ ref('certification') }}
),
insured_spell as (
  select * from {{ ref('insured_spell') }}
),
daily_work as (
  select * from {{ ref('daily_work') }}
),
income as (
  select * from {{ ref('income_month') }}
  where income_kind = 'wage'
),
stay as (
  select * from {{ ref('border_stay') }}
),
service as (
  select * from {{ ref('military_service') }}
),
business as (
  select * from {{ ref('business') }}
),
household as (
  select * from {{ ref('claimant_household') }}
),
kiosk as (
  select * from {{ ref('centre_device') }}
),
stretch as (
  select * from (values (1), (4), (7), (10), (13), (16)) as stretch (months_after)
),
entered as (
  select
    claim.claim_no,
    claim.person_key,
    claim.workplace_no,
    claim.sido,
    claim.sex,
    claim.age_at_separation,
    claim.applied_on,
    claim.separated_on,
    {{ entitled_until('claim') }} as payable_until,
    claim.loss_reason,
    claim.insured_days,
    stretch.months_after,
    add_months(month_start(claim.applied_on), stretch.months_after) as entered_on,
    least(add_days(add_months(month_start(claim.applied_on), stretch.months_after + 3), -1), date '{{ var('as_of') }}') as observed_on
  from claim
  cross join stretch
  where claim.applied_on <= date '{{ var('as_of') }}'
    and claim.applied_on > add_months(date '{{ var('as_of') }}', -60)
    and add_months(month_start(claim.applied_on), stretch.months_after) <= date '{{ var('as_of') }}'
),
foreigner as (
  select delivered_claim.claim_no, bool_or(delivered_claim.foreigner) as foreign_registration
  from delivered_claim
  where delivered_claim.applied_on <= date '{{ var('as_of') }}'
  group by delivered_claim.claim_no
),
certified as (
  select
    entered.claim_no,
    entered.entered_on,
    entered.observed_on,
    entered.person_key,
    certification.round,
    certification.period_from,
    certification.period_to,
    certification.certified_on,
    certification.channel,
    certification.declared_work,
    certification.declared_days,
    certification.declared_income_won,
    certification.search_activities,
    certification.account_digest,
    certification.device_digest
  from entered
  inner join certification
    on certification.claim_no = entered.claim_no
  where certification.certified_on <= entered.observed_on
    and certification.days_paid > 0
),
paid as (
  select
    certified.claim_no,
    certified.entered_on,
    min(certified.period_from) as paid_from,
    max(certified.period_to) as paid_to,
    count(*) as rounds,
    count(*) filter (where certified.channel = 'online') as online_rounds,
    sum(certified.search_activities) as searches,
    sum(certified.declared_days) as declared_days
  from certified
  group by certified.claim_no, certified.entered_on
),
-- employments begun after the separation, as the office could see them on the day: a loss not reported leaves them open
known_spell as (
  select
    entered.claim_no,
    entered.entered_on,
    insured_spell.workplace_no,
    insured_spell.acquired_on,
    case when insured_spell.lost_reported_on <= entered.observed_on then insured_spell.insured_to end as insured_to
  from entered
  inner join insured_spell
    on insured_spell.person_key = entered.person_key
  where insured_spell.acquired_on > entered.separated_on
    and insured_spell.acquired_reported_on <= entered.observed_on
    and not (insured_spell.cancelled and insured_spell.lost_reported_on <= entered.observed_on)
),
insured as (
  select
    certified.claim_no,
    certified.entered_on,
    sum(days_overlap(known_spell.acquired_on, known_spell.insured_to, certified.period_from, certified.period_to)) as days
  from certified
  inner join known_spell
    on known_spell.claim_no = certified.claim_no
    and known_spell.entered_on = certified.entered_on
  where not certified.declared_work
    and known_spell.acquired_on <= certified.period_to
    and (known_spell.insured_to is null or known_spell.insured_to >= certified.period_from)
  group by certified.claim_no, certified.entered_on
),
-- the marks of the certified days only, as in rule F01
work_window as (
  select
    certified.claim_no,
    certified.entered_on,
    substr(
      daily_work.worked_days,
      greatest(1, days_between(daily_work.month, certified.period_from) + 1),
      greatest(0, least(31, days_between(daily_work.month, certified.period_to) + 1)
        - greatest(1, days_between(daily_work.month, certified.period_from) + 1) + 1)) as marks
  from certified
  inner join daily_work
    on daily_work.person_key = certified.person_key
  where daily_work.reported_on <= certified.observed_on
    and daily_work.first_worked_on <= certified.period_to
    and daily_work.last_worked_on >= certified.period_from
    and not certified.declared_work
),
worked as (
  select
    work_window.claim_no,
    work_window.entered_on,
    sum(character_length(replace(work_window.marks, '0', ''))) as days
  from work_window
  group by work_window.claim_no, work_window.entered_on
),
-- a statement counts when every paid day is a certified one; what straddles them says nothing of these days
statement as (
  select
    certified.claim_no,
    certified.entered_on,
    income.payer_biz_no,
    income.month,
    days_between(income.paid_from, income.paid_to) + 1 as days,
    sum(days_overlap(income.paid_from, income.paid_to, certified.period_from, certified.period_to)) as certified_days,
    bool_or(certified.declared_work or certified.declared_income_won > 0) as declared
  from certified
  inner join income
    on income.person_key = certified.person_key
  where income.known_on <= certified.observed_on
    and income.gross_won > 0
    and income.paid_to >= income.paid_from
    and income.paid_from <= certified.period_to
    and income.paid_to >= certified.period_from
  group by certified.claim_no, certified.entered_on, income.payer_biz_no, income.month, income.paid_from, income.paid_to
),
earned as (
  select statement.claim_no, statement.entered_on, sum(statement.days) as days
  from statement
  where statement.certified_days = statement.days
    and not statement.declared
  group by statement.claim_no, statement.entered_on
),
abroad as (
  select certified.claim_no, certified.entered_on, count(distinct certified.round) as rounds
  from certified
  inner join stay
    on stay.person_key = certified.person_key
  where stay.known_on <= certified.observed_on
    and certified.channel = 'online'
    and certified.certified_on > stay.left_on
    and certified.certified_on <= stay.abroad_until
    and (stay.entered_on is null or certified.certified_on < stay.entered_on)
  group by certified.claim_no, certified.entered_on
),
served as (
  select
    certified.claim_no,
    certified.entered_on,
    sum(days_overlap(service.service_from, service.service_to, certified.period_from, certified.period_to)) as days
  from certified
  inner join service
    on service.person_key = certified.person_key
  where service.known_on <= certified.observed_on
    and service.kind = 'active'
    and days_between(service.service_from, service.service_to) >= 7
    and service.service_from <= certified.period_to
    and service.service_to >= certified.period_from
    and not certified.declared_work
  group by certified.claim_no, certified.entered_on
),
owned as (
  select
    certified.claim_no,
    certified.entered_on,
    business.biz_no,
    bool_or(certified.declared_work) as declared,
    sum(days_between(greatest(business.opened_on, certified.period_from), certified.period_to) + 1) as days
  from certified
  inner join paid
    on paid.claim_no = certified.claim_no
    and paid.entered_on = certified.entered_on
  inner join business
    on business.owner_key = certified.person_key
  where business.known_on <= certified.observed_on
    and business.opened_on >= paid.paid_from
    and business.opened_on <= certified.period_to
  group by certified.claim_no, certified.entered_on, business.biz_no
),
in_business as (
  select owned.claim_no, owned.entered_on, max(owned.days) as days
  from owned
  where not owned.declared
  group by owned.claim_no, owned.entered_on
),
-- who was paid on which account, and certified from which device, since when. Centres' devices are none, and a device
-- of more than thirty claimants is public
used as (
  select
    'account' as kind,
    certification.account_digest as digest,
    claim.person_key,
    min(certification.certified_on) as first_on
  from certification
  inner join claim
    on claim.claim_no = certification.claim_no
  where certification.certified_on <= date '{{ var('as_of') }}'
    and claim.applied_on <= date '{{ var('as_of') }}'
    and certification.days_paid > 0
    and certification.account_digest is not null
  group by certification.account_digest, claim.person_key
  union all
  select
    'device' as kind,
    certification.device_digest as digest,
    claim.person_key,
    min(certification.certified_on) as first_on
  from certification
  inner join claim
    on claim.claim_no = certification.claim_no
  left join kiosk
    on kiosk.device_digest = certification.device_digest
    and kiosk.known_on <= date '{{ var('as_of') }}'
  where certification.certified_on <= date '{{ var('as_of') }}'
    and claim.applied_on <= date '{{ var('as_of') }}'
    and certification.days_paid > 0
    and certification.device_digest is not null
    and kiosk.device_digest is null
  group by certification.device_digest, claim.person_key
),
several as (
  select used.kind, used.digest
  from used
  group by used.kind, used.digest
  having count(*) between 2 and 30
),
sharing as (
  select
    used.kind,
    used.digest,
    used.person_key,
    used.first_on,
    coalesce(household.household_digest, cast(used.person_key as varchar)) as household_digest
  from used
  inner join several
    on several.kind = used.kind
    and several.digest = used.digest
  left join household
    on household.person_key = used.person_key
    and household.known_on <= date '{{ var('as_of') }}'
),
own_digest as (
  select distinct certified.claim_no, certified.entered_on, certified.observed_on, 'account' as kind, certified.account_digest as digest
  from certified
  union all
  select distinct certified.claim_no, certified.entered_on, certified.observed_on, 'device' as kind, certified.device_digest as digest
  from certified
),
shared_digest as (
  select
    own_digest.claim_no,
    own_digest.entered_on,
    own_digest.kind,
    own_digest.digest,
    count(distinct sharing.household_digest) as households
  from own_digest
  inner join sharing
    on sharing.kind = own_digest.kind
    and sharing.digest = own_digest.digest
  where sharing.first_on <= own_digest.observed_on
  group by own_digest.claim_no, own_digest.entered_on, own_digest.kind, own_digest.digest
),
shared as (
  select
    shared_digest.claim_no,
    shared_digest.entered_on,
    max(shared_digest.households) filter (where shared_digest.kind = 'account') as account_households,
    max(shared_digest.households) filter (where shared_digest.kind = 'device') as device_households
  from shared_digest
  group by shared_digest.claim_no, shared_digest.entered_on
),
earlier as (
  select entered.claim_no, entered.entered_on, count(*) as claims
  from entered
  inner join claim as before
    on before.person_key = entered.person_key
  where before.applied_on < entered.applied_on
    and before.applied_on >= add_months(entered.applied_on, -60)
    and before.applied_on <= entered.observed_on
  group by entered.claim_no, entered.entered_on
),
ended as (
  {{ ended_employment('entered') }}
),
undocumented as (
  {{ undocumented_change('entered') }}
),
late_claim as (
  {{ late_claim() }}
),
late as (
  select entered.claim_no, entered.entered_on, count(distinct late_claim.person_key) as persons
  from entered
  inner join late_claim as own
    on own.claim_no = entered.claim_no
  inner join late_claim
    on late_claim.workplace_no = entered.workplace_no
  where late_claim.applied_on <= entered.observed_on
    and days_between(entered.separated_on, late_claim.separated_on) between -183 and 183
  group by entered.claim_no, entered.entered_on
),
season as (
  {{ told_season() }}
),
together as (
  select
    entered.claim_no,
    entered.entered_on,
    entered.observed_on,
    entered.workplace_no,
    entered.separated_on,
    entered.payable_until,
    other.person_key
  from entered
  inner join claim as other
    on other.workplace_no = entered.workplace_no
    and other.separated_on = entered.separated_on
  where other.applied_on <= entered.observed_on
),
left_together as (
  select together.claim_no, together.entered_on, count(distinct together.person_key) as persons
  from together
  group by together.claim_no, together.entered_on
),
back as (
  {{ hired_back('together') }}
),
rehired as (
  select back.claim_no, back.entered_on, count(*) as persons
  from back
  group by back.claim_no, back.entered_on
),
known_workplace as (
  {{ workplace_as_known('entered') }}
),
{{ unpaid_steps() }},
closed as (
  select entered.claim_no, entered.entered_on, count(*) as workplaces
  from entered
  inner join known_workplace
    on known_workplace.workplace_no = entered.workplace_no
    and known_workplace.observed_on = entered.observed_on
  where known_workplace.closed_on <= entered.observed_on
  group by entered.claim_no, entered.entered_on
),
fraud_risk as (
  select
    -- ids and dates
    entered.claim_no,
    entered.entered_on,
    entered.observed_on,
    cast(entered.months_after as int) as months_after,
    -- groups to compare, no features
    coalesce(entered.sex, 'unknown') as sex,
    {{ age_band('entered.age_at_separation') }} as age_band,
    coalesce(entered.sido, 'unknown') as sido,
    coalesce(foreigner.foreign_registration, false) as foreign_registration,
    -- facts on certified days that were not declared
    cast(coalesce(insured.days, 0) as int) as undeclared_insured_days,
    cast(coalesce(worked.days, 0) as int) as undeclared_daily_days,
    cast(coalesce(earned.days, 0) as int) as undeclared_pay_days,
    cast(coalesce(in_business.days, 0) as int) as undeclared_business_days,
    cast(coalesce(abroad.rounds, 0) as int) as abroad_rounds,
    cast(coalesce(served.days, 0) as int) as service_days,
    -- certifications
    cast(paid.rounds as int) as rounds_paid,
    cast(paid.online_rounds as double) / cast(paid.rounds as double) as online_share,
    cast(paid.searches as double) / cast(paid.rounds as double) as searches_per_round,
    cast(paid.declared_days as int) as declared_days,
    -- accounts and devices
    cast(greatest(1, coalesce(shared.account_households, 1)) as int) as shared_account_households,
    cast(greatest(1, coalesce(shared.device_households, 1)) as int) as shared_device_households,
    -- the claim
    entered.loss_reason,
    cast(coalesce(earlier.claims, 0) as int) as prior_claims,
    cast(entered.insured_days as double) / 365.0 as insured_years,
    -- the separation
    case when undocumented.claim_no is not null then 1 else 0 end as reason_changed,
    greatest(0, months_between(ended.separated_on, ended.lost_reported_on)) as loss_report_months,
    cast(coalesce(late.persons, 0) as int) as late_leavers,
    cast(coalesce(left_together.persons, 1) as int) as left_together,
    case when season.claim_no is not null then 0 else cast(coalesce(rehired.persons, 0) as int) end as rehired_together,
    cast(coalesce(unpaid.months, 0) as int) as unpaid_months,
    case when closed.workplaces > 0 then 1 else 0 end as workplace_closed
  from entered
  inner join paid
    on paid.claim_no = entered.claim_no
    and paid.entered_on = entered.entered_on
  left join foreigner
    on foreigner.claim_no = entered.claim_no
  left join insured
    on insured.claim_no = entered.claim_no
    and insured.entered_on = entered.entered_on
  left join worked
    on worked.claim_no = entered.claim_no
    and worked.entered_on = entered.entered_on
  left join earned
    on earned.claim_no = entered.claim_no
    and earned.entered_on = entered.entered_on
  left join in_business
    on in_business.claim_no = entered.claim_no
    and in_business.entered_on = entered.entered_on
  left join abroad
    on abroad.claim_no = entered.claim_no
    and abroad.entered_on = entered.entered_on
  left join served
    on served.claim_no = entered.claim_no
    and served.entered_on = entered.entered_on
  left join shared
    on shared.claim_no = entered.claim_no
    and shared.entered_on = entered.entered_on
  left join earlier
    on earlier.claim_no = entered.claim_no
    and earlier.entered_on = entered.entered_on
  left join ended
    on ended.claim_no = entered.claim_no
    and ended.entered_on = entered.entered_on
  left join undocumented
    on undocumented.claim_no = entered.claim_no
    and undocumented.entered_on = entered.entered_on
  left join late
    on late.claim_no = entered.claim_no
    and late.entered_on = entered.entered_on
  left join season
    on season.claim_no = entered.claim_no
  left join left_together
    on left_together.claim_no = entered.claim_no
    and left_together.entered_on = entered.entered_on
  left join rehired
    on rehired.claim_no = entered.claim_no
    and rehired.entered_on = entered.entered_on
  left join unpaid
    on unpaid.claim_no = entered.claim_no
    and unpaid.entered_on = entered.entered_on
  left join closed
    on closed.claim_no = entered.claim_no
    and closed.entered_on = entered.entered_on
)
select * from fraud_risk
