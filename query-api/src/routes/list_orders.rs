use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::FactId;
use domain::values::{CustomerId, OrderId, Timestamp};
use domain::view::order_view::{OrderRow, OrderView};
use domain::view::orders_by_customer::{self, CustomerOrder, OrdersByCustomer};
use domain::view::{Status, Value};
use domain::{Category, View};
use infra::http::{Json, PathParam, Problem, ProblemBody, fact_of, not_shown};
use infra::view_store::{Slice, ViewError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::get_order::StreamVersions;
use crate::cursor;
use crate::freshness::{self, NotYet};
use crate::params::{self, Params};
use crate::router::Api;

/// The most orders that are looked at for one page, so that a status that hardly any order has costs
/// no more than this. The page may then be short, or empty, and has a cursor to go on with.
const LOOKED_AT: usize = 1000;
/// How many are read at a time where most of them may not have the status asked for.
const AT_A_TIME: usize = 200;

/// Which orders to show.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many orders at most; 20 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Only orders that stand there as a whole, such as `COMPLETED`.
    #[param(example = "COMPLETED")]
    status: Option<String>,
    /// A `Waybill-Token` from a command on an order of the customer: the read waits until the list
    /// shows what the command did.
    #[param(example = "order-01890a5d-ac96-774b-bcce-b302099a8057-1")]
    after: Option<String>,
}

/// Orders of a customer, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerOrders {
    /// A page of them. With a status it may be short or empty though there are more: at most 1000
    /// orders are looked at for one page.
    orders: Vec<OrderSummary>,
    /// Where the next page begins; null where this is the last.
    next_cursor: Option<String>,
}

/// An order in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// The order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// Where it stands as a whole.
    #[schema(example = "COMPLETED")]
    status: &'static str,
    /// For how much, in minor units.
    total_amount: i64,
    /// In which money.
    currency: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How much of each stream is seen here.
    versions: StreamVersions,
}

/// Lists the orders of a customer, the newest first. A customer without orders has an empty list.
#[utoipa::path(
    get,
    path = "/api/customers/{id}/orders",
    tag = "customers",
    params(("id" = String, Path, description = "The customer"), Page),
    responses(
        (status = 200, description = "A page of orders", body = CustomerOrders),
        (status = 202, description = "What `?after=` names is not there yet: ask again"),
        (status = "4XX", description = "The request is wrong", body = ProblemBody),
        (status = 503, description = "Try again later", body = ProblemBody),
    )
)]
pub async fn list_orders(
    State(api): State<Arc<Api>>,
    PathParam(customer): PathParam<CustomerId>,
    page: Params<Page>,
) -> Result<Response, Problem> {
    let page = params::read(page)?;
    let wanted = Wanted {
        customer,
        limit: params::limit(page.limit.as_deref())?,
        behind: page.cursor.as_deref().map(cursor::read).transpose()?,
        status: page.status.as_deref().map(status).transpose()?,
    };
    let after = fact_of(page.after.as_deref(), |stream| {
        stream.category != Category::Stock && stream.id.parse::<OrderId>().is_ok()
    })?;
    if let Some(fact) = after
        && let Err(not_yet) = wanted.wait_for(&api, &fact).await?
    {
        return match wanted.is_of_another(&api, &fact).await? {
            true => Err(not_shown(&fact)),
            false => Ok(not_yet.into_response()),
        };
    }
    Ok(Json(wanted.page(&api).await?).into_response())
}

fn status(name: &str) -> Result<Status, Problem> {
    Status::named(name).ok_or_else(|| {
        let names = Status::ALL.map(Status::name).join(", ");
        Problem::field("status", format!("must be one of {names}"))
    })
}

fn order_of(fact: &FactId) -> Option<OrderId> {
    fact.stream.id.parse().ok()
}

/// What a request asks for.
struct Wanted {
    customer: CustomerId,
    limit: usize,
    behind: Option<OrderId>,
    status: Option<Status>,
}

impl Wanted {
    async fn page(&self, api: &Api) -> Result<CustomerOrders, ViewError> {
        let (schema, table) = (
            OrdersByCustomer.schema(),
            api.table(&OrdersByCustomer).await?,
        );
        let partition = self.partition();
        let at_a_time = match self.status {
            Some(_) => AT_A_TIME,
            // One more than is shown tells whether there is another page.
            None => self.limit + 1,
        };
        let mut orders = vec![];
        let (mut last, mut looked_at) = (self.behind, 0);
        loop {
            let behind = last.map(|OrderId(id)| [Value::Uuid(id)]);
            let slice = Slice {
                partition: &partition,
                after: behind.as_ref().map(|values| values.as_slice()),
                backwards: false,
                limit: at_a_time,
            };
            let rows = api.store.list(schema, &table, slice).await?;
            let all = rows.len() < at_a_time;
            for row in rows {
                if orders.len() == self.limit || looked_at == LOOKED_AT {
                    let next_cursor = last.as_ref().map(cursor::write);
                    return Ok(CustomerOrders {
                        orders,
                        next_cursor,
                    });
                }
                let [Value::Uuid(id)] = row.rest.as_slice() else {
                    return Err(ViewError::Corrupt(format!("a key of {}", schema.name)));
                };
                let id = OrderId(*id);
                (last, looked_at) = (Some(id), looked_at + 1);
                let order = CustomerOrder::read(id, &row.cells);
                let wanted = |order: &CustomerOrder| self.status.is_none_or(|s| s == order.status);
                orders.extend(order.filter(wanted).map(OrderSummary::from));
            }
            if all {
                let next_cursor = None;
                return Ok(CustomerOrders {
                    orders,
                    next_cursor,
                });
            }
        }
    }

    /// Waits until the row of the fact's order has seen it.
    async fn wait_for(&self, api: &Api, fact: &FactId) -> Result<Result<(), NotYet>, ViewError> {
        let (schema, table) = (
            OrdersByCustomer.schema(),
            api.table(&OrdersByCustomer).await?,
        );
        let order = order_of(fact).map(|OrderId(id)| Value::Uuid(id));
        let key: Vec<Value> = std::iter::once(self.partition()).chain(order).collect();
        freshness::wait_for(api.store.as_ref(), api.fresh_wait, || async {
            let cells = api.store.get(schema, &table, &key).await?;
            let seen = cells.as_ref().map(orders_by_customer::versions);
            Ok(freshness::shows(seen.unwrap_or_default(), Some(fact)))
        })
        .await
    }

    /// True where the order view knows the fact's order as somebody else's.
    async fn is_of_another(&self, api: &Api, fact: &FactId) -> Result<bool, ViewError> {
        let (schema, table) = (OrderView.schema(), api.table(&OrderView).await?);
        let Some(order) = order_of(fact) else {
            return Ok(false);
        };
        let cells = api
            .store
            .get(schema, &table, &[Value::Uuid(order.0)])
            .await?;
        let row = cells.and_then(|cells| OrderRow::read(order, &cells));
        Ok(row.is_some_and(|row| row.customer_id != self.customer.as_str()))
    }

    fn partition(&self) -> Value {
        Value::Text(self.customer.as_str().to_owned())
    }
}

impl From<CustomerOrder> for OrderSummary {
    fn from(row: CustomerOrder) -> Self {
        Self {
            order_id: row.order_id,
            status: row.status.name(),
            total_amount: row.total_amount,
            currency: row.currency,
            created_at: row.created_at,
            versions: row.versions.into(),
        }
    }
}
