//! Sentences of portal ads: what they promise, what breaks the law, what only looks like it, and how a
//! writer hides or re-words it.

use crate::random::Random;

/// What ads tell beside duty and terms; `{n}` is a number drawn for the ad.
const DETAILS: [&str; 16] = [
    "{n}년 된 회사로 직원 {m}명이 함께 일합니다.",
    "점심은 구내식당에서 드리고 간식비는 월 {n}만원까지 씁니다.",
    "통근버스가 {n}호선 역에서 {m}분마다 다닙니다.",
    "면접은 접수 후 {n}일 안에 연락드립니다.",
    "주차는 {m}대까지 되고 자전거 거치대가 있습니다.",
    "사무실은 {n}층이며 승강기가 있습니다.",
    "입사 후 {n}주 동안 선배가 일을 가르칩니다.",
    "생일과 명절에는 상품권 {n}만원을 드립니다.",
    "업무용 노트북과 휴대전화를 지급합니다.",
    "동호회 {n}개가 있고 활동비를 지원합니다.",
    "건강검진을 해마다 하고 독감 예방접종을 지원합니다.",
    "자기계발비를 분기마다 {m}만원까지 지원합니다.",
    "기숙사 {n}실이 있고 보증금은 없습니다.",
    "안전화와 작업복을 해마다 {n}벌 드립니다.",
    "장기근속 {n}년마다 휴가를 드립니다.",
    "제출 서류는 이력서와 자기소개서이며 {n}쪽을 넘지 않게 써 주세요.",
];

/// Sentences that break the law with their kind; what a writer would hide stands in brackets.
const UNLAWFUL: [(&str, &[&str]); 7] = [
    (
        "age",
        &[
            "만 [35세 이하]만 지원 바랍니다.",
            "[40세 미만] 지원자를 찾습니다.",
            "나이는 [45세까지] 받습니다.",
            "[90년생 이후] 지원 가능합니다.",
            "[우대 35세] 전후입니다.",
            "[젊은 분 우대]합니다.",
        ],
    ),
    (
        "sex",
        &[
            "[여성만] 지원 가능합니다.",
            "[남자만] 뽑습니다.",
            "[여직원 모집] 중입니다.",
            "[남성 우대] 조건입니다.",
            "[군필자만] 지원하세요.",
            "[여성 한정] 채용입니다.",
        ],
    ),
    (
        "looks",
        &[
            "[용모 단정]한 분을 찾습니다.",
            "[키 165cm] 이상인 분을 찾습니다.",
            "이력서에 [키와 몸무게]를 써 주세요.",
            "[외모 준수]한 분이면 좋습니다.",
        ],
    ),
    (
        "family",
        &[
            "[부모님 직업]을 이력서에 적어 주세요.",
            "[가족의 학력]을 함께 내 주세요.",
            "[형제자매 직업]도 적어 주세요.",
        ],
    ),
    (
        "birthplace",
        &[
            "[본적]이 우리 지역인 분을 우대합니다.",
            "[혼인 여부]를 이력서에 적어 주세요.",
            "[출신 지역]을 꼭 적어 주세요.",
            "[미혼자 우대]합니다.",
        ],
    ),
    (
        "false_ad",
        &[
            "[교재 구입 후] 활동할 수 있습니다.",
            "[보증금을 입금]하면 배정됩니다.",
            "일을 시작하려면 [통장을 빌려] 주세요.",
            "[가입비를 내]고 교육을 받습니다.",
        ],
    ),
    (
        "banned_word",
        &[
            "[노래방 도우미] 경력이면 좋습니다.",
            "[룸살롱] 근무입니다.",
            "[현금수거] 업무로 하루에 끝납니다.",
            "[토토 총판] 관리 업무입니다.",
            "[대포통장] 모집 업무입니다.",
            "[유흥주점] 홀 업무입니다.",
        ],
    ),
];

