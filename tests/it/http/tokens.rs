use futures::future::join_all;

use crate::support::{Fast, Pipeline, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_after_the_token_of_a_post_always_shows_the_order() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let place_and_read = |_| async {
        let placed = pipeline
            .post("/api/orders", order_of("sku-1", 1, 1901))
            .await
            .expect(201);
        let location = placed.header("location").unwrap();
        let read = pipeline
            .get(&format!("{location}?after={}", placed.token()))
            .await;
        assert_eq!(read.status, 200, "{}", read.body);
        assert_eq!(read.body["createdAt"], placed.body["createdAt"]);
    };
    for _ in 0..10 {
        join_all((0..32).map(place_and_read)).await;
    }
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_the_future_is_waited_for_and_then_put_off() {
    let pipeline = Pipeline::start(Fast {
        fresh_wait_ms: Some(50),
        ..Fast::default()
    })
    .await;
    pipeline.receive("sku-1", 1).await;
    let id = pipeline.place("sku-1", 2, 1901).await;
    pipeline.order_in(&id, "CANCELLED").await;
    let reply = pipeline
        .get(&format!("/api/orders/{id}?after=order-{id}-99"))
        .await
        .expect(202);
    assert_eq!(reply.header("retry-after"), Some("1"));
    let reply = pipeline
        .get_command("/api/stock/sku-1?after=stock-sku-1-99")
        .await
        .expect(202);
    assert_eq!(reply.header("retry-after"), Some("1"));
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_something_else_is_refused() {
    let pipeline = Pipeline::start(Fast::default()).await;
    let received = pipeline.receive("sku-1", 1).await;
    assert_eq!(received.token(), "stock-sku-1-1");
    let id = pipeline.place("sku-1", 1, 1901).await;
    for token in [
        "nonsense",
        "order-1",
        "stock-sku-1-1",
        "order-01890a5d-ac96-774b-bcce-b302099a8057-1",
        &format!("order-{id}-0"),
        &format!("order-{id}-01"),
        &format!("parcel-{id}-1"),
    ] {
        let reply = pipeline
            .get(&format!("/api/orders/{id}?after={token}"))
            .await;
        reply.expect_problem(400, "invalid-field", Some("after"));
    }
    let reply = pipeline.get(&format!("/api/orders/{id}?before=x")).await;
    reply.expect_problem(400, "invalid-field", Some("query"));
    let reply = pipeline
        .get_command("/api/stock/sku-1?after=stock-sku-2-1")
        .await;
    reply.expect_problem(400, "invalid-field", Some("after"));
    let path = "/api/stock/sku-1?after=stock-sku-1-1";
    pipeline.get_command(path).await.expect(200);
    pipeline.finish().await;
}
