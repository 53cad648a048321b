//! Layouts of the records of the employment services: support paid, counselling, agencies and the
//! private portals' ads.

use crate::deliver::layout::{Format, Layout, PLAIN};

/// Records in JSON.
const ITEMS: (&str, &str) = (
    "{\"resultCode\":\"00\",\"items\":[\n",
    "\n],\"totalCount\":{rows}}\n",
);

pub(super) const SERVICE: Layout = Layout {
    service: true,
    known_day: 7,
    ..PLAIN
};

pub(super) const SERVICES: [Layout; 14] = [
    Layout {
        name: "ad_review",
        format: Format::Json,
        envelope: ITEMS,
        known_day: 6,
        ..SERVICE
    },
    Layout {
        name: "agency_placement",
        header: &[
            "기관번호",
            "주민등록번호",
            "위탁사업코드",
            "위탁일",
            "취업일",
            "취업사업장관리번호",
            "6개월고용유지여부",
            "위탁수수료",
        ],
        control: Some("fee_won"),
        known_day: 12,
        rrn_field: Some(1),
        date_field: Some(3),
        ..SERVICE
    },
    Layout {
        name: "centre_closure",
        header: &["사업장관리번호", "휴업시작일", "재개예정일", "신고일"],
        known_day: 4,
        ..SERVICE
    },
    Layout {
        name: "centre_device",
        header: &["기기식별값", "관할센터코드", "설치일"],
        known_day: 4,
        ..SERVICE
    },
    Layout {
        name: "centre_feedback",
        format: Format::Json,
        envelope: ITEMS,
        ..SERVICE
    },
    Layout {
        name: "ees_payment",
        header: &[
            "주민등록번호",
            "지원차수",
            "신청일",
            "지급일",
            "직군",
            "지급액",
        ],
        control: Some("amount_won"),
        rrn_field: Some(0),
        money_field: Some(5),
        ..SERVICE
    },
    Layout {
        name: "ei_correction",
        header: &[
            "주민등록번호",
            "사업장관리번호",
            "취득일",
            "정정전상실사유코드",
            "정정후상실사유코드",
            "정정신고일",
            "증빙구분",
        ],
        known_day: 17,
        ..SERVICE
    },
    Layout {
        name: "ei_subsidy",
        header: &[
            "지원금결정번호",
            "사업장관리번호",
            "지원사업코드",
            "지원대상시작월",
            "지원대상종료월",
            "지원인원",
            "지급액",
            "지급일",
        ],
        control: Some("amount_won"),
        known_day: 9,
        money_field: Some(6),
        date_field: Some(7),
        ..SERVICE
    },
    Layout {
        name: "ei_subsidy_person",
        header: &[
            "지원금결정번호",
            "주민등록번호",
            "지원대상시작월",
            "지원대상종료월",
            "전출승인여부",
        ],
        known_day: 9,
        rrn_field: Some(1),
        ..SERVICE
    },
    Layout {
        name: "mois_household",
        header: &["주민등록번호", "세대식별값", "주소식별값", "전입일"],
        known_day: 5,
        ..SERVICE
    },
    Layout {
        name: "portal_ad",
        format: Format::Json,
        envelope: ITEMS,
        known_day: 2,
        ..SERVICE
    },
    Layout {
        name: "wn_assessment",
        format: Format::Fixed,
        known_day: 3,
        ..SERVICE
    },
    Layout {
        name: "wn_programme",
        format: Format::Xml,
        control: Some("allowance_won"),
        envelope: (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<participationList>\n",
            "<total>{rows}</total>\n</participationList>\n",
        ),
        ..SERVICE
    },
    Layout {
        name: "wn_resume",
        format: Format::Json,
        envelope: ITEMS,
        known_day: 3,
        ..SERVICE
    },
];
