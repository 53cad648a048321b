/*---
description:
  ko: 예측과 실제의 비교. 모형·근거·달마다 전체, 십분위, 집단별로 예측 평균과 실제 비율(엄격·느슨)을 나란히 둔다.
  en: >-
    predictions beside what happened, per model, basis and month of entry: all rows, deciles of the month's ranking, and
    groups. Basis frozen is the first score each row was given while its outcome was open; out_of_time is what the newest
    version predicted for rows it had not seen. The strict outcome is the label; the loose one counts more: any work on
    record within the same days of a registration or month of search, any hire for or later filling of a vacancy, any
    hire in the week, any decision of fraud after the observation, also one that fell on appeal or came later
grain: [model, basis, month, cut, value]
materialized: table
owner: learning
legal_basis: 직업안정법 제8조 · 제9조 · 고용보험법 제61조 · 제62조 · 제116조
expects:
  models.frozen_score:
    model: string
    entity: string
    entered_on: date
    probability: float
  models.employment_success:
    seeker_no: string
    registered_on: date
    purpose: string
    probability: float
  models.hiring_success:
    vacancy_no: string
    opened_on: date
    purpose: string
    probability: float
  models.employment_hazard:
    seeker_no: string
    searching_from: date
    purpose: string
    probability: float
  models.hiring_hazard:
    vacancy_no: string
    open_from: date
    purpose: string
    probability: float
  models.fraud_risk:
    claim_no: string
    entered_on: date
    purpose: string
    probability: float
  models.workplace_risk:
    workplace_no: string
    entered_on: date
    purpose: string
    probability: float
columns:
  basis: {tests: [{accepted_values: [frozen, out_of_time]}]}
  cut: {description: "all, decile (1 has the lowest probabilities) or the group's column"}
  predicted: {description: mean probability}
  realised_strict: {description: share with the outcome of the label}
  realised_loose: {description: share with the outcome in the wider sense}
  ratio_strict: {description: realised over predicted}
  ratio_loose: {description: loosely realised over predicted}
  outside: {description: "the strict ratio is below 0.9 or above 1.1"}
  alarm: {description: "outside, and further from the prediction than chance explains (1.96 standard deviations of the predicted count). Never of fraud, whose labels are selected: nothing was decided is not nothing was there"}
---*/
with frozen_score as (
  select * from {{ table('models.frozen_score') }}
),
seeker_score as (
  select * from {{ table('models.employment_success') }}
),
vacancy_score as (
  select * from {{ table('models.hiring_success') }}
),
month_score as (
  select * from {{ table('models.employment_hazard') }}
),
week_score as (
  select * from {{ table('models.hiring_hazard') }}
),
claim_score as (
  select * from {{ table('models.fraud_risk') }}
),
workplace_score as (
  select * from {{ table('models.workplace_risk') }}
),
seeker_label as (
  select * from {{ ref('employment_success_label') }}
),
vacancy_label as (
  select * from {{ ref('hiring_success_label') }}
),
month_label as (
  select * from {{ ref('employment_hazard_label') }}
),
week_label as (
  select * from {{ ref('hiring_hazard_label') }}
),
claim_label as (
  select * from {{ ref('fraud_risk_label') }}
),
workplace_label as (
  select * from {{ ref('workplace_risk_label') }}
),
claim_feature as (
  select * from {{ ref('fraud_risk') }}
),
workplace_feature as (
  select * from {{ ref('workplace_risk') }}
),
claim as (
  select * from {{ ref('claim') }}
),
fraud_decision as (
  select * from {{ ref('fraud_decision') }}
),
seeker as (
  select * from {{ ref('seeker') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
vacancy_feature as (
  select * from {{ ref('hiring_success') }}
),
biography_spell as (
  select * from {{ ref('biography_spell') }}
),
match_event as (
  select * from {{ ref('match_event') }}
),
prediction as (
  select frozen_score.model, 'frozen' as basis, frozen_score.entity, frozen_score.entered_on, frozen_score.probability
  from frozen_score
  union all
  select 'employment_success', 'out_of_time', seeker_score.seeker_no, seeker_score.registered_on, seeker_score.probability
  from seeker_score
  where seeker_score.purpose = 'out_of_time'
  union all
  select 'hiring_success', 'out_of_time', vacancy_score.vacancy_no, vacancy_score.opened_on, vacancy_score.probability
  from vacancy_score
  where vacancy_score.purpose = 'out_of_time'
  union all
  select 'employment_hazard', 'out_of_time', month_score.seeker_no, month_score.searching_from, month_score.probability
  from month_score
  where month_score.purpose = 'out_of_time'
  union all
  select 'hiring_hazard', 'out_of_time', week_score.vacancy_no, week_score.open_from, week_score.probability
  from week_score
  where week_score.purpose = 'out_of_time'
  union all
  select 'fraud_risk', 'out_of_time', claim_score.claim_no, claim_score.entered_on, claim_score.probability
  from claim_score
  where claim_score.purpose = 'out_of_time'
  union all
  select 'workplace_risk', 'out_of_time', workplace_score.workplace_no, workplace_score.entered_on, workplace_score.probability
  from workplace_score
  where workplace_score.purpose = 'out_of_time'
),
worked as (
  select distinct seeker.seeker_no
  from seeker
  inner join biography_spell
    on biography_spell.person_key = seeker.person_key
  where biography_spell.state in ('insured', 'contractor', 'daily', 'taxed_wage', 'taxed_business')
    and biography_spell.from_on > seeker.registered_on
    and biography_spell.from_on <= add_days(seeker.registered_on, 180)
),
hired as (
  select distinct match_event.vacancy_no from match_event where match_event.kind = 'hire'
),
worked_in_month as (
  select distinct month_label.seeker_no, month_label.searching_from
  from month_label
  inner join seeker
    on seeker.seeker_no = month_label.seeker_no
  inner join biography_spell
    on biography_spell.person_key = seeker.person_key
  where biography_spell.state in ('insured', 'contractor', 'daily', 'taxed_wage', 'taxed_business')
    and biography_spell.from_on > month_label.searching_from
    and biography_spell.from_on <= add_days(month_label.searching_from, 30)
),
hired_in_week as (
  select distinct week_label.vacancy_no, week_label.open_from
  from week_label
  inner join match_event
    on match_event.vacancy_no = week_label.vacancy_no
  where match_event.kind = 'hire'
    and match_event.occurred_on >= week_label.open_from
    and match_event.occurred_on < add_days(week_label.open_from, 7)
),
claim_decided as (
  select distinct claim_feature.claim_no, claim_feature.entered_on
  from claim_feature
  inner join fraud_decision
    on fraud_decision.claim_no = claim_feature.claim_no
  where fraud_decision.decided_on > claim_feature.observed_on
    and fraud_decision.known_on <= date '{{ var('as_of') }}'
),
workplace_decided as (
  select distinct workplace_feature.workplace_no, workplace_feature.entered_on
  from workplace_feature
  inner join claim
    on claim.workplace_no = workplace_feature.workplace_no
  inner join fraud_decision
    on fraud_decision.claim_no = claim.claim_no
  where claim.applied_on <= workplace_feature.observed_on
    and claim.applied_on > add_months(workplace_feature.observed_on, -9)
    and fraud_decision.decided_on > workplace_feature.observed_on
    and fraud_decision.known_on <= date '{{ var('as_of') }}'
),
joined as (
  select
    prediction.model,
    prediction.basis,
    prediction.entity,
    prediction.entered_on,
    month_start(prediction.entered_on) as month,
    prediction.probability,
    seeker_label.label as strict,
    seeker_label.label or worked.seeker_no is not null as loose,
    'sex' as first_cut,
    coalesce(seeker.sex, 'unknown') as first_value,
    'age_band' as second_cut,
    {{ age_band('age_at(seeker.birth_date, seeker.registered_on)') }} as second_value
  from prediction
  inner join seeker_label
    on seeker_label.seeker_no = prediction.entity
    and seeker_label.registered_on = prediction.entered_on
  inner join seeker
    on seeker.seeker_no = prediction.entity
  left join worked
    on worked.seeker_no = prediction.entity
  where prediction.model = 'employment_success'
    and seeker_label.label is not null
  union all
  select
    prediction.model,
    prediction.basis,
    prediction.entity,
    prediction.entered_on,
    month_start(prediction.entered_on) as month,
    prediction.probability,
    vacancy_label.label as strict,
    vacancy_label.label or vacancy.filled_on is not null or hired.vacancy_no is not null as loose,
    'insured_band' as first_cut,
    vacancy_feature.insured_band as first_value,
    'contract_kind' as second_cut,
    vacancy_feature.contract_kind as second_value
  from prediction
  inner join vacancy_label
    on vacancy_label.vacancy_no = prediction.entity
    and vacancy_label.opened_on = prediction.entered_on
  inner join vacancy
    on vacancy.vacancy_no = prediction.entity
  inner join vacancy_feature
    on vacancy_feature.vacancy_no = prediction.entity
  left join hired
    on hired.vacancy_no = prediction.entity
  where prediction.model = 'hiring_success'
    and vacancy_label.label is not null
  union all
  select
    prediction.model,
    prediction.basis,
    prediction.entity,
    prediction.entered_on,
    month_start(prediction.entered_on) as month,
    prediction.probability,
    month_label.label as strict,
    month_label.label or worked_in_month.seeker_no is not null as loose,
    'sex' as first_cut,
    coalesce(seeker.sex, 'unknown') as first_value,
    'age_band' as second_cut,
    {{ age_band('age_at(seeker.birth_date, seeker.registered_on)') }} as second_value
  from prediction
  inner join month_label
    on month_label.seeker_no = prediction.entity
    and month_label.searching_from = prediction.entered_on
  inner join seeker
    on seeker.seeker_no = prediction.entity
  left join worked_in_month
    on worked_in_month.seeker_no = prediction.entity
    and worked_in_month.searching_from = prediction.entered_on
  where prediction.model = 'employment_hazard'
    and month_label.label is not null
  union all
  select
    prediction.model,
    prediction.basis,
    prediction.entity,
    prediction.entered_on,
    month_start(prediction.entered_on) as month,
    prediction.probability,
    week_label.label as strict,
    week_label.label or hired_in_week.vacancy_no is not null as loose,
    'insured_band' as first_cut,
    vacancy_feature.insured_band as first_value,
    'contract_kind' as second_cut,
    vacancy_feature.contract_kind as second_value
  from prediction
  inner join week_label
    on week_label.vacancy_no = prediction.entity
    and week_label.open_from = prediction.entered_on
  inner join vacancy_feature
    on vacancy_feature.vacancy_no = prediction.entity
  left join hired_in_week
    on hired_in_week.vacancy_no = prediction.entity
    and hired_in_week.open_from = prediction.entered_on
  where prediction.model = 'hiring_hazard'
    and week_label.label is not null
  union all
  select
    prediction.model,
    prediction.basis,
    prediction.entity,
    prediction.entered_on,
    month_start(prediction.entered_on) as month,
    prediction.probability,
    claim_label.label as strict,
    claim_label.label or claim_decided.claim_no is not null as loose,
    'sex' as first_cut,
    coalesce(claim_feature.sex, 'unknown') as first_value,
    'age_band' as second_cut,
    coalesce(claim_feature.age_band, 'unknown') as second_value
  from prediction
  inner join claim_label
    on claim_label.claim_no = prediction.entity
    and claim_label.entered_on = prediction.entered_on
  inner join claim_feature
    on claim_feature.claim_no = prediction.entity
    and claim_feature.entered_on = prediction.entered_on
  left join claim_decided
    on claim_decided.claim_no = prediction.entity
    and claim_decided.entered_on = prediction.entered_on
  where prediction.model = 'fraud_risk'
    and claim_label.label is not null
  union all
  select
    prediction.model,
    prediction.basis,
    prediction.entity,
    prediction.entered_on,
    month_start(prediction.entered_on) as month,
    prediction.probability,
    workplace_label.label as strict,
    workplace_label.label or workplace_decided.workplace_no is not null as loose,
    'headcount_class' as first_cut,
    coalesce(workplace_feature.headcount_class, 'unknown') as first_value,
    'age_class' as second_cut,
    coalesce(workplace_feature.age_class, 'unknown') as second_value
  from prediction
  inner join workplace_label
    on workplace_label.workplace_no = prediction.entity
    and workplace_label.entered_on = prediction.entered_on
  inner join workplace_feature
    on workplace_feature.workplace_no = prediction.entity
    and workplace_feature.entered_on = prediction.entered_on
  left join workplace_decided
    on workplace_decided.workplace_no = prediction.entity
    and workplace_decided.entered_on = prediction.entered_on
  where prediction.model = 'workplace_risk'
    and workplace_label.label is not null
),
ranked as (
  select
    joined.*,
    ntile(10) over (
      partition by joined.model, joined.basis, joined.month order by joined.probability, joined.entity, joined.entered_on
    ) as decile
  from joined
),
cuts as (
  select ranked.*, 'all' as cut, 'all' as value from ranked
  union all
  select ranked.*, 'decile' as cut, lpad(cast(ranked.decile as varchar), 2, '0') as value from ranked
  union all
  select ranked.*, ranked.first_cut as cut, ranked.first_value as value from ranked
  union all
  select ranked.*, ranked.second_cut as cut, ranked.second_value as value from ranked
),
summed as (
  select
    cuts.model,
    cuts.basis,
    cuts.month,
    cuts.cut,
    cuts.value,
    count(*) as persons_or_vacancies,
    sum(cast(cuts.probability as decimal(10, 8))) as expected,
    sum(cast(cuts.probability * (1.0 - cuts.probability) as decimal(10, 8))) as variance,
    count(*) filter (where cuts.strict) as strict,
    count(*) filter (where cuts.loose) as loose
  from cuts
  group by cuts.model, cuts.basis, cuts.month, cuts.cut, cuts.value
),
compared as (
  select
    summed.model,
    summed.basis,
    summed.month,
    summed.cut,
    summed.value,
    summed.persons_or_vacancies,
    cast(summed.expected as double) / cast(summed.persons_or_vacancies as double) as predicted,
    cast(summed.strict as double) / cast(summed.persons_or_vacancies as double) as realised_strict,
    cast(summed.loose as double) / cast(summed.persons_or_vacancies as double) as realised_loose,
    cast(summed.strict as double) / nullif(cast(summed.expected as double), 0.0) as ratio_strict,
    cast(summed.loose as double) / nullif(cast(summed.expected as double), 0.0) as ratio_loose,
    abs(cast(summed.strict as double) - cast(summed.expected as double)) as distance,
    1.96 * sqrt(cast(summed.variance as double)) as chance
  from summed
),
predicted_realised as (
  select
    compared.model,
    compared.basis,
    compared.month,
    compared.cut,
    compared.value,
    compared.persons_or_vacancies,
    compared.predicted,
    compared.realised_strict,
    compared.realised_loose,
    compared.ratio_strict,
    compared.ratio_loose,
    coalesce(compared.ratio_strict < 0.9 or compared.ratio_strict > 1.1, false) as outside,
    compared.model not in ('fraud_risk', 'workplace_risk')
      and coalesce((compared.ratio_strict < 0.9 or compared.ratio_strict > 1.1) and compared.distance > compared.chance, false) as alarm
  from compared
)
select * from predicted_realised
