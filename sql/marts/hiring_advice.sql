/*---
description:
  ko: 열린 구인마다 채워질 확률과 걸릴 날, 비슷한 구인이 어떻게 채워졌는지, 조건을 바꾸면 달라지는 확률과 상담 문구.
  en: >-
    advice for each open vacancy: the chance of being filled and the days it takes, how similar vacancies fared, the
    chances on other terms, and the text for the employer. Associations in past vacancies, not what a change would cause
grain: [vacancy_no]
materialized: table
owner: learning
legal_basis: 직업안정법 제8조
meta:
  similar: "vacancies of the same occupation and province that were filled within their period in the twelve months before"
  advice: "the one changed term with the largest gain of at least two percentage points; none is advised below that"
expects:
  models.hiring_success:
    vacancy_no: string
    opened_on: date
    purpose: string
    probability: float
    model_version: string
  models.hiring_success_alternative:
    vacancy_no: string
    opened_on: date
    alternative: string
    probability: float
    model_version: string
tests:
  - {expression: "not more_pay_lowers", severity: warn}
columns:
  workplace_no: {tags: [firm]}
  probability: {description: of being filled within the period, tests: [{range: {min: 0, max: 1}}]}
  half_filled_day: {description: "days from opening by which half of such vacancies are filled; null when the period ends before or no version of hiring_hazard serves"}
  similar_filled: {description: similar vacancies that were filled, tests: [{range: {min: 0}}]}
  similar_days: {description: "median of the days they took; null with fewer than 5"}
  similar_wage_won: {description: "median of their monthly pay; null with fewer than 5"}
  best_alternative: {description: "the changed term that is advised, null where none is"}
  best_probability: {description: chance with that term}
  most_probability: {description: highest chance of all terms together}
  more_pay_lowers: {description: "somewhere on the grid more pay, and nothing else, goes with a lower chance: what is said of pay would not hold"}
  text_ko: {description: what the employer is told}
  text_en: {description: the same in English}
---*/
with score as (
  select * from {{ table('models.hiring_success') }}
),
alternative_score as (
  select * from {{ table('models.hiring_success_alternative') }}
),
alternative as (
  select * from {{ ref('hiring_what_if') }}
),
vacancy as (
  select * from {{ ref('vacancy') }}
),
outcome as (
  select * from {{ ref('vacancy_outcome') }}
),
curve as (
  select * from {{ ref('hiring_curve') }}
),
day_of_half as (
  select curve.vacancy_no, max(curve.half_filled_day) as half_filled_day
  from curve
  group by curve.vacancy_no
),
current as (
  select score.vacancy_no, score.probability, score.model_version
  from score
  where score.purpose = 'current'
    and score.probability is not null
),
scored as (
  select
    alternative.vacancy_no,
    alternative.alternative,
    alternative.title_ko,
    alternative.title_en,
    alternative.changes,
    alternative.pay_rise,
    alternative.no_career,
    alternative.regular,
    alternative.elsewhere,
    alternative_score.probability
  from alternative
  inner join alternative_score
    on alternative_score.vacancy_no = alternative.vacancy_no
    and alternative_score.opened_on = alternative.opened_on
    and alternative_score.alternative = alternative.alternative
),
-- of equal chances the term that comes first by name
ranked as (
  select
    scored.*,
    row_number() over (partition by scored.vacancy_no order by scored.probability desc, scored.alternative) as place
  from scored
  where scored.changes = 1
),
paid as (
  select
    scored.*,
    lag(scored.probability) over (
      partition by scored.vacancy_no, scored.no_career, scored.regular, scored.elsewhere
      order by scored.pay_rise) as with_less_pay
  from scored
),
grid as (
  select
    paid.vacancy_no,
    max(paid.probability) as most_probability,
    bool_or(coalesce(paid.probability < paid.with_less_pay, false)) as more_pay_lowers
  from paid
  group by paid.vacancy_no
),
filled as (
  select
    vacancy.occupation,
    vacancy.sido,
    vacancy.filled_on,
    vacancy.monthly_wage_won,
    outcome.days_to_fill
  from vacancy
  inner join outcome
    on outcome.vacancy_no = vacancy.vacancy_no
  where outcome.filled_within_period
    and vacancy.filled_on > add_months(date '{{ var('as_of') }}', -12)
),
alike as (
  select
    filled.occupation,
    filled.sido,
    count(*) as filled,
    median(cast(filled.days_to_fill as double)) as days,
    median(cast(filled.monthly_wage_won as double)) as wage_won
  from filled
  group by filled.occupation, filled.sido
),
advised as (
  select
    vacancy.vacancy_no,
    vacancy.workplace_no,
    vacancy.opened_on,
    vacancy.closes_on,
    vacancy.occupation,
    vacancy.sido,
    vacancy.monthly_wage_won,
    current.probability,
    current.model_version,
    day_of_half.half_filled_day,
    coalesce(alike.filled, 0) as similar_filled,
    case when alike.filled >= 5 then cast(round(alike.days) as int) end as similar_days,
    case when alike.filled >= 5 then cast(round(alike.wage_won) as decimal(18, 0)) end as similar_wage_won,
    case when ranked.probability - current.probability >= 0.02 then ranked.alternative end as best_alternative,
    case when ranked.probability - current.probability >= 0.02 then ranked.title_ko end as best_ko,
    case when ranked.probability - current.probability >= 0.02 then ranked.title_en end as best_en,
    case when ranked.probability - current.probability >= 0.02 then ranked.probability end as best_probability,
    grid.most_probability,
    grid.more_pay_lowers
  from vacancy
  inner join current
    on current.vacancy_no = vacancy.vacancy_no
  inner join grid
    on grid.vacancy_no = vacancy.vacancy_no
  left join ranked
    on ranked.vacancy_no = vacancy.vacancy_no
    and ranked.place = 1
  left join day_of_half
    on day_of_half.vacancy_no = vacancy.vacancy_no
  left join alike
    on alike.occupation = vacancy.occupation
    and alike.sido = vacancy.sido
),
hiring_advice as (
  select
    -- ids and dates
    advised.vacancy_no,
    advised.workplace_no,
    advised.opened_on,
    advised.closes_on,
    -- the job
    advised.occupation,
    advised.sido,
    advised.monthly_wage_won,
    -- the chance
    advised.probability,
    advised.half_filled_day,
    -- how similar ones fared
    advised.similar_filled,
    advised.similar_days,
    advised.similar_wage_won,
    -- other terms
    advised.best_alternative,
    advised.best_probability,
    advised.most_probability,
    advised.more_pay_lowers,
    -- for the employer
    -- a sentence without its figure is left out
    '모집기간 안에 채워질 확률은 ' || {{ percent('advised.probability') }} || '%입니다.'
      || coalesce(' 이런 구인의 절반은 연 지 ' || cast(advised.half_filled_day as varchar) || '일 안에 채워집니다.', '')
      || coalesce(' 지난 1년 같은 직종·지역에서 채워진 구인 ' || cast(advised.similar_filled as varchar) || '건은 보통 '
        || cast(advised.similar_days as varchar) || '일 걸렸고 월 임금은 보통 ' || {{ won('advised.similar_wage_won') }} || '원이었습니다.', '')
      || coalesce(' ' || advised.best_ko || ': 지난 구인에서 배운 확률은 ' || {{ percent('advised.best_probability') }} || '%입니다.',
        ' 한 가지 조건만 달랐던 구인에서 뚜렷이 높은 확률은 보이지 않습니다.')
      || ' 지난 구인에서 보이는 관련일 뿐, 조건을 바꾸면 그렇게 된다는 뜻은 아닙니다.' as text_ko,
    'The chance of being filled within the period is ' || {{ percent('advised.probability') }} || ' %.'
      || coalesce(' Half of such vacancies are filled by day ' || cast(advised.half_filled_day as varchar) || '.', '')
      || coalesce(' The ' || cast(advised.similar_filled as varchar)
        || ' vacancies of this occupation and province that were filled in the past year took '
        || cast(advised.similar_days as varchar) || ' days and paid ' || {{ won('advised.similar_wage_won') }} || ' won a month (medians).', '')
      || coalesce(' With ' || advised.best_en || ', the chance learned from past vacancies is ' || {{ percent('advised.best_probability') }} || ' %.',
        ' No single other term went with a clearly higher chance.')
      || ' These are associations in past vacancies, not what a change would cause.' as text_en,
    advised.model_version
  from advised
)
select * from hiring_advice
