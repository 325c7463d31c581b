use cruddur::store;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{TABLE, TestApp, sdk};

#[tokio::test]
async fn deep_check_reads_the_table() {
    let app = TestApp::new().await;
    for query in ["?deep", "?deep=", "?deep=1", "?a=b&deep"] {
        let health = app.get(&format!("/api/health-check{query}")).await;
        assert_eq!((health.status, health.body), (200, json!({ "success": true, "ver": 1 })), "{query}");
    }
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    let deep = app.get("/api/health-check?deep").await;
    let expected = json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The database does not answer.",
        "code": "unhealthy",
    });
    assert_eq!((deep.status, deep.header("retry-after"), deep.body.clone()), (503, Some("1"), expected));
    for query in ["", "?deeper", "?not=deep"] {
        assert_eq!(app.get(&format!("/api/health-check{query}")).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn deep_check_times_out_after_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = TestApp::on(store::client(&sdk(&format!("http://{}", listener.local_addr().unwrap()))));
    let began = std::time::Instant::now();
    let deep = app.get("/api/health-check?deep").await;
    assert_eq!((deep.status, &deep.body["code"]), (503, &json!("unhealthy")));
    assert!(began.elapsed() < std::time::Duration::from_millis(1400), "{:?}", began.elapsed());
}
