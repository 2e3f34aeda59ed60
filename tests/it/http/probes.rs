use serde_json::json;

use crate::support::{Fast, Pipeline};

#[tokio::test(flavor = "multi_thread")]
async fn both_apis_say_how_they_are_and_what_they_offer() {
    let pipeline = Pipeline::start(Fast::default()).await;
    pipeline.receive("sku-1", 1).await;
    for api in [&pipeline.command, &pipeline.query] {
        let get = |path: &str| {
            let url = format!("{api}{path}");
            async move { reqwest::get(url).await.unwrap() }
        };
        assert_eq!(
            get("/healthz").await.text().await.unwrap(),
            r#"{"status":"up"}"#
        );
        let ready = get("/readyz").await.text().await.unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        assert_eq!(ready["status"], "ready");
        let metrics = get("/metrics").await.text().await.unwrap();
        assert!(metrics.contains("waybill_append_batch_size"), "{metrics}");
        let document = get("/openapi.json").await.text().await.unwrap();
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let page = get("/docs/").await.text().await.unwrap();
        assert!(page.contains("swagger-ui"), "{page}");
        // Nothing of the page comes from elsewhere.
        assert!(
            !page.contains("http://") && !page.contains("https://"),
            "{page}"
        );
    }
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_path_is_there() {
    let pipeline = Pipeline::start(Fast::default()).await;
    for (api, document) in [
        (&pipeline.command, command_api::openapi()),
        (&pipeline.query, query_api::openapi()),
    ] {
        let document = serde_json::to_value(document).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let url = path
                .replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
                .replace("{order_id}", "01890a5d-ac96-774b-bcce-b302099a8057")
                .replace("{sku}", "sku-1");
            for method in methods.as_object().unwrap().keys() {
                let method = method.to_uppercase().parse().unwrap();
                let url = format!("{api}{url}");
                let body = Some(json!({}).to_string());
                let reply = pipeline.try_send(method, &url, body, &[]).await.unwrap();
                assert_ne!(reply.body["code"], "not-found", "{path}");
                assert_ne!(reply.status, 405, "{path}");
            }
        }
    }
    pipeline.finish().await;
}