/// Lawful sentences with the kind that they resemble.
const RESEMBLING: [(&str, &str); 22] = [
    (
        "age",
        "청년일자리도약장려금 사업이며 우대 35세 이하 청년입니다.",
    ),
    ("age", "정년 60세이며 이후 재고용합니다."),
    ("age", "18세 미만 청소년은 법에 따라 지원할 수 없습니다."),
    ("age", "7세 이하 자녀가 있으면 단축근무를 합니다."),
    ("age", "연령 무관, 학력 무관으로 모집합니다."),
    ("sex", "성별 무관으로 모집합니다."),
    ("sex", "여성 고객이 많은 매장입니다."),
    ("sex", "여성만을 위한 제품을 만드는 회사입니다."),
    ("sex", "남녀 모두 지원할 수 있습니다."),
    ("looks", "신체 건강한 자를 우대합니다."),
    ("looks", "용모 단정 같은 조건은 보지 않습니다."),
    ("looks", "키와 체중은 묻지 않습니다."),
    ("origin", "기본적인 컴퓨터 활용이 필요합니다."),
    ("origin", "비슷한 일을 해 본 적이 있으면 좋습니다."),
    ("origin", "결혼 여부와 관계없이 지원할 수 있습니다."),
    ("origin", "혼인 여부를 묻지 않습니다."),
    ("family", "부모님 직업은 묻지 않습니다."),
    (
        "false_ad",
        "교재를 구입할 필요가 없고 교육비는 회사가 냅니다.",
    ),
    ("false_ad", "가입비를 내지 않아도 됩니다."),
    ("banned_word", "보이스피싱 예방 교육을 맡습니다."),
    ("banned_word", "성매매 피해 여성을 돕는 상담소입니다."),
    ("banned_word", "불법 도박 예방 상담을 합니다."),
];

const VAGUE: [&str; 6] = [
    "누구나 가능! 자세한 것은 문의 주세요!",
    "편하게 연락 주세요! 바로 시작!",
    "초보 환영!! 하루 만에 적응!! 문의 환영!!",
    "간단한 일! 좋은 조건! 상담 후 결정!",
    "자리 얼마 안 남았어요! 빨리 연락!",
    "부담 없이 시작! 조건은 만나서!",
];

/// Words with another word for the same.
const OTHER_WORDS: [(&str, &str); 8] = [
    ("맡습니다", "담당합니다"),
    ("수행합니다", "합니다"),
    ("업무", "일"),
    ("제공", "드림"),
    ("가능자", "가능하신 분"),
    ("함께", "같이"),
    ("드립니다", "지급합니다"),
    ("회사", "기업"),
];

/// Words that a vacancy of the service would not bracket itself.
const TELLING: [&str; 5] = ["35세 이하", "여성만", "용모 단정", "혼인 여부", "본적"];

/// Three to five sentences about the firm.
pub(super) fn details(random: &mut Random) -> String {
    let count = 3 + random.below(3);
    let mut order: Vec<usize> = (0..DETAILS.len()).collect();
    random.shuffle(&mut order);
    let sentences: Vec<String> = order[..count]
        .iter()
        .map(|at| {
            DETAILS[*at]
                .replace("{n}", &random.between(2, 9).to_string())
                .replace("{m}", &random.between(10, 60).to_string())
        })
        .collect();
    sentences.join(" ")
}

/// A kind of defect and a sentence that carries it.
pub(super) fn unlawful(random: &mut Random) -> (&'static str, String) {
    let (kind, sentences) = UNLAWFUL[random.below(UNLAWFUL.len())];
    (kind, sentences[random.below(sentences.len())].to_owned())
}

/// A kind of defect and a lawful sentence that resembles it.
pub(super) fn resembling(random: &mut Random) -> (&'static str, &'static str) {
    RESEMBLING[random.below(RESEMBLING.len())]
}

/// A text that says nothing of the job.
pub(super) fn vague(random: &mut Random) -> String {
    let first = random.below(VAGUE.len());
    let second = (first + 1 + random.below(VAGUE.len() - 1)) % VAGUE.len();
    format!("{} {}", VAGUE[first], VAGUE[second])
}

/// The same text in another order, with other words and ornaments.
pub(super) fn reworded(random: &mut Random, text: &str) -> String {
    let mut sentences: Vec<&str> = text.split_inclusive(". ").map(str::trim_end).collect();
    random.shuffle(&mut sentences);
    let ornament = ["■ ", "- ", "♥ ", "", "▶"][random.below(5)];
    let mut other = String::new();
    for sentence in sentences {
        other.push_str(ornament);
        other.push_str(sentence);
        other.push(if ornament.is_empty() { ' ' } else { '\n' });
    }
    for (word, another) in OTHER_WORDS {
        // What stands in brackets keeps its words.
        if random.chance(0.4) && !TELLING.iter().any(|telling| telling.contains(word)) {
            other = other.replace(word, another);
        }
    }
    other.trim_end().to_owned()
}

