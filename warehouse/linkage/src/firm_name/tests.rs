use rstest::rstest;

use super::*;
use crate::testing::shared;

#[rstest]
#[case("주식회사 가온")]
#[case("가온 주식회사")]
#[case("주식회사가온")]
#[case("(주)가온")]
#[case("가온(주)")]
#[case("㈜가온")]
#[case("（주）가온")]
#[case("( 주 ) 가온")]
#[case("(주))가온")]
#[case("((주)가온")]
#[case("주)가온")]
#[case("(주가온")]
#[case("가온(주")]
#[case("가온주)")]
#[case("가 온 (주)")]
fn a_stock_company_is_recognised_in_every_spelling(#[case] name: &str) {
    let parsed = FirmName::parse(name);
    assert_eq!(
        (parsed.core.as_str(), parsed.legal_form),
        ("가온", Some(StockCompany))
    );
    assert_eq!((parsed.branch, parsed.note), (None, None));
}

#[rstest]
#[case("(유)에이스주류", "에이스주류", Some(LimitedCompany))]
#[case("(유한)대방주류", "대방주류", Some(LimitedCompany))]
#[case("재단법인 가온재단", "가온재단", Some(Foundation))]
#[case("한국교육학술정보원(재)", "한국교육학술정보원", Some(Foundation))]
#[case("(사)가온협회", "가온협회", Some(Association))]
#[case("의료법인 가온의료재단", "가온의료재단", Some(MedicalFoundation))]
#[case("농업회사법인 주식회사 가온", "가온", Some(AgriculturalCompany))]
#[case("농업회사법인(주)가온", "가온", Some(AgriculturalCompany))]
#[case("가온사회적협동조합", "가온", Some(SocialCooperative))]
#[case("법무법인(유한) 가온", "가온", Some(ProfessionalCorporation))]
#[case("주민상회", "주민상회", None)]
#[case("(주민)상회", "상회", None)]
#[case("사과나무(과수원)", "사과나무", None)]
#[case("주식회사", "주식회사", Some(StockCompany))]
#[case("SK하이닉스(주)", "에스케이하이닉스", Some(StockCompany))]
#[case("에스케이하이닉스 주식회사", "에스케이하이닉스", Some(StockCompany))]
#[case("(주)명인 이.엔.지", "명인이엔지", Some(StockCompany))]
#[case("주식회사 명인ENG", "명인이엔지", Some(StockCompany))]
#[case("R&R", "알앤알", None)]
#[case("Gaon Co., Ltd.", "지에이오엔", None)]
fn forms_and_spellings_leave_the_core(
    #[case] name: &str,
    #[case] core: &str,
    #[case] form: Option<LegalForm>,
) {
    let parsed = FirmName::parse(name);
    assert_eq!((parsed.core.as_str(), parsed.legal_form), (core, form));
}

#[rstest]
#[case("대한방직(주)대구공장", "대한방직", Some("대구공장"))]
#[case("가온은행 강남 지점", "가온은행", Some("강남지점"))]
#[case("가온은행 강남지점", "가온은행", Some("강남지점"))]
#[case("가온전자 제2공장", "가온전자", Some("제2공장"))]
#[case("가온전자제2공장", "가온전자", Some("제2공장"))]
#[case("가온전자수원공장", "가온전자", Some("수원공장"))]
#[case("(주)가온 본점", "가온", Some("본점"))]
#[case("가온식품본점", "가온식품", Some("본점"))]
#[case("가온커피 3호점", "가온커피", Some("3호점"))]
#[case("두부공장", "두부공장", None)]
#[case("본점", "본점", None)]
#[case("가온디자인연구소", "가온디자인연구소", None)]
fn branches_are_split_off(#[case] name: &str, #[case] core: &str, #[case] branch: Option<&str>) {
    let parsed = FirmName::parse(name);
    assert_eq!(
        (parsed.core.as_str(), parsed.branch.as_deref()),
        (core, branch)
    );
}

/// The names that data.go.kr's extract was chosen for.
#[test]
fn odd_names_of_the_pension_extract_are_understood() {
    let Some(path) = shared("workplaces/nps_workplaces_cp949.csv") else {
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    let (text, _, wrong) = encoding_rs::EUC_KR.decode(&bytes);
    assert!(!wrong);
    let names: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(1))
        .collect();
    assert_eq!(names.len(), 34);
    let parsed: Vec<FirmName> = names.iter().map(|name| FirmName::parse(name)).collect();
    let of = |name: &str| {
        let at = names.iter().position(|held| *held == name);
        &parsed[at.unwrap_or_else(|| panic!("the extract lacks {name}"))]
    };
    for (name, core) in [
        ("(주))현대개발", "현대개발"),
        ("주)대화종합건설", "대화종합건설"),
        ("대한방직(주)대구공장", "대한방직"),
        ("케이엠에스(KMS-KOREA)", "케이엠에스"),
        ("강북고등학교(기간제)", "강북고등학교"),
        ("코나모빌리티주식회사", "코나모빌리티"),
        ("(주)로자인 코리아", "로자인코리아"),
        (
            "(사)한국신장장애인협회대구협회",
            "한국신장장애인협회대구협회",
        ),
    ] {
        assert_eq!(of(name).core, core, "{name}");
    }
    for (name, parsed) in names.iter().zip(&parsed) {
        assert!(
            !parsed.core.contains(['(', ')', ' ']),
            "{name}: {}",
            parsed.core
        );
        assert!(parsed.core.chars().count() >= 2, "{name}: {}", parsed.core);
        let says_company = name.contains("주)") || name.contains("주식회사");
        assert_eq!(
            parsed.legal_form == Some(StockCompany),
            says_company,
            "{name}"
        );
    }
}
