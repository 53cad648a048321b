#![allow(clippy::unwrap_used)]
use crate::testing::{plan, read_text};
use rstest::rstest;

const CONTRACT: &str = r#"
format:
  kind: xml
  record: /root/list/item
  expected_count: /root/total
  errors: [/error/text, {code: /root/code, message: /root/message, empty: ["006"]}]
columns:
  - {name: number, from: no, type: bigint}
  - {name: place, from: [address/city, "@city"], type: string, nullable: true}
"#;

#[rstest]
#[case(
    "<root><total>1</total><list><item><no>1</no><address><city>서울</city></address></item></list></root>",
    "1,서울",
    ""
)]
#[case(
    "<root><list><item city='부산'><no>1</no></item><item><no>2</no></item></list></root>",
    "1,부산;2,",
    ""
)]
#[case(
    "<root><list><item><no>1</no><address><city>a&amp;b&#44032;<![CDATA[<c>]]></city></address></item></list></root>",
    "1,a&b가<c>",
    ""
)]
#[case(
    "<root><total>30</total><list><item><no>1</no></item></list></root>",
    "1,",
    "1 of 30 delivered"
)]
#[case(
    "<root><list><item><no>1</no><new>x</new></item></list></root>",
    "1,",
    "`new` is not in the contract"
)]
#[case(
    "<?xml version='1.0' encoding='EUC-KR'?><root><list><item><no>1</no></item></list></root>",
    "1,",
    "declares EUC-KR"
)]
#[case("<root><code>006</code><message>없음</message></root>", "", "")]
#[case("<root><total>0</total><list/></root>", "", "")]
fn answers_become_rows(#[case] text: &str, #[case] rows: &str, #[case] notice: &str) {
    let outcome = read_text(&plan(CONTRACT), text.as_bytes()).unwrap();
    assert_eq!(outcome.csv(&["number", "place"]), rows);
    assert!(
        outcome.notices.join("; ").contains(notice),
        "{:?}",
        outcome.notices
    );
    if notice.is_empty() {
        assert!(outcome.notices.is_empty(), "{:?}", outcome.notices);
    }
}

#[rstest]
#[case("<root><list><item><no>1</no></item>", "truncated", "ends before")]
#[case(
    "<root><list><item><no>1</no></item></list></wrong>",
    "malformed",
    "XML"
)]
#[case(
    "<root><list><item><no>1</no></item></list></root><root/>",
    "malformed",
    "second root"
)]
#[case(
    "<root><list><item><no>&bomb;</no></item></list></root>",
    "malformed",
    "entity"
)]
#[case(
    "<root><code>018</code><message>잘못</message></root>",
    "error_answer",
    "code 018: 잘못"
)]
#[case("<error><text>점검 중</text></error>>", "error_answer", "점검 중")]
#[case("<other/>", "malformed", "/root/list/item")]
#[case("", "truncated", "ends before")]
#[case("<root><list><item><nr>1</nr></item></list></root>", "header", "`nr`")]
fn broken_answers_are_refused(#[case] text: &str, #[case] rule: &str, #[case] reason: &str) {
    let refusal = read_text(&plan(CONTRACT), text.as_bytes()).unwrap_err();
    assert_eq!(refusal.rule.as_str(), rule, "{refusal}");
    assert!(refusal.message.contains(reason), "{refusal}");
}

#[test]
fn bad_records_are_quarantined_alone() {
    let text = b"<root><list><item><no>x</no></item><item><no>1</no><no>2</no></item>\
        <item><no>3</no><address><city>\xff</city></address></item><item><no>4</no></item></list></root>";
    let outcome = read_text(&plan(CONTRACT), text).unwrap();
    assert_eq!(outcome.csv(&["number"]), "4");
    let rules: Vec<_> = outcome.quarantined.iter().map(|row| row.rule).collect();
    assert_eq!(rules, ["type", "repeated_element", "encoding"]);
}

const CHILDREN: &str = r#"
format: {kind: xml, record: /root/item/steps/step}
columns:
  - {name: root, from: "../../../@made", type: string, nullable: true}
  - {name: item, from: "../../no", type: int}
  - {name: group, from: "../@kind", type: string, nullable: true}
  - {name: step, from: no, type: int}
"#;

#[rstest]
#[case(
    "<root made='x'><item><no>1</no><steps kind='a'><step><no>11</no></step><step><no>12</no></step></steps></item>\
     <item><steps><step><no>21</no></step></steps><no>2</no></item></root>",
    "x,1,a,11;x,1,a,12;x,2,,21"
)]
#[case("<root><item><no>1</no><steps/></item></root>", "")]
#[case(
    "<root><item><no>1</no><steps><step><no>11</no></step></steps><steps kind='b'><step><no>12</no></step></steps></item></root>",
    ",1,,11;,1,b,12"
)]
fn child_records_reach_up_to_the_elements_around_them(#[case] text: &str, #[case] rows: &str) {
    let contract = format!("child_of: parent\n{CHILDREN}");
    let outcome = read_text(&plan(&contract), text.as_bytes()).unwrap();
    assert_eq!(outcome.csv(&["root", "item", "group", "step"]), rows);
    assert!(outcome.notices.is_empty(), "{:?}", outcome.notices);
}

#[test]
fn ambiguous_parents_quarantine_their_children() {
    let text = "<root><item><no>1</no><no>2</no><steps><step><no>11</no></step></steps></item>\
        <item><no>3</no><steps><step><no>31</no></step></steps></item></root>";
    let outcome = read_text(&plan(CHILDREN), text.as_bytes()).unwrap();
    assert_eq!(outcome.csv(&["item", "step"]), "3,31");
    assert_eq!(outcome.rules(), ["repeated_element"]);
}
