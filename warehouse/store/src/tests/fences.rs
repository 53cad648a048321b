//! A worker that was paused while another took its run over.

use super::*;
use crate::{Fence, ReleaseRequest, StoreError};

const AUGUST: &str = "2024-08-01";

fn fence(token: i64) -> Fence {
    Fence {
        run: "night-20240831T173000Z".to_owned(),
        token,
    }
}

fn release() -> ReleaseRequest {
    ReleaseRequest {
        business_date: chrono::NaiveDate::from_ymd_opt(2024, 8, 31).unwrap(),
        tables: vec![(table(), 0)],
        ..ReleaseRequest::default()
    }
}

#[rstest]
#[tokio::test]
async fn a_paused_workers_commit_release_and_memo_are_refused_once_a_newer_one_came(
    #[values(Folder, S3)] place: Place,
) {
    let fixture = Fixture::new(place).await;
    let paused = fixture.reopened().await.unwrap();
    paused.raise_fence(&fence(7)).await.unwrap();
    let mut writer = paused.writer(&table(), schema(), options()).await.unwrap();
    writer.write(Some(AUGUST), &rows(&[1])).unwrap();

    // Everything is written but the commit; here the worker stands still, and another takes the run over.
    let newer = fixture.reopened().await.unwrap();
    newer.raise_fence(&fence(8)).await.unwrap();
    let refused = writer
        .commit(CommitMode::ReplaceAll, CommitDetails::default())
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::Fenced {
                token: 7,
                newest: 8,
                ..
            }
        ),
        "{refused}"
    );
    assert!(!refused.is_retryable());
    assert!(newer.snapshot(&table()).await.unwrap().is_none());
    let left = fixture.table_files(&table()).await;
    assert_eq!(left, Vec::<String>::new(), "its files are gone as well");

    write_to(
        &newer,
        CommitMode::ReplaceAll,
        &[(AUGUST, &[2, 3])],
        CommitDetails::default(),
    )
    .await
    .unwrap();
    let refused = paused.publish(release()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
    assert!(newer.latest_release().await.unwrap().is_none());
    newer.publish(release()).await.unwrap();
    let refused = paused.memo_put("staging", "newest", "7").await.unwrap_err();
    assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
    assert_eq!(newer.memo_get("staging", "newest").await.unwrap(), None);
    newer.memo_put("staging", "newest", "8").await.unwrap();
    let refused = fixture
        .reopened()
        .await
        .unwrap()
        .raise_fence(&fence(7))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
    // Another run, and whoever has no fence, is not concerned.
    let other = Fence {
        run: "night-20240830T173000Z".to_owned(),
        token: 3,
    };
    fixture
        .reopened()
        .await
        .unwrap()
        .raise_fence(&other)
        .await
        .unwrap();
    fixture
        .commit_each(CommitMode::ReplaceAll, AUGUST, &[4])
        .await;
}

#[test]
fn a_fence_is_told_as_run_and_token() {
    assert_eq!(fence(7).to_string().parse(), Ok(fence(7)));
    for wrong in ["", "night", "night:", ":7", "night:seven"] {
        assert!(wrong.parse::<Fence>().is_err(), "{wrong}");
    }
}
