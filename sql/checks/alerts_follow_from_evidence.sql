/*---
description:
  ko: "경보는 증거 행만으로 다시 도출된다"
  en: >-
    every alert is derived again from its evidence rows alone: each row that counts fulfils its rule by its own columns,
    a group shows as many rows as it says, and each candidate has the rules, counts, days, amount and severity of its rows
severity: error
---*/
select * from {{ ref('underived_alert') }}
