//! Layouts of the answers of public interfaces: vacancies, courses, firms and their registration.

use crate::deliver::layout::{Cadence, Format, Layout};
use crate::deliver::services::SERVICE;

pub(super) const INTERFACES: [Layout; 6] = [
    Layout {
        name: "hrdnet_course",
        cadence: Cadence::ThreeMonthly,
        format: Format::Xml,
        known_day: 2,
        envelope: (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HRDNet><pageNum>1</pageNum><srchList>\n",
            "</srchList><scn_cnt>{rows}</scn_cnt></HRDNet>\n",
        ),
        ..SERVICE
    },
    Layout {
        name: "nts_business_status",
        cadence: Cadence::ThreeMonthly,
        format: Format::Json,
        known_day: 2,
        // The sum counts the numbers that are registered.
        envelope: (
            "{\"status_code\":\"OK\",\"data\":[\n",
            "\n],\"request_cnt\":{rows},\"match_cnt\":{control}}\n",
        ),
        ..SERVICE
    },
    Layout {
        name: "work24_open_recruitment",
        cadence: Cadence::ThreeMonthly,
        format: Format::Xml,
        known_day: 2,
        envelope: (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<dhsOpenEmpInfoList>\n",
            "<total>{rows}</total></dhsOpenEmpInfoList>\n",
        ),
        ..SERVICE
    },
    Layout {
        name: "work24_small_giant",
        cadence: Cadence::Yearly,
        format: Format::Xml,
        known_day: 25,
        envelope: (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<smallGiantsList>\n",
            "<total>{rows}</total></smallGiantsList>\n",
        ),
        ..SERVICE
    },
    Layout {
        name: "work24_vacancy",
        format: Format::Xml,
        known_day: 2,
        envelope: (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<wantedRoot><startPage>1</startPage>\n",
            "<display>{rows}</display><total>{rows}</total></wantedRoot>\n",
        ),
        ..SERVICE
    },
    Layout {
        name: "work24_vacancy_detail",
        format: Format::Zip,
        known_day: 2,
        ..SERVICE
    },
];
