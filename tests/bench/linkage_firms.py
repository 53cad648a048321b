"""Two registers of firms with known truth: a workplace register and a pension register.

Names come from a large made-up space with frequent and rare ones, and are written as registers
write them: legal form in any place, broken brackets, branches, SK or 에스케이, typing errors. The
pension register holds the first six digits of the business number. About 80 % of the entities
stand in both. The same numbers of rows give the same files.
"""

import random
import sys
from pathlib import Path

import duckdb

SYLLABLES = "가나다라마바사아자차하거너더러머버서어저고노도로모보소오조호구누두루무부수우주후기니디리미비시이지히강남당람만반산안장한경녕덩령명병성영정형공농동롱몽봉송용종홍군눈둔룬문분순운준훈금늠등름믐븜슴음증흠"
TRADES = "건설 산업 전자 물산 정밀 식품 유통 테크 시스템 바이오 솔루션 개발 엔지니어링 상사 기업 중공업 화학 통상 네트웍스 디자인 이앤씨 소프트 에너지 환경 종합건설 전기 기계 금속 섬유 의원 약국 학원 미디어 로지스 물류 푸드 케어 랩".split()
LETTERS = dict(zip("ABCDEGHJKLMNPRST", "에이 비 씨 디 이 지 에이치 제이 케이 엘 엠 엔 피 알 에스 티".split()))
SIDO = {
    "서울": ["서울특별시", "서울시", "서울"], "부산": ["부산광역시", "부산"], "대구": ["대구광역시", "대구"],
    "인천": ["인천광역시", "인천"], "경기": ["경기도", "경기"], "강원": ["강원특별자치도", "강원도", "강원"],
    "충남": ["충청남도", "충남"], "전북": ["전북특별자치도", "전라북도", "전북"], "경남": ["경상남도", "경남"],
}
BRANCHES = "본점 지점 제2공장 영업소 대구공장 강남지점".split()
POSTAL_CODES = 34_000
NAMES = 700_000


def name_of(number: int) -> tuple[str, str]:
    """The name of a number in both spellings; letters begin one in six."""
    first = SYLLABLES[number * 7 % len(SYLLABLES)] + SYLLABLES[number // 83 * 11 % len(SYLLABLES)]
    if number % 3 == 0:
        first += SYLLABLES[number // 9_001 % len(SYLLABLES)]
    trade = TRADES[number * 13 % len(TRADES)]
    if number % 6:
        return first + trade, first + trade
    letters = "".join(list(LETTERS)[number // step % 16] for step in (6, 97, 1_553)[: 2 + number % 2])
    return letters + trade + first, "".join(LETTERS[letter] for letter in letters) + trade + first


def entity(draw: random.Random, number: int) -> tuple:
    name = int(NAMES * draw.random() ** 2.5)
    place = int(POSTAL_CODES * draw.random() ** 1.5)
    sido = list(SIDO)[place % len(SIDO)]
    office = 101 + place % 97 * 6
    biz = f"{office}{draw.choice((10, 12, 16, 20, 31, 81, 86, 87, 88)) + draw.randrange(4):02}{draw.randrange(100_000):05}"
    heads = int(3 / (draw.random() + 0.001)) + 1
    return name, f"{10_000 + place}", sido, place % 211, place % 1_777, 1 + draw.randrange(300), biz, heads


def written(draw: random.Random, record: tuple, identifier: str, pension: bool) -> tuple:
    name, postal, sido, district, road, building, biz, heads = record
    latin, hangul = name_of(name)
    text = latin if draw.random() < 0.5 else hangul
    if draw.random() < 0.06:
        at = draw.randrange(len(text))
        kind = draw.randrange(3)
        wrong = draw.choice(SYLLABLES)
        text = text[:at] + ("" if kind == 0 and len(text) > 3 else wrong) + text[at + (kind != 1) :]
    form = draw.random()
    if form < 0.75:
        sign = draw.choice(("(주)", "(주)", "㈜", "주식회사 ", "(주))", "주)", "（주）"))
        text = sign + text if form < 0.5 else text + " " + draw.choice(("(주)", "㈜", "주식회사"))
    if draw.random() < 0.05:
        text += " " + draw.choice(BRANCHES)
    if draw.random() < 0.03:
        postal = f"{10_000 + draw.randrange(POSTAL_CODES)}"
    address = f"{draw.choice(SIDO[sido])} {SYLLABLES[district % 90]}{'시군구'[district % 3]} {SYLLABLES[road % 97]}{SYLLABLES[road // 97]}로"
    if draw.random() < 0.9:
        address += f" {building}"
    number = draw.random()
    biz = "" if number < 0.08 else biz[:6] if pension or number < 0.15 else biz
    heads = max(1, heads + draw.randrange(-1, 2) + int(heads * draw.gauss(0, 0.05)))
    return identifier, text, biz, postal, address, heads


def generate(folder: Path, rows: int) -> None:
    draw = random.Random(rows)
    both = rows * 8 // 10
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "workplaces.csv", "w") as workplaces, open(folder / "pension.csv", "w") as pension:
        for file in (workplaces, pension):
            file.write("id,name,biz_no,postal,address,heads\n")
        for number in range(rows):
            shared = entity(draw, number)
            other = shared if number < both else entity(draw, rows + number)
            workplaces.write(",".join(map(str, written(draw, shared, f"w{number}", False))) + "\n")
            key = number if number < both else rows + number
            pension.write(",".join(map(str, written(draw, other, f"p{key}", True))) + "\n")
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    for name in ("workplaces", "pension"):
        connection.execute(
            f"copy (select *, nullif(left(biz_no, 6), '') biz6 from read_csv('{folder}/{name}.csv', all_varchar = true, header = true)"
            f" order by hash(id)) to '{folder}/{name}.parquet' (compression zstd)"
        )
        (folder / f"{name}.csv").unlink()


if __name__ == "__main__":
    generate(Path(sys.argv[1]), int(sys.argv[2]))
