use serde_json::json;

use crate::support::{TABLE, TestApp};

#[tokio::test]
async fn deep_check_reads_the_table() {
    let app = TestApp::new().await;
    for query in ["?deep", "?deep=", "?deep=1", "?a=b&deep"] {
        let health = app.get(&format!("/api/health-check{query}")).await;
        assert_eq!((health.status, health.body), (200, json!({ "success": true, "ver": 1 })), "{query}");
    }
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    let deep = app.get("/api/health-check?deep").await;
    deep.assert_error(503, "unhealthy");
    assert_eq!(deep.header("retry-after"), Some("1"));
    for query in ["", "?deeper", "?not=deep"] {
        assert_eq!(app.get(&format!("/api/health-check{query}")).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn deep_check_times_out_after_a_second() {
    let (app, _listener) = TestApp::with_silent_dynamodb().await;
    let began = std::time::Instant::now();
    let deep = app.get("/api/health-check?deep").await;
    deep.assert_error(503, "unhealthy");
    assert!(began.elapsed() < std::time::Duration::from_millis(1400), "{:?}", began.elapsed());
}
