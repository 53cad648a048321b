{#- Log likelihood ratio of a Poisson count above its expectation, 0 where it is not above: x ln(x/m) - (x - m). Its
    negative is the logarithm of the Chernoff bound of the upper tail (Mitzenmacher and Upfal, Probability and
    Computing, theorem 5.4). Both arguments are doubles. -#}
{% macro poisson_ratio(observed, expected) -%}
case
      when {{ observed }} > {{ expected }} and {{ expected }} > 0.0
        then {{ observed }} * ln({{ observed }} / ({{ expected }})) - ({{ observed }} - {{ expected }})
      else 0.0 end
{%- endmacro %}
