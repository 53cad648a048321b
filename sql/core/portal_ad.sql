/*---
description:
  ko: 민간 포털 구인공고. 공고의 글은 싣지 않고 임금은 월액으로 환산한다.
  en: ads of private portals, with the offered wage as a monthly amount; the text of an ad stays in staging
grain: [ad_no]
materialized: table
owner: core
legal_basis: 직업안정법 제34조 · 최저임금법 제6조
columns:
  month: {description: month of posting}
  sido: {description: "province of the workplace, null when its name is not known"}
  contract_kind: {tests: [{accepted_values: [regular, fixed_term, part_time]}]}
  monthly_wage_won: {description: "hour x 209, day x 21.75, year / 12"}
  below_minimum_wage: {description: "as in core.vacancy"}
  title_letters: {description: "the title without spaces, marks and digits, by which re-postings are found"}
  text_letters: {description: number of letters in the text; the text itself stays in staging}
---*/
with changes as (
  select * from {{ source('portal_ad') }}
),
sido as (
  select * from {{ seed('sido') }}
),
minimum_wage as (
  select * from {{ seed('minimum_wage') }}
),
latest as (
  {{ latest_version('changes', ['ad_no']) }}
),
priced as (
  select
    latest.*,
    case latest.contract_name when '정규직' then 'regular' when '계약직' then 'fixed_term' else 'part_time' end as contract_kind,
    cast(case latest.wage_kind
      when 'hour' then latest.min_wage_won * 209
      when 'day' then latest.min_wage_won * 2175 / 100
      when 'year' then latest.min_wage_won / 12
      else latest.min_wage_won end as decimal(18, 0)) as monthly_wage_won
  from latest
),
portal_ad as (
  select
    -- ids
    priced.ad_no,
    priced.portal,
    priced.biz_no,
    priced.firm_name,
    -- dates
    priced.posted_on,
    month_start(priced.posted_on) as month,
    priced.closes_on,
    priced._known_on as known_on,
    -- place
    priced.region,
    sido.sido,
    -- terms
    priced.title,
    regexp_replace(priced.title, '[^가-힣a-zA-Z]', '', 'g') as title_letters,
    cast(character_length(regexp_replace(priced.text, '[^가-힣a-zA-Z]', '', 'g')) as int) as text_letters,
    priced.contract_kind,
    -- amounts
    priced.wage_kind,
    priced.min_wage_won,
    priced.max_wage_won,
    priced.monthly_wage_won,
    coalesce(
      priced.contract_kind <> 'part_time' and priced.monthly_wage_won < minimum_wage.hourly_won * 209
      or priced.wage_kind = 'hour' and priced.min_wage_won < minimum_wage.hourly_won
      or priced.wage_kind = 'day' and priced.contract_kind <> 'part_time' and priced.min_wage_won < minimum_wage.hourly_won * 8,
      false) as below_minimum_wage
  from priced
  left join sido
    on sido.short_ko = split_part(priced.region, ' ', 1)
  left join minimum_wage
    on minimum_wage.year = cast(date_part('year', priced.posted_on) as int)
)
select * from portal_ad
