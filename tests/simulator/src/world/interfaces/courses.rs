//! The list of training courses of the training portal.

use crate::calendar::month_of;
use crate::deliver::{Source, iso};
use crate::world::Block;
use crate::world::interfaces::element;
use crate::world::services::Course;

/// Months between the listing of a course and its start.
const AHEAD: i32 = 1;

impl Block<'_> {
    /// Lists the courses that people attend, a month before they start.
    pub(super) fn list_courses(&mut self, courses: &[Course]) {
        for course in courses {
            let round = self.random.between(1, 9);
            // A course of the first month was listed before the first delivery: it stands there.
            let month = (month_of(course.starts) - AHEAD).max(self.scenario.start_month);
            let place = &self.scenario.reference.places[course.place as usize];
            let number = String::from_utf8_lossy(&course.number).into_owned();
            let mut record = String::from("<scn_list>");
            let mut add = |name: &str, value: &str| element(&mut record, name, value);
            add("address", &format!("{} {}", place.sido_name, place.name));
            add("courseMan", &course.fee_won.to_string());
            add("subTitle", &course.institution);
            add("title", &course.title);
            add(
                "titleLink",
                &format!(
                    "https://www.work24.go.kr/hr/a/a/3100/selectTracseDetl.do?tracseId={number}"
                ),
            );
            add("traStartDate", &iso(course.starts));
            add("traEndDate", &iso(course.ends));
            add("trprDegr", &round.to_string());
            add("trprId", &number);
            add("trngAreaCd", &place.code);
            record.push_str("</scn_list>\n");
            self.tell(Source::ListedCourse, month, &record, 0);
        }
    }
}
