//! Words for the codes of the ledger of runs: states, reasons, origins.

use crate::dictionary::Dictionary;
use crate::language::Language;

const WORDS: Dictionary = Dictionary(&[
    // states
    ("queued", "대기", "queued"),
    ("running", "실행 중", "running"),
    ("success", "성공", "success"),
    ("failed", "실패", "failed"),
    ("up_for_retry", "다시 시도 예정", "up for retry"),
    ("skipped", "실행하지 않음", "skipped"),
    ("upstream_failed", "앞 단계 실패", "upstream failed"),
    ("cancelled", "취소", "cancelled"),
    ("unfinished", "끝난 기록 없음", "no end recorded"),
    // origins
    ("schedule", "일정", "schedule"),
    ("catchup", "밀린 회차", "catch-up"),
    ("trigger", "사람이 실행", "triggered by a person"),
    (
        "backfill",
        "사람이 지난 날짜를 채움",
        "filled back by a person",
    ),
    (
        "by_hand",
        "사람이 시작(goyong night)",
        "started by a person (goyong night)",
    ),
    // why an occurrence was not run
    ("paused", "계획이 멈춰 있었음", "the plan was paused"),
    ("holiday", "휴일", "holiday"),
    (
        "moved_onto",
        "다른 회차와 같은 영업일로 옮겨짐",
        "moved onto the business day of another run",
    ),
    (
        "outside_catchup_window",
        "따라잡는 기간보다 오래되어 실행하지 않음",
        "missed longer ago than the plan catches up",
    ),
    (
        "superseded",
        "더 늦은 회차가 대신 실행됨",
        "a later one was run instead",
    ),
    (
        "missed",
        "때를 놓쳤고 계획이 따라잡지 않음",
        "missed, and the plan does not catch up",
    ),
    (
        "overlap",
        "앞선 실행이 끝나지 않았음",
        "an earlier run had not finished",
    ),
    // why a step or run stands as it does
    ("nothing_new", "새로 할 일이 없었음", "nothing new"),
    ("check_failed", "검사를 통과하지 못함", "a check failed"),
    ("step_failed", "단계가 실패함", "a step failed"),
    (
        "locked",
        "다른 실행이 창고를 잠그고 있었음",
        "another run held the lock",
    ),
    (
        "fenced",
        "다른 작업자가 이어받아 거부됨",
        "refused: another worker had taken over",
    ),
    ("busy", "자원이 바빴음", "something it needs was busy"),
    ("error", "오류", "an error"),
    ("killed", "프로세스가 강제로 끝남", "the process was killed"),
    ("timed_out", "제한 시간을 넘김", "took longer than allowed"),
    ("panicked", "프로그램이 멈춤", "the program panicked"),
    ("worker_lost", "작업자가 사라짐", "its worker was lost"),
    (
        "worker_stopped",
        "작업자가 멈춰 돌려줌",
        "given back by a worker that stopped",
    ),
    (
        "replaced",
        "더 늦은 실행에 자리를 내줌",
        "made way for a later run",
    ),
    (
        "not_in_plan",
        "계획에 더는 없는 단계",
        "no longer in the plan",
    ),
    (
        "retried",
        "다시 실행하도록 사람이 요청함",
        "retried by a person",
    ),
    ("deadline_missed", "기한을 넘김", "deadline missed"),
    // deadlines
    ("met", "지킴", "met"),
    ("open", "아직 오지 않음", "not yet reached"),
    // changes of a table
    ("added", "추가", "added"),
    ("removed", "삭제", "removed"),
    ("changed", "변경", "changed"),
    // sources
    ("overdue", "늦음", "overdue"),
    ("never", "받은 적 없음", "never delivered"),
    // figures of steps
    ("rows_in", "들어온 행", "rows in"),
    ("rows_out", "나온 행", "rows out"),
    ("rows", "표의 행", "rows of the table"),
    ("bytes_in", "들어온 크기", "bytes in"),
    ("bytes_written", "쓴 크기", "bytes written"),
    ("files_written", "쓴 파일", "files written"),
    (
        "partitions_rebuilt",
        "다시 계산한 기간",
        "partitions rebuilt",
    ),
    (
        "partitions_unchanged",
        "그 가운데 그대로인 기간",
        "of those unchanged",
    ),
    (
        "partitions_fresh",
        "다시 계산하지 않은 기간",
        "partitions not rebuilt",
    ),
    ("tables_built", "계산한 표", "tables built"),
    (
        "tables_fresh",
        "다시 계산하지 않은 표",
        "tables not rebuilt",
    ),
    ("tests_run", "실행한 검사", "tests run"),
    ("tests_failed", "실패한 검사", "tests failed"),
    ("deliveries_accepted", "받은 전달", "deliveries accepted"),
    ("deliveries_refused", "거부한 전달", "deliveries refused"),
    ("rows_quarantined", "격리한 행", "rows quarantined"),
    ("rows_rejected", "거부한 행", "rows rejected"),
    ("persons_new", "새 사람", "new persons"),
    ("pairs_compared", "비교한 쌍", "pairs compared"),
    ("pairs_linked", "이은 쌍", "pairs linked"),
    ("tables_released", "발표본의 표", "tables released"),
    ("rows_released", "발표본의 행", "rows released"),
    ("pages", "쪽", "pages"),
    ("files_changed", "바뀐 파일", "files changed"),
    ("cells_suppressed", "가린 칸", "cells suppressed"),
    ("peak_memory_mib", "최대 메모리(MiB)", "peak memory (MiB)"),
]);

/// The word for a code; the code itself, without underscores, when it has none.
pub(super) fn word(code: &str, language: Language) -> String {
    WORDS.word(code, language)
}

/// Where a code stands in the list, so that figures come in one order: what came in before what went out.
pub(super) fn rank(code: &str) -> usize {
    WORDS.rank(code)
}

/// Whether readers of both languages get words for a code of the ledger.
#[must_use]
pub fn has_word(code: &str) -> bool {
    WORDS.has(code)
}

/// A mark that tells states apart without colour.
pub(super) fn mark(state: &str) -> &'static str {
    match state {
        "success" => "✓",
        "failed" => "✕",
        "up_for_retry" => "↻",
        "running" => "▸",
        "skipped" | "upstream_failed" | "cancelled" => "–",
        "unfinished" => "?",
        _ => "·",
    }
}

/// The class of a state, as the style sheet colours it.
pub(super) fn class(state: &str) -> &'static str {
    match state {
        "success" => "passed",
        "failed" | "unfinished" => "failed",
        "up_for_retry" | "upstream_failed" | "running" => "warned",
        _ => "not_run",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::dictionary::tests::assert_complete;

    #[test]
    fn every_code_has_one_word_in_each_language() {
        assert_complete(&WORDS);
        assert!(!has_word("odd_code") && has_word("superseded"));
    }
}