/// The text with the telling words broken up in one of the ways writers know.
pub(super) fn disguised(random: &mut Random, text: &str) -> String {
    let mut marked = text.to_owned();
    if !marked.contains('[') {
        for word in TELLING {
            marked = marked.replace(word, &format!("[{word}]"));
        }
    }
    let mut hidden = String::with_capacity(marked.len() * 2);
    let mut rest = marked.as_str();
    while let Some((before, after)) = rest.split_once('[') {
        let (word, after) = after.split_once(']').unwrap_or((after, ""));
        hidden.push_str(before);
        hidden.push_str(&hide(random, word));
        rest = after;
    }
    hidden.push_str(rest);
    hidden
}

fn hide(random: &mut Random, word: &str) -> String {
    let between = |sign: &str| {
        let letters: Vec<String> = word
            .chars()
            .filter(|one| *one != ' ')
            .map(String::from)
            .collect();
        letters.join(sign)
    };
    match random.below(10) {
        0 => between(" "),
        1 => between(["★", ".", "-", "♡", "_", "*", "~", "/"][random.below(8)]),
        2 => between("\u{200b}"),
        3 => word.chars().flat_map(|one| letters_of(one, 'ㄱ')).collect(),
        4 => word
            .chars()
            .flat_map(|one| letters_of(one, '\u{1100}'))
            .collect(),
        5 => {
            // One syllable is taken apart.
            let whole: Vec<char> = word.chars().collect();
            let chosen = random.below(whole.len());
            let parts = whole.iter().enumerate().flat_map(|(at, one)| {
                if at == chosen {
                    letters_of(*one, 'ㄱ')
                } else {
                    vec![*one]
                }
            });
            parts.collect()
        }
        6 => {
            let letters: Vec<char> = word.chars().flat_map(|one| letters_of(one, 'ㄱ')).collect();
            let letters: Vec<String> = letters
                .iter()
                .filter(|one| **one != ' ')
                .map(|one| one.to_string())
                .collect();
            letters.join([" ", ".", "·"][random.below(3)])
        }
        7 => word.chars().map(look_alike).collect(),
        8 => between("ㅋ"),
        _ => word
            .replace(' ', ["", "  ", "\u{3000}", "\u{a0}", "·"][random.below(5)])
            .chars()
            .map(wide)
            .collect(),
    }
}

/// Letters of a syllable, as typed one by one or as the joining kind.
fn letters_of(character: char, style: char) -> Vec<char> {
    const INITIALS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
    const FINALS: &str = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";
    let Some(code) = (character as u32)
        .checked_sub(0xac00)
        .filter(|code| *code < 11_172)
    else {
        return vec![character];
    };
    let (initial, vowel, last) = (code / 588, code % 588 / 28, code % 28);
    let parts = if style == 'ㄱ' {
        [
            INITIALS.chars().nth(initial as usize),
            char::from_u32('ㅏ' as u32 + vowel),
            (last > 0)
                .then(|| FINALS.chars().nth(last as usize - 1))
                .flatten(),
        ]
    } else {
        [
            char::from_u32(0x1100 + initial),
            char::from_u32(0x1161 + vowel),
            (last > 0).then(|| char::from_u32(0x11a7 + last)).flatten(),
        ]
    };
    parts.into_iter().flatten().collect()
}

fn look_alike(character: char) -> char {
    match character {
        '여' => '女',
        '남' => '男',
        '성' => '性',
        '세' => '歲',
        '미' => '未',
        '혼' => '婚',
        '본' => '本',
        '용' => '容',
        'c' => 'с',
        '0'..='9' => char::from_u32(0x1d7ce + (character as u32 - '0' as u32)).unwrap_or(character),
        other => other,
    }
}

fn wide(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(character as u32 - 0x21 + 0xff01).unwrap_or(character),
        other => other,
    }
}
