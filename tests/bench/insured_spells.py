"""Writes the insured spells of the intake benchmark: text in UTF-8 and in CP949, some rows broken."""

import subprocess
from pathlib import Path


COLUMNS = [
    "신고번호", "주민등록번호", "사업장관리번호", "사업장명", "사업자등록번호", "취득일", "상실일",
    "상실사유코드", "상실사유상세", "월보수액", "이직전평균임금", "주소정근로시간", "직종코드", "직종명",
    "고용형태", "업종코드", "시군구코드", "시군구명", "취득신고일", "상실신고일",
]
BAD_ROWS_PER_THOUSAND = 5
PERSONS_PER_HUNDRED_SPELLS = 75


def generate(work: Path, rows: int) -> tuple[Path, Path]:
    """The two files; made once, kept for the next run."""
    utf8, cp949 = work / f"insured_spell_{rows}_utf8.csv", work / f"insured_spell_{rows}_cp949.csv"
    if cp949.exists() and utf8.exists():
        return utf8, cp949
    partial = work / "insured_spell.partial"
    import duckdb

    duckdb.connect().execute(f"copy ({spells(rows)}) to '{partial}' (format csv, header true)")
    partial.rename(utf8)
    with open(partial, "wb") as target:
        subprocess.run(["iconv", "-f", "UTF-8", "-t", "CP949", str(utf8)], stdout=target, check=True)
    partial.rename(cp949)
    return utf8, cp949


def spells(rows: int) -> str:
    """Numbers of persons carry their check digit, those of firms too; nobody stands behind them."""
    persons = max(rows * PERSONS_PER_HUNDRED_SPELLS // 100, 1)
    resident = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]
    firm = [1, 3, 7, 1, 3, 7, 1, 3]

    def weighted(text: str, weights: list[int]) -> str:
        return " + ".join(f"{w} * substr({text}, {i}, 1)::int" for i, w in enumerate(weights, 1))

    return f"""
with drawn as (
  select
    number,
    (hash(number, 1) >> 1)::bigint as h1,
    (hash(number, 2) >> 1)::bigint as h2,
    (hash(number, 3) >> 1)::bigint as h3,
    (hash(number, 4) % {persons})::bigint as person,
    (hash(number, 5) % {max(rows // 8, 1)})::bigint as firm
  from range({rows}) as numbers(number)
),
dated as (
  select
    *,
    date '1960-01-01' + (person % 16000)::int as born,
    date '2005-01-01' + (h1 % 7300)::int as acquired,
    h2 % 10 < 7 as is_over,
    (h2 // 16) % 1500 as days,
    case when (h3 // 8) % 1000 < {BAD_ROWS_PER_THOUSAND} then (h3 // 8192) % 5 end as broken
  from drawn
),
numbered as (
  select
    *,
    strftime(born, '%y%m%d')
      || case when born >= date '2000-01-01' then 3 else 1 end + person % 2
      || lpad((person // 16000)::varchar, 5, '0') as first_twelve,
    lpad((firm * 7919 % 1000000000)::varchar, 9, '0') as first_nine,
    (acquired + days::int)::date as lost
  from dated
)
select
  number as "신고번호",
  case when broken = 3 then '991332' || substr(first_twelve, 7) || '0'
       else first_twelve || ((11 - ({weighted("first_twelve", resident)}) % 11) % 10) end as "주민등록번호",
  case when broken = 4 then '' else lpad(firm::varchar, 10, '0') || '0' end as "사업장관리번호",
  ['(주)', '주식회사 ', '㈜', ''][1 + firm % 4]
    || ['가온', '나래', '다솜', '라온', '마루', '바른', '새벽', '아람', '자연', '한빛'][1 + (firm // 4) % 10]
    || ['물산', '정밀', '식품', '건설', '유통', '전자', '산업', '화학', '교육', '복지재단'][1 + (firm // 40) % 10]
    || (firm // 400 % 997)::varchar as "사업장명",
  first_nine || ((10 - ({weighted("first_nine", firm)} + 5 * substr(first_nine, 9, 1)::int
    + 5 * substr(first_nine, 9, 1)::int // 10) % 10) % 10) as "사업자등록번호",
  case when broken = 0 then strftime(acquired, '%Y13%d') else strftime(acquired, '%Y%m%d') end as "취득일",
  case when is_over then strftime(lost, '%Y%m%d') end as "상실일",
  case when is_over then
    case when broken = 1 then '99' else ['11', '11', '12', '22', '23', '26', '31', '32'][1 + h3 % 8] end
  end as "상실사유코드",
  case when is_over then ['개인사정으로 인한 자진퇴사', '계약기간만료', '회사사정에 의한 권고사직', '정년'][1 + h3 % 4] end
    as "상실사유상세",
  case when broken = 2 then -1 else 1 end * (900000 + (h1 // 8) % 6000000) as "월보수액",
  case when is_over then 900000 + (h2 // 8) % 6000000 end as "이직전평균임금",
  15 + (h3 // 16) % 38 as "주소정근로시간",
  100 + (h1 // 64) % 400 as "직종코드",
  ['행정 사무원', '건설 단순 종사자', '음식 서비스 종사자', '소프트웨어 개발자', '요양 보호사', '화물차 운전원'][1 + h1 % 6]
    as "직종명",
  ['regular', 'regular', 'fixed_term', 'part_time'][1 + h2 % 4] as "고용형태",
  10000 + (firm * 31) % 85000 as "업종코드",
  11110 + (firm % 25) * 30 as "시군구코드",
  ['서울특별시 종로구', '서울특별시 강남구', '부산광역시 해운대구', '경기도 수원시', '전라남도 순천시'][1 + firm % 5]
    as "시군구명",
  strftime(acquired + ((h1 // 128) % 40)::int, '%Y%m%d') as "취득신고일",
  case when is_over then strftime(lost + ((h2 // 128) % 40)::int, '%Y%m%d') end as "상실신고일"
from numbered
order by number
"""
