//! A view whose `project` has changed.

use std::sync::Arc;

use domain::values::OrderId;
use domain::view::order_view::{OrderView, SCHEMA};
use domain::view::{Cell, Cells, Column, Kind, Patch, Schema, Value, Versions};
use domain::{Category, Fact, Recorded, View, order};
use infra::config::Config;
use infra::tasks::Tasks;
use infra::view_store::{CassandraViewStore, Table, ViewStore, migrate_keyspace};
use tokio_util::sync::CancellationToken;
use waybill::app::{App, Ended};
use waybill::roles::Roles;
use waybill::tools::{Request, Tools};

use super::rebuilt;
use crate::support::{Client, Place, eventually};

/// The order view as a later program might have it: with the number of lines of an order.
struct Later;

const COLUMNS: [Column; SCHEMA.columns.len() + 1] = {
    let mut columns = [Column::of("line_count", Kind::Int, Category::Order); _];
    let mut at = 0;
    while at < SCHEMA.columns.len() {
        columns[at] = SCHEMA.columns[at];
        at += 1;
    }
    columns
};

static LATER: Schema = Schema {
    name: SCHEMA.name,
    revision: SCHEMA.revision + 1,
    key: SCHEMA.key,
    direction: SCHEMA.direction,
    columns: &COLUMNS,
};

impl View for Later {
    fn schema(&self) -> &'static Schema {
        &LATER
    }

    fn project(&self, recorded: &Recorded) -> Option<Patch> {
        let mut patch = OrderView.project(recorded)?;
        if let Fact::Order(order::Event::Created { items, .. }) = &recorded.fact {
            let lines = i64::try_from(items.as_slice().len()).unwrap();
            patch.cells.push(Cell {
                column: SCHEMA.columns.len(),
                value: Value::Int(lines),
            });
        }
        Some(patch)
    }

    fn versions(&self, cells: &Cells) -> Option<Versions> {
        OrderView.versions(cells)
    }
}

static TODAYS: [&dyn View; 1] = [&OrderView];
static LATERS: [&dyn View; 1] = [&Later];

/// A pipeline in this process, with other views.
struct Running {
    client: Client,
    app: tokio::task::JoinHandle<Ended>,
    stop: CancellationToken,
    views: projectors::Views,
    tools: Tools,
}

impl Running {
    async fn with(config: &Config, views: &'static [&'static dyn View]) -> Self {
        let app = App::build_with(config.clone(), Roles::all(), views)
            .await
            .unwrap();
        let url = |addr: Option<std::net::SocketAddr>| format!("http://{}", addr.unwrap());
        let client = Client::new(url(app.command_addr()), url(app.query_addr()));
        let views = app.adapters().kept_views().clone();
        let tools = app.adapters().tools(&Tasks::new());
        let stop = CancellationToken::new();
        let app = tokio::task::spawn(app.run(stop.clone()));
        Self {
            client,
            app,
            stop,
            views,
            tools,
        }
    }

    async fn end(self) {
        self.stop.cancel();
        assert_eq!(self.app.await.unwrap(), Ended::Drained);
    }

    async fn lines(&self, table: &Table, order: &str) -> Option<Option<Value>> {
        let order: OrderId = order.parse().unwrap();
        let key = [Value::Uuid(order.0)];
        let row = self.views.store.get(&LATER, table, &key).await.unwrap();
        row.map(|cells| cells.last().unwrap().clone())
    }
}

async fn the_new_column_is_there_for_old_orders_after_a_rebuild(
    config: Config,
    migrate: impl AsyncFn(&'static [&'static dyn View]),
) {
    migrate(&TODAYS).await;
    let before = Running::with(&config, &TODAYS).await;
    before.client.receive("sku-1", 100).await;
    let old = before.client.place("sku-1", 1, 1901).await;
    before.client.order_in(&old, "PAYMENT_AUTHORIZED").await;
    before.end().await;

    migrate(&LATERS).await;
    let after = Running::with(&config, &LATERS).await;
    let first = Table {
        name: "order_view".to_owned(),
    };
    // The old generation is served meanwhile, and new facts write what there is to write.
    assert_eq!(
        after.client.order(&old).await["status"],
        "PAYMENT_AUTHORIZED"
    );
    let new = after.client.place("sku-1", 1, 1901).await;
    let look = || after.lines(&first, &new);
    eventually(look, |lines| *lines == Some(Some(Value::Int(1)))).await;
    assert_eq!(after.lines(&first, &old).await, Some(None));
    let live = after.views.live(&Later).await.unwrap();
    assert_eq!((live.number, live.revision), (1, SCHEMA.revision));
    let metrics = after.client.get_command("/metrics").await;
    let metrics = String::from_utf8(metrics.bytes).unwrap();
    let told = r#"waybill_view_outdated{view="order_view"} 1"#;
    assert!(metrics.contains(told), "{metrics}");
    let status = after.tools.answer(Request::Status).await.unwrap();
    assert_eq!(status["healthy"], false, "{status:#}");
    assert_eq!(status["views"][0]["revision"], 1, "{status:#}");
    assert_eq!(status["views"][0]["todays"], 2, "{status:#}");

    let report = rebuilt(&after.views, &Later).await.unwrap();
    assert!(report.switched, "{report:#?}");
    assert_eq!((report.live_revision, report.revision), (1, 2));
    assert_eq!(report.live.different, 1, "{report:#?}");
    let live = after.views.live(&Later).await.unwrap();
    assert_eq!((live.number, live.revision), (2, LATER.revision));
    let second = live.table(&LATER);
    for order in [&old, &new] {
        assert_eq!(after.lines(&second, order).await, Some(Some(Value::Int(1))));
    }
    let metrics = || async {
        let metrics = after.client.get_command("/metrics").await;
        String::from_utf8(metrics.bytes).unwrap()
    };
    let told = r#"waybill_view_outdated{view="order_view"} 0"#;
    eventually(metrics, |metrics| metrics.contains(told)).await;
    after.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_projection_is_told_and_rebuilt_on_the_embedded_store() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("data_dir={}", folder.path().join("data").display());
    let settings = [
        &*data,
        "command_addr=127.0.0.1:0",
        "query_addr=127.0.0.1:0",
        "courier=none",
        "payment_delay_ms=0",
    ];
    let settings = settings.map(ToOwned::to_owned);
    let config = crate::support::config_of(&settings);
    the_new_column_is_there_for_old_orders_after_a_rebuild(config, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_projection_is_told_and_rebuilt_on_servers() {
    let Some(place) = Place::migrated(&["courier=none", "payment_delay_ms=0"]).await else {
        return;
    };
    let migrate = async |views: &'static [&'static dyn View]| {
        let keyspace = place.servers().views().unwrap();
        migrate_keyspace(&keyspace, 1, views).await.unwrap();
        // A session of its own: the columns of a table may be new.
        let store: Arc<dyn ViewStore> = Arc::new(CassandraViewStore::new(&keyspace));
        for view in views {
            let table = Table {
                name: view.schema().name.to_owned(),
            };
            store.create(view.schema(), &table).await.unwrap();
        }
    };
    the_new_column_is_there_for_old_orders_after_a_rebuild(place.config(), migrate).await;
}
