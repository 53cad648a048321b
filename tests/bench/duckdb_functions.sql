-- The engine's own functions, so that DuckDB runs the models as they stand.
create macro month_start(day) as cast(date_trunc('month', day) as date);
create macro month_end(day) as last_day(day);
create macro add_months(day, months) as cast(day + to_months(cast(months as integer)) as date);
create macro add_days(day, days) as cast(day + cast(days as integer) as date);
create macro days_between(from_on, to_on) as date_diff('day', from_on, to_on);
create macro months_between(from_on, to_on) as date_sub('month', from_on, to_on);
create macro age_at(birth, day) as
  date_part('year', day) - date_part('year', birth)
    - case when date_part('month', day) * 100 + date_part('day', day)
                < date_part('month', birth) * 100 + date_part('day', birth) then 1 else 0 end;
create macro days_overlap(first_from, first_to, second_from, second_to) as
  case when first_from is null or second_from is null then null
       else greatest(0, date_diff('day', greatest(first_from, second_from),
              least(coalesce(first_to, date '9999-12-31'), coalesce(second_to, date '9999-12-31'))) + 1)
  end;
create macro months_series(from_on, to_on) as
  list_transform(
    generate_series(date_trunc('month', from_on), date_trunc('month', to_on), interval 1 month),
    lambda month : cast(month as date));
-- the models use it for one thing: the number of a day
create macro arrow_cast(day, kind) as date_diff('day', date '1970-01-01', day);
