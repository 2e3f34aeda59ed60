use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::values::{OrderId, Timestamp};
use domain::view::order_timeline::{Entry, Place};
use infra::http::{Json, PathParam, Problem, ProblemBody, fact_of};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::get_order::unknown;
use crate::params::{self, Params};
use crate::router::Api;
use crate::timeline::Timeline;
use crate::{cursor, freshness};

/// Which facts to show.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many facts at most; 20 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// A `Waybill-Token` from a command: the read waits until it shows what the command did.
    #[param(example = "order-01890a5d-ac96-774b-bcce-b302099a8057-1")]
    after: Option<String>,
}

/// What happened to an order, from its first fact on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderTimeline {
    /// The order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// Its facts, in the order in which they happened.
    facts: Vec<TimelineFact>,
    /// Where the next page begins; null where this is the last.
    next_cursor: Option<String>,
}

/// Something that happened to an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineFact {
    /// Its id: stream and sequence.
    #[schema(example = "payment-01890a5d-ac96-774b-bcce-b302099a8057-2")]
    id: String,
    /// What happened.
    #[schema(example = "payment.authorized")]
    name: String,
    /// Which service recorded it.
    #[schema(example = "payment")]
    service: &'static str,
    /// Its number within the log of that service.
    position: u64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// Why, where the fact says so.
    #[schema(example = "payment-declined")]
    reason: Option<String>,
    /// The id of the fact behind it, or of the command of a person.
    #[schema(example = "reservation-01890a5d-ac96-774b-bcce-b302099a8057-1")]
    causation: String,
    /// What its chain of causes is about: the order.
    correlation: String,
    /// The version of the payload's shape.
    #[schema(example = "1")]
    version: String,
    /// What was recorded, letter for letter.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
}

/// Shows what happened to an order, from its first fact on: what, when, why, caused by which fact,
/// in which service.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/timeline",
    tag = "orders",
    params(("id" = Uuid, Path, description = "The order"), Page),
    responses(
        (status = 200, description = "A page of its facts", body = OrderTimeline),
        (status = 202, description = "What `?after=` names is not there yet: ask again"),
        (status = 404, description = "There is no such order, or it is not seen here yet", body = ProblemBody),
        (status = "4XX", description = "The request is wrong", body = ProblemBody),
        (status = 503, description = "Try again later", body = ProblemBody),
    )
)]
pub async fn get_timeline(
    State(api): State<Arc<Api>>,
    PathParam(order_id): PathParam<OrderId>,
    page: Params<Page>,
) -> Result<Response, Problem> {
    let page = params::read(page)?;
    let limit = params::limit(page.limit.as_deref())?;
    let behind: Option<Place> = page.cursor.as_deref().map(cursor::read).transpose()?;
    let streams = freshness::streams_of(order_id);
    let after = fact_of(page.after.as_deref(), |stream| streams.contains(stream))?;

    let timeline = Timeline::of(&api, order_id).await?;
    if let Err(not_yet) = timeline.wait_for(after.as_ref()).await? {
        return Ok(not_yet.into_response());
    }
    // One more than is shown tells whether there is another page.
    let mut facts = timeline.facts(behind, limit + 1).await?;
    if facts.is_empty() && behind.is_none() {
        return Err(unknown());
    }
    let more = facts.len() > limit;
    facts.truncate(limit);
    let last = facts.last().filter(|_| more);
    let next_cursor = last.map(|fact| cursor::write(&fact.place));
    let facts = facts.into_iter().map(TimelineFact::read);
    let timeline = OrderTimeline {
        order_id,
        facts: facts.collect::<Result<_, _>>()?,
        next_cursor,
    };
    Ok(Json(timeline).into_response())
}

impl TimelineFact {
    fn read(entry: Entry) -> Result<Self, Problem> {
        let unreadable = |e: serde_json::Error| Problem::internal(&e);
        let payload = RawValue::from_string(entry.written.payload).map_err(unreadable)?;
        let why: Why<'_> = serde_json::from_str(payload.get()).map_err(unreadable)?;
        Ok(Self {
            id: entry.id.to_string(),
            name: entry.name,
            service: entry.place.category.service().name(),
            position: entry.position,
            occurred_at: entry.place.occurred_at,
            reason: why.reason.map(Cow::into_owned),
            causation: entry.causation,
            correlation: entry.correlation,
            version: entry.written.version,
            payload,
        })
    }
}

/// The part of a payload that many facts share.
#[derive(Deserialize)]
struct Why<'a> {
    #[serde(default, borrow)]
    reason: Option<Cow<'a, str>>,
}
