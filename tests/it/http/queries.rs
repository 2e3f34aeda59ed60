//! The query API over a view store, whose tables are written as the projector writes them.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use domain::{Recorded, View, view};
use infra::view_store::{Live, RowPatch, STAMPS_PER_SEQUENCE, StampedCell, Table, ViewStore};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Client;

pub struct Queries {
    pub client: Client,
    views: Arc<dyn ViewStore>,
    server: JoinHandle<()>,
}

impl Queries {
    pub async fn over(views: Arc<dyn ViewStore>) -> Self {
        for view in view::ALL {
            views.create(view.schema(), &table(view)).await.unwrap();
        }
        let wait = Duration::from_millis(50);
        let stop = CancellationToken::new();
        let (live, follow) = Live::follow(views.clone(), &view::ALL, stop);
        let api = query_api::Api::new(views.clone(), live, wait);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::task::spawn(async move {
            let served = axum::serve(listener, query_api::router(api)).into_future();
            tokio::join!(served, follow).0.unwrap();
        });
        Self {
            client: Client::new(String::new(), url),
            views,
            server,
        }
    }

    /// Writes what the facts write into a view.
    pub async fn write(&self, view: &dyn View, facts: &[Recorded]) {
        let patches = facts.iter().filter_map(|fact| view.project(fact));
        let rows = patches.map(|patch| {
            let stamp = patch.sequence as i64 * STAMPS_PER_SEQUENCE;
            let cells = patch.cells.into_iter().map(|cell| StampedCell {
                column: cell.column,
                value: cell.value,
                stamp,
            });
            RowPatch {
                key: patch.key,
                cells: cells.collect(),
            }
        });
        let (schema, table, rows) = (view.schema(), table(view), rows.collect());
        self.views.apply(schema, &table, rows).await.unwrap();
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn table(view: &dyn View) -> Table {
    Table {
        name: view.schema().name.to_owned(),
    }
}
